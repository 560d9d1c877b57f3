"""Name a pipeline or a job as the target of a monitor."""

from attrs import frozen


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
