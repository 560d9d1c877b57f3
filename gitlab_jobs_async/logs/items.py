"""What `GitLab.tail_jobs` tells: lines of many logs, how each log ended, and what went wrong."""

from attrs import field, frozen

from gitlab_jobs_async.errors import GitLabError
from gitlab_jobs_async.models.jobs import LogLine


@frozen
class TailedLine:
    """One line of the log of job *job_id*.

    *project* is as it was given, or `project_id` of a `Job` that was given.
    """

    project: int | str
    job_id: int
    line: LogLine


@frozen
class TailEnded:
    """The job has ended, and every line of its log was told."""

    project: int | str
    job_id: int


@frozen
class TailFailed:
    """The job's log is followed no further, for what *error* says; it was no end of the job."""

    project: int | str
    job_id: int
    error: GitLabError = field(eq=False)


TailedItem = TailedLine | TailEnded | TailFailed
