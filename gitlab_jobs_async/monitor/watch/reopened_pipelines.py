"""Pipelines whose skipped jobs may have been taken up again, deeper than any look goes back.

GitLab does so when a job before them is retried, which makes a new one, or played
(app/services/ci/retry_job_service.rb): the jobs of such a pipeline are asked for.
"""

from collections.abc import Iterable
from typing import Self, TypeGuard

from attrs import define, field

from gitlab_jobs_async.events import Event, JobAppeared, JobChanged, JobFinished
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.monitor.watch.job_tracker import pipeline_of

_LATE = 30.0
"""Seconds after its pipeline's beginning when a job is one that was added to it."""

_TIMES = 2
_WAITED = frozenset({JobStatus.MANUAL, JobStatus.SKIPPED})


@define
class ReopenedPipelines:
    """The pipelines to ask for: twice each, in two looks, as it shows just after the retry."""

    _left: dict[int, int] = field(factory=dict[int, int], init=False)

    @classmethod
    def of(cls, pipelines: Iterable[int], asked_once: Iterable[int] = ()) -> Self:
        """Those that an earlier monitor had yet to ask for, or had *asked_once*."""
        revivals = cls()
        revivals._left.update(dict.fromkeys(pipelines, _TIMES))
        revivals._left.update(dict.fromkeys(asked_once, _TIMES - 1))
        return revivals

    def asked_once(self) -> list[int]:
        """Return those for which one answer is still to come."""
        return [pipeline_id for pipeline_id, left in self._left.items() if left < _TIMES]

    def note(self, events: Iterable[Event]) -> None:
        """These were told."""
        for event in events:
            if may_revive(event) and pipeline_of(event.job):
                self._left[pipeline_of(event.job)] = _TIMES

    def pipelines(self) -> list[int]:
        """Their ids."""
        return list(self._left)

    def asked(self, pipeline_id: int) -> None:
        """There was an answer for this one, or a refusal."""
        left = self._left.pop(pipeline_id, 1) - 1
        if left:
            self._left[pipeline_id] = left


def may_revive(event: Event) -> TypeGuard[JobAppeared | JobChanged | JobFinished]:
    """Whether what this tells may have had skipped jobs of the pipeline taken up again."""
    if isinstance(event, JobChanged | JobFinished):
        return event.previous in _WAITED
    if not isinstance(event, JobAppeared) or not event.is_new:
        return False
    pipeline, created = event.job.pipeline, event.job.created_at
    if pipeline is None or pipeline.created_at is None or created is None:
        return event.replaces is not None
    is_late = (created - pipeline.created_at).total_seconds() > _LATE
    return event.replaces is not None or is_late
