"""Failed jobs of one name and reason."""

from attrs import frozen

from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.models.statuses import FailureReason


@frozen(kw_only=True)
class FailureGroup:
    """The failed jobs of a project that have the same name and reason.

    Attributes:
        project: the project, as given to `GitLab.list_failures`.
        name: the name of the jobs.
        reason: GitLab's reason, `Job.failure_reason`; None if GitLab sends none.
        newest: the newest of the jobs, by id.
        job_ids: the ids of all of them, newest first.
        flaky_ids: the ids of those that passed on retry: a later job of the same pipeline and name
            succeeded.
        refs: the branches, tags and merge request refs of the jobs, each once, newest first.
    """

    project: int | str
    name: str
    reason: FailureReason | None
    newest: Job
    job_ids: tuple[int, ...]
    flaky_ids: tuple[int, ...] = ()
    refs: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """The number of failed jobs."""
        return len(self.job_ids)

    @property
    def is_flaky(self) -> bool:
        """Whether at least one of the jobs passed on retry."""
        return bool(self.flaky_ids)
