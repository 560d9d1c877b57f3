"""One pipeline or one job being watched until it has ended; told by the ledger, as a project is."""

from collections import deque
from collections.abc import Sequence
from operator import attrgetter
from typing import Self

from attrs import define, field, frozen

from gitlab_jobs_async.api import endpoints
from gitlab_jobs_async.errors import GitLabError
from gitlab_jobs_async.events import Event
from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.monitor.checkpoint.progress import Progress
from gitlab_jobs_async.monitor.schedule.availability import TargetAvailability, is_gone
from gitlab_jobs_async.monitor.schedule.timer import PollTimer
from gitlab_jobs_async.monitor.targets import JobTarget, PipelineTarget
from gitlab_jobs_async.monitor.watch.downstream import leads_nowhere_yet
from gitlab_jobs_async.monitor.watch.id_history import IdHistory, created
from gitlab_jobs_async.monitor.watch.job_tracker import JobTracker, TrackedJob
from gitlab_jobs_async.monitor.watch.queries import (
    DownstreamPipeline,
    Query,
    QueryKind,
    QueryResult,
)
from gitlab_jobs_async.monitor.watch.server_resets import (
    epoch_of,
    reset_event,
    reset_shown_by,
    tell_anew,
)

_WAITS_FOR_SOMEBODY = frozenset({JobStatus.MANUAL, JobStatus.SCHEDULED})


@frozen
class TargetState:
    """What was told of a pipeline or a job; a restart goes on from there.

    After a reset *before* is what was told before it, until what is there is known; the pipeline
    was *created* at that unix second, 0 where that is not known.
    """

    jobs: tuple[TrackedJob, ...]
    unreachable_told: int = 0
    is_unreachable: bool = False
    is_over: bool = False
    is_known: bool = True
    epoch: int = 0
    before: tuple[TrackedJob, ...] | None = None
    created: int = 0


