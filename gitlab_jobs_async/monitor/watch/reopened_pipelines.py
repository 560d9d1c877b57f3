"""Pipelines whose skipped jobs GitLab may reopen, below any scan of the newest jobs.

GitLab does so when an earlier job is retried, which creates a new one, or is played:
https://gitlab.com/gitlab-org/gitlab/-/blob/master/app/services/ci/retry_job_service.rb
"""

from collections.abc import Iterable
from typing import Self, TypeGuard

from attrs import define, field

from gitlab_jobs_async.events import AnyEvent, AnyJobEvent, JobAppeared, JobChanged, JobFinished
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.models.values import UNKNOWN_TIME
from gitlab_jobs_async.monitor.watch.tracked_job import pipeline_id_of

_LATE = 30.0
"""Seconds after its pipeline's creation from which a job counts as added later."""

# GitLab reopens jobs in the background, shortly after the retry: one poll may be early.
_POLLS = 2
_WAITING = frozenset({JobStatus.MANUAL, JobStatus.SKIPPED})


@define
class ReopenedPipelines:
    """Pipelines to request, each in two polls."""

    _left: dict[int, int] = field(factory=dict[int, int], init=False)

    @classmethod
    def restored(cls, pipelines: Iterable[int], polled_once: Iterable[int] = ()) -> Self:
        """Continue with an earlier monitor's pipelines."""
        reopened = cls()
        reopened._left.update(dict.fromkeys(pipelines, _POLLS))
        reopened._left.update(dict.fromkeys(polled_once, _POLLS - 1))
        return reopened

    def pipelines(self) -> list[int]:
        """Return the ids of all pipelines."""
        return list(self._left)

    def polled_once(self) -> list[int]:
        """Return the ids of the pipelines with one poll left."""
        return [pipeline_id for pipeline_id, left in self._left.items() if left < _POLLS]

    def on_events(self, events: Iterable[AnyEvent]) -> None:
        """Add the pipelines that *events* may reopen."""
        for event in events:
            if may_reopen(event) and pipeline_id_of(event.job):
                self._left[pipeline_id_of(event.job)] = _POLLS

    def polled(self, pipeline_id: int) -> None:
        """Count a response for a pipeline, or a refusal."""
        left = self._left.pop(pipeline_id, 1) - 1
        if left:
            self._left[pipeline_id] = left


def may_reopen(event: AnyEvent) -> TypeGuard[AnyJobEvent]:
    """Return whether GitLab may have reopened skipped jobs of the event's pipeline."""
    if isinstance(event, JobChanged | JobFinished):
        # A job was played or reopened: the skipped jobs after it may be next.
        return event.previous in _WAITING
    if not isinstance(event, JobAppeared) or not event.is_new:
        return False
    pipeline, created = event.job.pipeline, event.job.created_at
    if UNKNOWN_TIME in {pipeline.created_at, created}:
        return event.replaces is not None
    # A late job may be the retry of one that was never tracked.
    is_late = (created - pipeline.created_at).total_seconds() > _LATE
    return event.replaces is not None or is_late
