"""Parts that watches share: schedule and progress, and the state of a watched job or pipeline."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Self

from attrs import define, field, frozen

from gitlab_jobs_async.api.parameters import ProjectId
from gitlab_jobs_async.errors import GitLabError
from gitlab_jobs_async.events import AnyEvent
from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.monitor.checkpoint.progress import Progress
from gitlab_jobs_async.monitor.checkpoint.serialization import stored_as
from gitlab_jobs_async.monitor.schedule.availability import TargetAvailability
from gitlab_jobs_async.monitor.schedule.timer import PollTimer
from gitlab_jobs_async.monitor.watch.id_history import IdHistory
from gitlab_jobs_async.monitor.watch.job_tracker import JobTracker
from gitlab_jobs_async.monitor.watch.queries import DownstreamPipeline, Query, QueryResult
from gitlab_jobs_async.monitor.watch.server_resets import (
    next_epoch,
    reset_event,
    reset_shown_by,
    separate_keys,
)
from gitlab_jobs_async.monitor.watch.tracked_job import TrackedJob
from gitlab_jobs_async.monitor.watch.tracked_jobs import TrackedJobs


@define
class Watch(ABC):
    """One watched target: it issues one query at a time, and several in one poll.

    It is over once no further event can follow.
    """

    availability: TargetAvailability
    timer: PollTimer
    is_over: bool = field(default=False, kw_only=True)

    @property
    def next_at(self) -> float:
        """Unix time of the next poll."""
        return self.timer.next_at

    @property
    @abstractmethod
    def is_known(self) -> bool:
        """Whether the baseline is complete, so that further jobs are new."""

    @abstractmethod
    def next_query(self, now: float) -> Query | None:
        """Return the query to send, the same until it is answered; `None` between polls."""

    @abstractmethod
    def on_result(self, now: float, result: QueryResult) -> Sequence[AnyEvent]:
        """Take the result of the pending query, and return the events that follow from it."""

    @abstractmethod
    def on_error(self, now: float, error: GitLabError) -> Sequence[AnyEvent]:
        """Take the error of the pending query; this poll or a later one retries it."""

    @abstractmethod
    def state(self) -> object:
        """Return the state to resume from, for the checkpoint."""

    def poll_now(self, now: float) -> None:
        """Schedule the next poll at *now*, or as soon as the minimum interval allows."""
        self.timer.poll_now(now)

    def take_discovered(self) -> list[DownstreamPipeline]:
        """Return and clear the downstream pipelines discovered since the last call."""
        return []

    def progress(self) -> Progress:
        """Return the poll progress, which changes without any event."""
        return self.timer.progress(self.availability.failures)


@frozen
class TargetState:
    """State of a pipeline or job to resume from.

    After a reset, *previous* are the jobs from before until the new ones are known. A pipeline was
    *created* at that unix second, 0 if unknown.
    """

    jobs: tuple[TrackedJob, ...]
    availability_events: int = field(default=0, metadata=stored_as("unreachable_told"))
    is_unreachable: bool = False
    is_over: bool = False
    is_known: bool = True
    epoch: int = 0
    previous: tuple[TrackedJob, ...] | None = field(default=None, metadata=stored_as("before"))
    created: int = 0


@define
class SingleWatch(Watch):
    """The watch of one pipeline or job, by its id, until it has finished."""

    project: ProjectId
    subject_id: int
    tracker: JobTracker
    history: IdHistory
    is_known: bool = False
    previous: TrackedJobs | None = field(default=None, kw_only=True)

    @classmethod
    def restored(
        cls,
        project: ProjectId,
        subject_id: int,
        name: str,
        state: TargetState | None,
        progress: Progress | None,
        history: IdHistory | None,
        now: float,
    ) -> Self:
        """Return a watch that begins, or resumes at *now* from a checkpoint."""
        known = TargetState((), is_known=False) if state is None else state
        availability = TargetAvailability(
            project,
            name,
            known.availability_events,
            known.is_unreachable,
            0 if progress is None else progress.failures,
        )
        return cls(
            availability,
            PollTimer.restored(progress, now),
            project,
            subject_id,
            JobTracker(project, TrackedJobs.of(known.jobs), known.epoch),
            history or IdHistory(),
            known.is_known,
            previous=None if known.previous is None else TrackedJobs.of(known.previous),
            is_over=known.is_over,
        )

    @property
    def has_ended(self) -> bool:
        """Whether nothing can follow."""
        return self.is_over

    def state(self) -> TargetState:
        """Return the state to resume from; without jobs if the target has finished."""
        availability, tracker = self.availability, self.tracker
        return TargetState(
            # A finished target emits nothing more; its jobs would only fill the checkpoint.
            () if self.has_ended else tuple(tracker.jobs.values()),
            availability.emitted,
            availability.is_unreachable,
            self.has_ended,
            self.is_known,
            tracker.epoch,
            None if self.previous is None else tuple(self.previous.values()),
        )

    def fix_interval(self, seconds: float) -> None:
        """Poll each *seconds* while the budget has room, since its end is waited for."""
        self.timer.fix_interval(seconds)

    def _check_reset(self, rows: Sequence[Job | Bridge], now: float) -> tuple[int, str] | None:
        """Return the job that only a reset explains, and the reason, or `None`."""
        if self.is_known:
            return reset_shown_by(rows, self.tracker, self.history, now)
        # Without tracked jobs no row is a contradiction, but another target may know its id.
        separate_keys(self.tracker, self.history, rows, now)
        return None

    def _reset(self, now: float, job_id: int, reason: str) -> AnyEvent:
        """Drop the tracked jobs, so that the next poll reads a new baseline."""
        old = self.tracker
        epoch = next_epoch(now, old.epoch)
        self.history.close(job_id or max(old.jobs, default=0), epoch)
        # After a second reset, the jobs from before the first are the ones to compare with.
        previous, self.previous = self.previous, old.jobs
        self.previous.update(() if previous is None else previous.values())
        self.tracker = JobTracker(old.project, epoch=epoch)
        return reset_event(old.project, self.availability, epoch, reason)
