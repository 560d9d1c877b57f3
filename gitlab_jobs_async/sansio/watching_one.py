"""One pipeline or one job being watched until it has ended; told by the ledger, as a project is."""

from collections import deque
from collections.abc import Sequence
from operator import attrgetter
from typing import Self

from attrs import define, field, frozen

from gitlab_jobs_async.errors import GitLabError
from gitlab_jobs_async.events import Event
from gitlab_jobs_async.models import Bridge, Job
from gitlab_jobs_async.sansio import endpoints
from gitlab_jobs_async.sansio.bridging import leads_nowhere_yet
from gitlab_jobs_async.sansio.inquiries import Answer, Inquiry, Lead, Subject
from gitlab_jobs_async.sansio.ledger import Ledger, Told
from gitlab_jobs_async.sansio.progress import Progress
from gitlab_jobs_async.sansio.reachability import Reachability, is_gone
from gitlab_jobs_async.sansio.timing import Timing
from gitlab_jobs_async.statuses import JobStatus
from gitlab_jobs_async.targets import JobTarget, PipelineTarget

_WAITS_FOR_SOMEBODY = frozenset({JobStatus.MANUAL, JobStatus.SCHEDULED})


@frozen
class OneState:
    """What was told of a pipeline or a job; a restart goes on from there."""

    jobs: tuple[Told, ...]
    unreachable_told: int = 0
    is_unreachable: bool = False
    is_over: bool = False
    is_known: bool = True


@define
class PipelineWatch:
    """A `Watch` of a pipeline's jobs, the retried ones too, and *downstream* its bridges.

    It is over when GitLab says so of the pipeline and its jobs have ended, too: either may come
    first. What waits for somebody does not keep it from being over; a bridge on its way does.
    """

    target: PipelineTarget
    downstream: bool
    ledger: Ledger
    reachability: Reachability
    is_known: bool = False
    is_over: bool = False
    timing: Timing = field(factory=Timing, init=False)
    _queue: deque[Inquiry] = field(factory=deque, init=False)
    _rows: dict[int, Job | Bridge] = field(factory=dict[int, Job | Bridge], init=False)
    _status: JobStatus | None = field(default=None, init=False)
    _led: set[int] = field(factory=set[int], init=False)
    _found: list[Lead] = field(factory=list[Lead], init=False)

    @classmethod
    def of(
        cls,
        target: PipelineTarget,
        state: OneState | None,
        now: float = 0.0,
        progress: Progress | None = None,
        *,
        downstream: bool,
    ) -> Self:
        """A watch that begins, or goes on from what was told, and on its schedule."""
        name = f"{target.project}/-/pipelines/{target.pipeline_id}"
        watch = cls(target, downstream, *_told(target.project, name, state))
        watch.timing = _timing(watch.reachability, progress, now)
        return watch

    @property
    def next_at(self) -> float:
        """When it wants to look again, in unix seconds."""
        return self.timing.next_at

    def state(self) -> OneState:
        """What a restart needs; of what is over, only that."""
        return _state_of(self)

    def progress(self) -> Progress:
        """How far the polls have come."""
        return self.timing.progress(self.reachability.failures)

    def hasten(self, now: float) -> None:
        """Look again at *now*, or as soon after the last look as it ever would."""
        self.timing.hasten(now)

    def found(self) -> list[Lead]:
        """What bridges have led to since this was last called, each once."""
        found, self._found = self._found, []
        return found

    def due(self, now: float) -> Inquiry | None:
        """What to ask now; the same until it is answered, `None` when the look is over."""
        if not self._queue:
            if self.is_over or now < self.next_at:
                return None
            self._rows.clear()
            self._status = None
            self._ask(Subject.PIPELINE_JOBS)
            if self.downstream:
                self._ask(Subject.BRIDGES)
        return self._queue[0]

    def observe(self, now: float, answer: Answer) -> Sequence[Event]:
        """What the look adds to what was told, once it is whole."""
        self._queue.popleft()
        self._rows |= {job.id: job for job in answer.jobs}
        for pipeline in (*(job.pipeline for job in answer.jobs), *answer.pipelines):
            self._status = self._status if pipeline is None else pipeline.status
        if not self._queue and self._status is None:
            self._ask(Subject.PIPELINE)
        if self._queue:
            return []
        return [*self.reachability.succeeded(), *self._looked(now)]

    def failed(self, now: float, error: GitLabError) -> Sequence[Event]:
        """The look has come to nothing."""
        self._queue.clear()
        return self.timing.failed(now, error, self.reachability)

    def _ask(self, about: Subject) -> None:
        project, pipeline_id = self.target.project, self.target.pipeline_id
        if about is Subject.PIPELINE:
            self._queue.append(Inquiry(about, endpoints.get_pipeline(project, pipeline_id)))
            return
        wanted = (
            endpoints.list_bridges(project, pipeline_id)
            if about is Subject.BRIDGES
            else endpoints.list_pipeline_jobs(project, pipeline_id, include_retried=True)
        )
        self._queue.append(Inquiry(about, wanted, pipeline_id, is_whole=True))

    def _looked(self, now: float) -> list[Event]:
        events: list[Event] = []
        for job in sorted(self._rows.values(), key=attrgetter("id")):
            events += self.ledger.tell(job, now, is_new=self.is_known)
        for told in self.ledger.open_jobs():
            if told.id not in self._rows and self.downstream >= told.is_bridge:
                events += self.ledger.deleted(told.id)
        if events:
            self.timing.active_at = now
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
        self.timing.looked(now, [now - told.since for told in open_jobs])
        return events

    def _follow(self, bridges: Sequence[Bridge]) -> None:
        for below in (bridge.downstream_pipeline for bridge in bridges):
            if below is not None and below.project_id and below.id not in self._led:
                self._led.add(below.id)
                target = PipelineTarget(below.project_id, below.id)
                self._found.append(Lead(target, is_new=self.is_known))


