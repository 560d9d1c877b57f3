"""Name a pipeline, a job or a group as the target of a monitor."""

from attrs import field, frozen

from gitlab_jobs_async.api.parameters import WaitUntil


@frozen
class PipelineTarget:
    """A pipeline of a project, which is given by id or path; monitored until it ends.

    *until* "blocked" also ends at a pipeline that only a manual job can continue, as that of
    `Project.wait_for_pipeline`. With a checkpoint, the next monitor continues there. A monitor has
    one target for a pipeline, with either.
    """

    project: int | str
    pipeline_id: int
    until: WaitUntil = field(default="finished", kw_only=True)


@frozen
class JobTarget:
    """A job of a project, which is given by id or path; monitored until it ends.

    With *follow_retries*, its next attempts are monitored, too, until the last one has ended: see
    `Project.wait_for_job`. At the end of each, the jobs of the pipeline are listed: a request for
    each hundred. A monitor has one target for a job, with or without it.
    """

    project: int | str
    job_id: int
    follow_retries: bool = field(default=False, kw_only=True)


@frozen
class GroupTarget:
    """The projects of a group, which is given by id or path, kept up to date while it is monitored.

    Archived projects and those without CI/CD are left out, and projects that are shared with the
    group belong to it. With *include_subgroups* those of all levels below do, too.
    """

    group: int | str
    include_subgroups: bool = field(default=True, kw_only=True)
