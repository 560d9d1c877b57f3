"""Name a pipeline, a job or a group as the target of a monitor."""

from attrs import field, frozen


@frozen
class PipelineTarget:
    """A pipeline of a project, which is given by id or path; monitored until it ends."""

    project: int | str
    pipeline_id: int


@frozen
class JobTarget:
    """A job of a project, which is given by id or path; monitored until it ends."""

    project: int | str
    job_id: int


@frozen
class GroupTarget:
    """The projects of a group, which is given by id or path, kept up to date while it is monitored.

    Archived projects are left out. With *include_subgroups* those of all levels below belong to it.
    """

    group: int | str
    include_subgroups: bool = field(default=True, kw_only=True)