@define
class JobWatch:
    """A `Watch` of one job; over when that has ended. A retry is another job."""

    target: JobTarget
    ledger: Ledger
    reachability: Reachability
    is_known: bool = False
    is_over: bool = False
    timing: Timing = field(factory=Timing, init=False)
    _is_asking: bool = field(default=False, init=False)

    @classmethod
    def of(
        cls,
        target: JobTarget,
        state: OneState | None,
        now: float = 0.0,
        progress: Progress | None = None,
    ) -> Self:
        """A watch that begins, or goes on from what was told, and on its schedule."""
        name = f"{target.project}/-/jobs/{target.job_id}"
        watch = cls(target, *_told(target.project, name, state))
        watch.timing = _timing(watch.reachability, progress, now)
        return watch

    @property
    def next_at(self) -> float:
        """When it wants to look again, in unix seconds."""
        return self.timing.next_at

    def state(self) -> OneState:
        """What a restart needs; of what is over, only that."""
        return _state_of(self)

    def progress(self) -> Progress:
        """How far the polls have come."""
        return self.timing.progress(self.reachability.failures)

    def hasten(self, now: float) -> None:
        """Look again at *now*, or as soon after the last look as it ever would."""
        self.timing.hasten(now)

    def found(self) -> list[Lead]:
        """Nothing: a job leads nowhere."""
        return []

    def due(self, now: float) -> Inquiry | None:
        """What to ask now; `None` when the look is over."""
        if self.is_over or (not self._is_asking and now < self.next_at):
            return None
        self._is_asking = True
        wanted = endpoints.get_job(self.target.project, self.target.job_id)
        return Inquiry(Subject.JOB, wanted, self.target.job_id)

    def observe(self, now: float, answer: Answer) -> Sequence[Event]:
        """What the answer adds to what was told."""
        self._is_asking = False
        events: list[Event] = [*self.reachability.succeeded()]
        for job in answer.jobs:
            told = self.ledger.tell(job, now, is_new=self.is_known)
            if told:
                self.timing.active_at = now
            events += told
            self.is_over = job.status.is_finished
        self.is_known = True
        self.timing.looked(now, [now - told.since for told in self.ledger.open_jobs()])
        return events

    def failed(self, now: float, error: GitLabError) -> Sequence[Event]:
        """The look has come to nothing; a job that was seen and is there no more was deleted."""
        self._is_asking = False
        if is_gone(error) and self.target.job_id in self.ledger:
            self.is_over = True
            return self.ledger.deleted(self.target.job_id)
        return self.timing.failed(now, error, self.reachability)


def _told(
    project: int | str, name: str, state: OneState | None
) -> tuple[Ledger, Reachability, bool, bool]:
    """What was told, whether the target can be reached, is known, and is over."""
    if state is None:
        return Ledger(project), Reachability(project, name), False, False
    ledger = Ledger(project, {told.id: told for told in state.jobs})
    reachability = Reachability(project, name, state.unreachable_told, state.is_unreachable)
    return ledger, reachability, state.is_known, state.is_over


def _timing(reachability: Reachability, progress: Progress | None, now: float) -> Timing:
    """The schedule, and after how many failures."""
    if progress is not None:
        reachability.failures = progress.failures
    return Timing.restored(progress, now)


def _state_of(watch: PipelineWatch | JobWatch) -> OneState:
    jobs = () if watch.is_over else tuple(watch.ledger.jobs.values())
    trouble = watch.reachability
    return OneState(jobs, trouble.told, trouble.is_unreachable, watch.is_over, watch.is_known)