@define
class PipelineWatch:
    """A `Watch` of a pipeline's jobs, the retried ones too, and *downstream* its bridges.

    It is over when GitLab says so of the pipeline and its jobs have ended, too: either may come
    first. What waits for somebody does not keep it from being over; a bridge on its way does.
    """

    target: PipelineTarget
    downstream: bool
    ledger: JobTracker
    availability: TargetAvailability
    is_known: bool = False
    is_over: bool = False
    history: IdHistory = field(factory=IdHistory, init=False)
    before: dict[int, TrackedJob] | None = field(default=None, init=False)
    created: int = field(default=0, init=False)
    timer: PollTimer = field(factory=PollTimer, init=False)
    _queue: deque[Query] = field(factory=deque, init=False)
    _rows: dict[int, Job | Bridge] = field(factory=dict[int, Job | Bridge], init=False)
    _status: JobStatus | None = field(default=None, init=False)
    _led: set[int] = field(factory=set[int], init=False)
    _found: list[DownstreamPipeline] = field(factory=list[DownstreamPipeline], init=False)

    @classmethod
    def of(
        cls,
        target: PipelineTarget,
        state: TargetState | None,
        now: float = 0.0,
        progress: Progress | None = None,
        history: IdHistory | None = None,
        *,
        downstream: bool,
    ) -> Self:
        """A watch that begins, or goes on from what was told, and on its schedule."""
        name = f"{target.project}/-/pipelines/{target.pipeline_id}"
        watch = cls(target, downstream, *_told(target.project, name, state))
        watch.timer = _timing(watch.availability, progress, now)
        watch.history = history or watch.history
        if state is not None:
            watch.before = None if state.before is None else {t.id: t for t in state.before}
            watch.created = state.created
        return watch

    @property
    def next_at(self) -> float:
        """When it wants to look again, in unix seconds."""
        return self.timer.next_at

    def state(self) -> TargetState:
        """What a restart needs; of what is over, only that."""
        return _state_of(self)

    def progress(self) -> Progress:
        """How far the polls have come."""
        return self.timer.progress(self.availability.failures)

    def poll_now(self, now: float) -> None:
        """Look again at *now*, or as soon after the last look as it ever would."""
        self.timer.poll_now(now)

    def take_discovered(self) -> list[DownstreamPipeline]:
        """What bridges have led to since this was last called, each once."""
        found, self._found = self._found, []
        return found

    def next_query(self, now: float) -> Query | None:
        """What to ask now; the same until it is answered, `None` when the look is over."""
        if not self._queue:
            if self.is_over or now < self.next_at:
                return None
            self._rows.clear()
            self._status = None
            self._ask(QueryKind.PIPELINE_JOBS)
            if self.downstream:
                self._ask(QueryKind.BRIDGES)
        return self._queue[0]

    def on_result(self, now: float, result: QueryResult) -> Sequence[Event]:
        """What the look adds to what was told, once it is whole."""
        self._queue.popleft()
        if reset := self._shows_reset(now, result):
            return [*self.availability.on_success(), self._begin_anew(now, *reset)]
        self.history.learn(result.jobs, now)
        self._rows |= {job.id: job for job in result.jobs}
        for pipeline in (*(job.pipeline for job in result.jobs), *result.pipelines):
            self._status = self._status if pipeline is None else pipeline.status
        if not self._queue and self._status is None:
            self._ask(QueryKind.PIPELINE)
        if self._queue:
            return []
        return [*self.availability.on_success(), *self._looked(now)]

    def _shows_reset(self, now: float, result: QueryResult) -> tuple[int, str] | None:
        """Whether this is another pipeline than before, or has another past."""
        if not self.is_known:
            _label(self.ledger, self.history, result, now)
        for pipeline in (*(job.pipeline for job in result.jobs), *result.pipelines):
            at = None if pipeline is None else pipeline.created_at
            if at is None or (pipeline and pipeline.id != self.target.pipeline_id):
                continue
            created = int(at.timestamp())
            if self.is_known and self.created and abs(created - self.created) > 1:
                return 0, f"pipeline {self.target.pipeline_id} is another pipeline than before"
            self.created = created
        if not self.is_known:
            return None
        return reset_shown_by(result.jobs, self.ledger, self.history, now)

    def _begin_anew(self, now: float, job_id: int, reason: str) -> Event:
        epoch = epoch_of(now, self.ledger.epoch)
        self.history.close(job_id or max(self.ledger.jobs, default=0), epoch)
        self.before = self.ledger.jobs | (self.before or {})
        self.ledger = JobTracker(self.target.project, epoch=epoch)
        self.is_known, self.created = False, 0
        self._queue.clear()
        self._led.clear()
        return reset_event(self.target.project, self.availability, epoch, reason)

    def on_error(self, now: float, error: GitLabError) -> Sequence[Event]:
        """The look has come to nothing."""
        self._queue.clear()
        return self.timer.on_error(now, error, self.availability)

    def _ask(self, about: QueryKind) -> None:
        project, pipeline_id = self.target.project, self.target.pipeline_id
        if about is QueryKind.PIPELINE:
            self._queue.append(Query(about, endpoints.get_pipeline(project, pipeline_id)))
            return
        wanted = (
            endpoints.list_bridges(project, pipeline_id)
            if about is QueryKind.BRIDGES
            else endpoints.list_pipeline_jobs(project, pipeline_id, include_retried=True)
        )
        self._queue.append(Query(about, wanted, pipeline_id, all_pages=True))

    def _looked(self, now: float) -> list[Event]:
        events: list[Event] = []
        newest = max((told.times >> 32 for told in (self.before or {}).values()), default=0)
        for job in sorted(self._rows.values(), key=attrgetter("id")):
            if self.before is None:
                events += self.ledger.tell(job, now, is_new=self.is_known)
            else:
                is_news = job.id not in self.before and created(job) > newest
                events += tell_anew(self.ledger, self.before, job, now, is_news=is_news)
        self.before = None
        for told in self.ledger.open_jobs():
            if told.id not in self._rows and self.downstream >= told.is_bridge:
                events += self.ledger.deleted(told.id)
        if events:
            self.timer.active_at = now
        bridges = [job for job in self._rows.values() if isinstance(job, Bridge)]
        self._follow(bridges)
        open_jobs = [t for t in self.ledger.open_jobs() if self.downstream >= t.is_bridge]
        self.is_known = True
        self.is_over = (
            self._status is not None
            and self._status.is_finished
            and all(told.status in _WAITS_FOR_SOMEBODY for told in open_jobs)
            and not any(
                leads_nowhere_yet(bridge) and bridge.status not in _WAITS_FOR_SOMEBODY
                for bridge in bridges
            )
        )
        self.timer.on_success(now, [now - told.since for told in open_jobs])
        return events

    def _follow(self, bridges: Sequence[Bridge]) -> None:
        for below in (bridge.downstream_pipeline for bridge in bridges):
            if below is not None and below.project_id and below.id not in self._led:
                self._led.add(below.id)
                target = PipelineTarget(below.project_id, below.id)
                self._found.append(DownstreamPipeline(target, self.is_known, self.ledger.epoch))


