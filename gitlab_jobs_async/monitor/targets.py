"""What a monitor can watch beside whole projects: one pipeline, one job. Values only."""

from attrs import frozen


@frozen
class PipelineTarget:
    """One pipeline of a project, given as id or path; watched until it has ended."""

    project: int | str
    pipeline_id: int


@frozen
class JobTarget:
    """One job of a project, given as id or path; watched until it has ended."""

    project: int | str
    job_id: int
