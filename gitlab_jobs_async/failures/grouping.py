"""Group failed jobs, and find those that passed on retry."""

from collections.abc import Sequence
from operator import attrgetter

from gitlab_jobs_async.api.parameters import ProjectId
from gitlab_jobs_async.models.failure_groups import FailureGroup
from gitlab_jobs_async.models.jobs import Job


class RetrySearch:
    """Finds which of the *failed* jobs passed on retry, by successful jobs in any order."""

    def __init__(self, failed: Sequence[Job]) -> None:
        # The pipeline of an odd row may be unknown: its id is 0.
        self._failed = [job for job in failed if job.pipeline.id]
        self._last_success = {_attempt_of(job): 0 for job in self._failed}

    def add(self, success: Job) -> None:
        """Take a successful job; most are of no interest, and are not kept."""
        attempt = _attempt_of(success)
        if attempt in self._last_success:
            self._last_success[attempt] = max(success.id, self._last_success[attempt])

    @property
    def flaky_ids(self) -> set[int]:
        """The ids of the failed jobs with a later success."""
        # A retry has a higher id than the job that it repeats.
        return {job.id for job in self._failed if job.id < self._last_success[_attempt_of(job)]}

    @property
    def open_pipelines(self) -> list[int]:
        """The ids of the pipelines with failed jobs for which no later success is known."""
        flaky = self.flaky_ids
        return list(dict.fromkeys(job.pipeline.id for job in self._failed if job.id not in flaky))


def group_failures(
    project: ProjectId, failed: Sequence[Job], flaky: set[int]
) -> list[FailureGroup]:
    """Return *failed* grouped by name and reason, the largest group first."""
    groups: dict[tuple[str, str | None], list[Job]] = {}
    for job in sorted(failed, key=attrgetter("id"), reverse=True):
        groups.setdefault((job.name, job.failure_reason), []).append(job)
    return largest_first([_group(project, jobs, flaky) for jobs in groups.values()])


def largest_first(groups: Sequence[FailureGroup]) -> list[FailureGroup]:
    """Return *groups* by number of jobs, those of equal size by their newest job."""
    return sorted(groups, key=lambda group: (-group.count, -group.newest.id))


def _group(project: ProjectId, jobs: Sequence[Job], flaky: set[int]) -> FailureGroup:
    newest = jobs[0]
    return FailureGroup(
        project=project,
        name=newest.name,
        reason=newest.failure_reason,
        newest=newest,
        job_ids=tuple(job.id for job in jobs),
        flaky_ids=tuple(job.id for job in jobs if job.id in flaky),
        refs=tuple(dict.fromkeys(job.ref for job in jobs)),
    )


def _attempt_of(job: Job) -> tuple[int, str]:
    return job.pipeline.id, job.name