@define
class JobWatch:
    """A `Watch` of one job; over when that has ended. A retry is another job."""

    target: JobTarget
    ledger: JobTracker
    availability: TargetAvailability
    is_known: bool = False
    is_over: bool = False
    history: IdHistory = field(factory=IdHistory, init=False)
    timer: PollTimer = field(factory=PollTimer, init=False)
    _is_asking: bool = field(default=False, init=False)

    @classmethod
    def of(
        cls,
        target: JobTarget,
        state: TargetState | None,
        now: float = 0.0,
        progress: Progress | None = None,
        history: IdHistory | None = None,
    ) -> Self:
        """A watch that begins, or goes on from what was told, and on its schedule."""
        name = f"{target.project}/-/jobs/{target.job_id}"
        watch = cls(target, *_told(target.project, name, state))
        watch.timer = _timing(watch.availability, progress, now)
        watch.history = history or watch.history
        return watch

    @property
    def next_at(self) -> float:
        """When it wants to look again, in unix seconds."""
        return self.timer.next_at

    def state(self) -> TargetState:
        """What a restart needs; of what is over, only that."""
        return _state_of(self)

    def progress(self) -> Progress:
        """How far the polls have come."""
        return self.timer.progress(self.availability.failures)

    def poll_now(self, now: float) -> None:
        """Look again at *now*, or as soon after the last look as it ever would."""
        self.timer.poll_now(now)

    def take_discovered(self) -> list[DownstreamPipeline]:
        """Nothing: a job leads nowhere."""
        return []

    def next_query(self, now: float) -> Query | None:
        """What to ask now; `None` when the look is over."""
        if self.is_over or (not self._is_asking and now < self.next_at):
            return None
        self._is_asking = True
        wanted = endpoints.get_job(self.target.project, self.target.job_id)
        return Query(QueryKind.JOB, wanted, self.target.job_id)

    def on_result(self, now: float, result: QueryResult) -> Sequence[Event]:
        """What the answer adds to what was told."""
        self._is_asking = False
        events: list[Event] = [*self.availability.on_success()]
        before: dict[int, TrackedJob] | None = None
        if not self.is_known:
            _label(self.ledger, self.history, result, now)
        elif reset := reset_shown_by(result.jobs, self.ledger, self.history, now):
            epoch, before = epoch_of(now, self.ledger.epoch), self.ledger.jobs
            self.history.close(reset[0], epoch)
            self.ledger = JobTracker(self.target.project, epoch=epoch)
            events.append(reset_event(self.target.project, self.availability, epoch, reset[1]))
        self.history.learn(result.jobs, now)
        for job in result.jobs:
            if before is None:
                told = self.ledger.tell(job, now, is_new=self.is_known)
            else:
                told = tell_anew(self.ledger, before, job, now, is_news=False)
            if told:
                self.timer.active_at = now
            events += told
            self.is_over = job.status.is_finished
        self.is_known = True
        self.timer.on_success(now, [now - told.since for told in self.ledger.open_jobs()])
        return events

    def on_error(self, now: float, error: GitLabError) -> Sequence[Event]:
        """The look has come to nothing; a job that was seen and is there no more was deleted."""
        self._is_asking = False
        if is_gone(error) and self.target.job_id in self.ledger:
            self.is_over = True
            return self.ledger.deleted(self.target.job_id)
        return self.timer.on_error(now, error, self.availability)


def _told(
    project: int | str, name: str, state: TargetState | None
) -> tuple[JobTracker, TargetAvailability, bool, bool]:
    """What was told, whether the target can be reached, is known, and is over."""
    if state is None:
        return JobTracker(project), TargetAvailability(project, name), False, False
    ledger = JobTracker(project, {told.id: told for told in state.jobs}, state.epoch)
    availability = TargetAvailability(project, name, state.unreachable_told, state.is_unreachable)
    return ledger, availability, state.is_known, state.is_over


def _timing(availability: TargetAvailability, progress: Progress | None, now: float) -> PollTimer:
    """The schedule, and after how many failures."""
    if progress is not None:
        availability.failures = progress.failures
    return PollTimer.restored(progress, now)


def _state_of(watch: PipelineWatch | JobWatch) -> TargetState:
    jobs = () if watch.is_over else tuple(watch.ledger.jobs.values())
    trouble = watch.availability
    before = watch.before if isinstance(watch, PipelineWatch) else None
    return TargetState(
        jobs,
        trouble.emitted,
        trouble.is_unreachable,
        watch.is_over,
        watch.is_known,
        watch.ledger.epoch,
        None if before is None else tuple(before.values()),
        watch.created if isinstance(watch, PipelineWatch) else 0,
    )


def _label(ledger: JobTracker, history: IdHistory, result: QueryResult, now: float) -> None:
    """Set the keys apart where another target has told another job under an id that is here."""
    if not ledger.jobs and any(history.is_given_again(j, ledger.epoch) for j in result.jobs):
        ledger.epoch = epoch_of(now, ledger.epoch)
