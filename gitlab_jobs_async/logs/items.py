"""Items of `GitLab.tail_jobs`: a line of a log, its end, or the error that ended it early."""

from attrs import field, frozen

from gitlab_jobs_async.errors import GitLabError
from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.models.logs import LogLine


@frozen
class _Tailed:
    """The job that an item belongs to.

    *project* is as the caller gave it, or the `project_id` of a given `Job`: with *job_id* it is
    the key of `offsets=` and of `JobLines`. *project_path* is its full path, such as "group/app",
    from a given `Job` or path; None for a project given by its id.
    """

    project: int | str
    job_id: int
    project_path: str | None = field(default=None, kw_only=True, eq=False)


@frozen
class TailedLine(_Tailed):
    """One *line* of the log of job *job_id* in *project*, whose path is *project_path* if known.

    *is_new* is False for the lines that the first poll of the log found.
    """

    line: LogLine
    is_new: bool = field(default=True, kw_only=True, eq=False)


@frozen
class TailEnded(_Tailed):
    """The job has ended, and every line of its log was emitted.

    *job* is the job as it was last seen; None with `follow=False`, which does not request it.
    """

    job: Job | None = field(default=None, eq=False)


@frozen
class TailFailed(_Tailed):
    """The log cannot be followed any further because of *error*; the job may still run."""

    error: GitLabError = field(eq=False)


TailedItem = TailedLine | TailEnded | TailFailed
