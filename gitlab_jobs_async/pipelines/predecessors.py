"""Find what an attempt of a job waited for: its last attempt, needs, or all earlier stages."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from math import inf
from typing import Final

from attrs import field, frozen

from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.pipelines.attempt_times import AttemptTimes
from gitlab_jobs_async.pipelines.needs import JobNeeds, Needs

CLOCK_TOLERANCE: Final = 1.0
"""Seconds by which the clocks of GitLab's machines may differ."""


@frozen(eq=False, repr=False)
class Attempt:
    """An attempt of a job with its times, and the attempt that it repeats."""

    job: Job | Bridge
    times: AttemptTimes
    previous: "Attempt | None" = None


def link_attempts(times: Sequence[tuple[Job | Bridge, AttemptTimes]]) -> list[Attempt]:
    """Return attempts, each with the one before; they are given in the order of their ids."""
    last: dict[str, Attempt] = {}
    found = []
    for job, its_times in times:
        attempt = Attempt(job, its_times, last.get(job.name))
        last[job.name] = attempt
        found.append(attempt)
    return found


@frozen(eq=False, repr=False)
class _Ended:
    """Attempts by the time of their end, and whether some have not ended."""

    attempts: Sequence[Attempt]
    ends: Sequence[float]
    has_open: bool

    @classmethod
    def of(cls, attempts: Iterable[Attempt]) -> "_Ended":
        """Sort *attempts*."""
        every = list(attempts)
        ended = [one for one in every if not one.times.is_open]
        ended.sort(key=lambda one: (one.times.ended, one.job.id))
        is_open = any(one.times.is_open and not _is_optional(one) for one in every)
        return cls(ended, [one.times.ended for one in ended], is_open)

    def last_before(self, at: float) -> Attempt | None:
        """Return the one that ended last before *at*."""
        index = bisect_right(self.ends, at + CLOCK_TOLERANCE)
        return self.attempts[index - 1] if index else None


def _is_optional(one: Attempt) -> bool:
    # Later stages do not wait for a manual job that may fail.
    return one.job.allow_failure and one.job.status == JobStatus.MANUAL


@frozen(eq=False, repr=False)
class Predecessors:
    """Finds what each attempt of a pipeline waited for."""

    _needs: Needs
    _by_name: Mapping[str, Sequence[Attempt]]
    _before_stage: Mapping[str, _Ended]
    _of_needs: dict[tuple[str, ...], _Ended] = field(factory=dict[tuple[str, ...], _Ended])

    @classmethod
    def of(cls, attempts: Sequence[Attempt], needs: Needs) -> "Predecessors":
        """Index the *attempts*, which are in the order of their ids.

        GitLab creates jobs stage by stage, so that the first ids show the order of the stages.
        """
        by_name: dict[str, list[Attempt]] = {}
        by_stage: dict[str, list[Attempt]] = {}
        for one in attempts:
            by_name.setdefault(one.job.name, []).append(one)
            by_stage.setdefault(one.job.stage, []).append(one)
        before: dict[str, _Ended] = {}
        earlier: list[Attempt] = []
        for stage, jobs in by_stage.items():
            before[stage] = _Ended.of(earlier)
            earlier += jobs
        return cls(needs, by_name, before)

    def find(self, one: Attempt) -> Attempt | None:
        """Return the attempt that ended last before this one could start; None without any."""
        if one.previous is not None:
            return one.previous
        return self._awaited(one).last_before(one.times.queued)

    def ready_at(self, one: Attempt) -> float:
        """Return when all that it waits for had ended, in unix seconds; infinity if it has not."""
        if one.previous is not None:
            return -inf
        awaited = self._awaited(one)
        if awaited.has_open and one.job.status == JobStatus.CREATED:
            return inf
        last = awaited.last_before(one.times.queued)
        return -inf if last is None else last.times.ended

    def _awaited(self, one: Attempt) -> _Ended:
        names = self._needs.get(one.job.name, JobNeeds()).names
        if names is None:
            return self._before_stage[one.job.stage]
        if names not in self._of_needs:
            needed = (attempt for name in names for attempt in self._by_name.get(name, ()))
            self._of_needs[names] = _Ended.of(needed)
        return self._of_needs[names]
