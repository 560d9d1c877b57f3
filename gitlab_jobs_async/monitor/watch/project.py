"""Two looks at a project -> what happened between them, however its jobs moved meanwhile.

A look asks for the newest jobs, in a page as small as it can be, and reaches back page by page to
the oldest job that is still open and to what may have shown up late (see reach.py). What stays open
for long is left to sweeps (parking.py), what a retry may have taken up again is asked for by its
pipeline. Whatever comes is compared with what was told (ledger.py), so that looks may come at any
time and in any number.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Self

from attrs import define, field

from gitlab_jobs_async.api import endpoints
from gitlab_jobs_async.api.parameters import ProjectId
from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.errors import (
    BadRequestError,
    GitLabError,
    MethodNotAllowedError,
    NotFoundError,
    PermissionDeniedError,
)
from gitlab_jobs_async.events import Event
from gitlab_jobs_async.listing.offset import without_keyset
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.monitor.checkpoint.progress import Progress
from gitlab_jobs_async.monitor.schedule.availability import TargetAvailability, is_gone
from gitlab_jobs_async.monitor.schedule.timer import PollTimer
from gitlab_jobs_async.monitor.watch.dormant_jobs import OPEN, OPEN_BEFORE_17
from gitlab_jobs_async.monitor.watch.id_history import IdHistory
from gitlab_jobs_async.monitor.watch.project_state import KnownJobs, ProjectState
from gitlab_jobs_async.monitor.watch.queries import (
    DownstreamPipeline,
    Query,
    QueryKind,
    QueryResult,
    with_page_size,
)
from gitlab_jobs_async.monitor.watch.scans import MOST_SWEPT, NewestScan, OpenJobsScan
from gitlab_jobs_async.monitor.watch.server_resets import epoch_of, reset_event
from gitlab_jobs_async.monitor.watch.watermark import PAGE

_FEW = 2
_MOST_ALONE = 20
_MOST_NEWS = 50
"""Pages that are read after a reset to find what is new."""

_DISPENSABLE = frozenset({QueryKind.PIPELINE_JOBS, QueryKind.PIPELINES, QueryKind.BRIDGES})
_REFUSED = (NotFoundError, PermissionDeniedError, MethodNotAllowedError)


@define
class ProjectWatch:
    """One project being watched: see `Watch`."""

    known: KnownJobs
    availability: TargetAvailability
    timer: PollTimer = field(factory=PollTimer, init=False)
    is_over: bool = field(default=False, init=False)
    _queue: deque[Query] = field(factory=deque, init=False)
    _look: NewestScan | None = field(default=None, init=False)
    _sweep: OpenJobsScan | None = field(default=None, init=False)
    _has_keyset: bool = field(default=True, init=False)
    _scope: tuple[JobStatus, ...] = field(default=OPEN, init=False)
    _troubled: QueryKind | None = field(default=None, init=False)

    @classmethod
    def of(
        cls,
        project: ProjectId,
        state: ProjectState | None = None,
        now: float = 0.0,
        progress: Progress | None = None,
        history: IdHistory | None = None,
        *,
        downstream: bool = False,
    ) -> Self:
        """A watch that begins, or at *now* goes on from what was told, and on its schedule."""
        name = str(project)
        if state is None:
            known = KnownJobs.of(project, history, downstream=downstream)
            return cls(known, TargetAvailability(project, name))
        known = KnownJobs.restored(
            project, state, now, downstream=downstream, progress=progress, history=history
        )
        told, is_unreachable = state.unreachable_told, state.is_unreachable
        failures = 0 if progress is None else progress.failures
        watch = cls(known, TargetAvailability(project, name, told, is_unreachable, failures))
        watch.timer = PollTimer.restored(progress, now)
        watch._troubled = QueryKind.NEWEST if is_unreachable else None
        return watch

    @property
    def next_at(self) -> float:
        """When it wants to look again, in unix seconds."""
        return self.timer.next_at

    @property
    def numeric_id(self) -> int | None:
        """Numeric id of the project, once a job has shown it."""
        return self.known.number

    @property
    def is_known(self) -> bool:
        """Whether what was there at the beginning is known."""
        return self.known.reach.floor is not None

    def state(self) -> ProjectState:
        """What a restart needs."""
        return self.known.state(self.availability)

    def progress(self) -> Progress:
        """How far the scans have come."""
        return self.known.progress(self.timer, self.availability.failures)

    def poll_now(self, now: float) -> None:
        """Look again at *now*, or as soon after the last look as it ever would."""
        self.timer.poll_now(now)

    def take_discovered(self) -> list[DownstreamPipeline]:
        """What bridges have led to since this was last called, each once."""
        return [] if self.known.bridging is None else self.known.bridging.take_discovered()

    def next_query(self, now: float) -> Query | None:
        """What to ask now; the same until it is answered, `None` when the look is over."""
        if not self._queue:
            if now < self.next_at:
                return None
            self._begin(now)
        return self._queue[0]

    def on_result(self, now: float, result: QueryResult) -> Sequence[Event]:
        """What the answer adds to what was told."""
        query = self._queue.popleft()
        events: list[Event] = []
        if query.kind is self._troubled:
            events += self._recovered()
        if reset := self.known.shows_reset(result.jobs, now):
            return [*events, self._begin_anew(now, *reset)]
        self.known.learn(result.jobs, now)
        match query.kind:
            case QueryKind.NEWEST:
                events += self._take_newest(now, result)
            case QueryKind.OPEN_JOBS:
                events += self._take_sweep(now, result)
            case QueryKind.PIPELINES if self.known.bridging is not None:
                self.known.bridging.take_pipelines(result.pipelines)
            case QueryKind.BRIDGES if self.known.bridging is not None:
                bridges = result.bridges
                self.known.bridging.take_bridges(
                    query.subject_id,
                    bridges,
                    self.known.number,
                    now,
                    lambda bridge_id: self.known.is_new_bridge(bridge_id, bridges),
                    self.known.ledger.epoch,
                )
                events += self.known.tell(bridges, now, newest_known=self.known.began)
                events += self.known.gone(query.subject_id, bridges)
            case _:
                if query.kind is QueryKind.PIPELINE_JOBS:
                    self.known.revivals.asked(query.subject_id)
                events += self.known.tell(result.jobs, now)
        return [*events, *self._end(now)]

    def _begin_anew(self, now: float, job_id: int, reason: str) -> Event:
        """Forget what was told: the server was restored. The same look begins with a baseline."""
        epoch = epoch_of(now, self.known.ledger.epoch)
        self.known.history.close(job_id, epoch)
        self.known = self.known.anew(epoch)
        self._queue.clear()
        self._look = self._sweep = None
        return reset_event(self.known.project, self.availability, epoch, reason)

    def _recovered(self) -> Sequence[Event]:
        self._troubled = None
        return self.availability.on_success()

    def on_error(self, now: float, error: GitLabError) -> Sequence[Event]:
        """The query failed; what a project can do without is left out, else the look ends."""
        query = self._queue.popleft()
        if query.kind is QueryKind.JOB and is_gone(error):
            return [*self.known.ledger.deleted(query.subject_id), *self._end(now)]
        if query.kind in _DISPENSABLE and isinstance(error, _REFUSED):
            return [*self._refused(query, now, error), *self._end(now)]
        self._queue.clear()
        self._look = self._sweep = None
        if self._asks_less(query.kind, error):
            return []
        self._troubled = query.kind
        return self.timer.on_error(now, error, self.availability)

    def _asks_less(self, about: QueryKind, error: GitLabError) -> bool:
        """Whether it is asked again, without what an older server refuses."""
        is_listing = about in {QueryKind.NEWEST, QueryKind.OPEN_JOBS}
        if is_listing and self._has_keyset and isinstance(error, MethodNotAllowedError):
            self._has_keyset = False
            return True
        if (
            about is QueryKind.OPEN_JOBS
            and self._scope == OPEN
            and isinstance(error, BadRequestError)
        ):
            self._scope = OPEN_BEFORE_17
            return True
        return False

    def _refused(self, query: Query, now: float, error: GitLabError) -> list[Event]:
        """What belongs to one pipeline is not to be had; if that is gone, so is what it had."""
        if query.kind is QueryKind.PIPELINE_JOBS:
            self.known.revivals.asked(query.subject_id)
            return self.known.lost(query.subject_id) if is_gone(error) else []
        if self.known.bridging is None or query.kind is not QueryKind.BRIDGES:
            return []
        is_sure = self.known.bridging.refused(query.subject_id, now)
        return self.known.gone(query.subject_id) if is_sure and is_gone(error) else []

    def _begin(self, now: float) -> None:
        self.known.created_before = self.known.created_to
        compares = self.is_known and self.known.comparing.is_due(now)
        goal = self.known.compared_to() if compares else self.known.goal()
        self._look = NewestScan(now, goal, compares=compares)
        rows = PAGE if compares else self.known.reach.page_size(goal)
        self._ask(QueryKind.NEWEST, self._listing((), rows))
        if self.known.bridging is not None:
            self._queue.append(self.known.bridging.changed_pipelines(self.known.address))
        if self.known.reach.floor is None:
            # No state that has the first jobs may be without what has changed by then.
            self._queue.reverse()

    def _listing(self, scope: Sequence[str], rows: int) -> Request:
        wanted = with_page_size(endpoints.list_jobs(self.known.address, scope=scope), rows)
        return wanted if self._has_keyset else without_keyset(wanted)

    def _ask(self, about: QueryKind, wanted: Request, of: int = 0) -> None:
        self._queue.append(Query(about, wanted, of))

    def _take_newest(self, now: float, result: QueryResult) -> list[Event]:
        look = self._look
        if look is None:
            return []
        self.known.learn_number(result.jobs)
        floor = self.known.reach.floor
        if more := look.take(now, result, floor):
            self._queue.appendleft(more)
            return self.known.tell_look(look, now) if look.is_full else []
        if floor is not None:
            return self._took_newest(look, floor, now)
        if result.next_page and self.known.reaches_news(result.jobs) and look.pages < _MOST_NEWS:
            self._queue.appendleft(Query(QueryKind.NEWEST, result.next_page))
            return []
        self.known.began = max(look.ids, default=0)
        if result.next_page is None:
            return self.known.begin(look, now)
        self._sweep = OpenJobsScan()
        self._queue.appendleft(Query(QueryKind.OPEN_JOBS, self._listing(self._scope, PAGE)))
        return []

    def _took_newest(self, look: NewestScan, floor: int, now: float) -> list[Event]:
        """The first part of the look is there; say what else is to be asked."""
        events = self.known.tell_look(look, now)
        if look.lowest <= floor:
            self.known.reach.looked(look.began, look.answered or now, look.ids)
            self.known.reach.arrived(look.arrived)
        if (top := max(look.ids, default=0)) < self.known.top:
            self.known.comparing.is_suspicious = True
        self.known.top = top
        self.known.forget(look)
        open_jobs = self.known.open_jobs()
        for told in open_jobs:
            if told.id < look.lowest:
                self.known.parked.park(told)
        self._ask_for(t.id for t in open_jobs if t.id >= look.lowest and t.id not in look.ids)
        self.known.parked.choose(open_jobs, self.known.reach, now)
        due = self.known.parked.due(open_jobs, self.known.reach, now)
        self._begin_sweep(due, compares=look.compares)
        for pipeline_id in self.known.revivals.pipelines():
            self._ask_for_pipeline(pipeline_id)
        return events

    def _ask_for(self, ids: Iterable[int]) -> None:
        """Ask for these, which should have come and did not: by pipeline where many are of one."""
        by_pipeline: dict[int, list[int]] = {}
        known = self.known.ledger.jobs
        for job_id in sorted(job_id for job_id in ids if job_id in known):
            by_pipeline.setdefault(known[job_id].pipeline_id, []).append(job_id)
        alone: list[int] = []
        for pipeline_id, jobs in by_pipeline.items():
            if pipeline_id and len(jobs) > _FEW:
                self._ask_for_pipeline(pipeline_id)
            else:
                alone += jobs
        for job_id in alone[:_MOST_ALONE]:
            self._ask(QueryKind.JOB, endpoints.get_job(self.known.address, job_id), job_id)

    def _ask_for_pipeline(self, pipeline_id: int) -> None:
        wanted = endpoints.list_pipeline_jobs(self.known.address, pipeline_id, include_retried=True)
        self._queue.append(Query(QueryKind.PIPELINE_JOBS, wanted, pipeline_id, all_pages=True))

    def _begin_sweep(self, sought: list[int], *, compares: bool) -> None:
        if len(sought) == 1 and not compares:
            self._ask_for(sought)
        elif sought or compares:
            self._sweep = OpenJobsScan(sought, MOST_SWEPT, is_whole=compares)
            self._ask(QueryKind.OPEN_JOBS, self._listing(self._scope, PAGE))

    def _take_sweep(self, now: float, result: QueryResult) -> list[Event]:
        look, sweep = self._look, self._sweep
        if look is None or sweep is None:
            return []
        is_first = self.known.reach.floor is None
        if is_first:
            look.rows = {job.id: job for job in result.jobs} | look.rows
        events = [] if is_first else self.known.tell(result.jobs, now)
        if more := sweep.take(result):
            self._queue.appendleft(more)
            return events
        self._sweep = None
        if is_first:
            return self.known.begin(look, now)
        self._ask_for(sweep.missing())
        if deeper := sweep.deeper():
            self._ask_for([self.known.parked.least_asked(deeper, now)])
        return events

    def _end(self, now: float) -> Sequence[Event]:
        """If nothing is left to ask, the look is over; the next one comes when it may pay."""
        if not self._queue and self.known.bridging is not None:
            began = now if self._look is None else self._look.began
            self._queue.extend(self.known.bridging.queries(self.known.address, began))
        if self._queue:
            return []
        if self._look is not None:
            self.known.comparing.scanned(now, compared=self._look.compares)
        self._look = None
        self.timer.active_at = self.known.active_at
        open_jobs = self.known.ledger.open_jobs()
        self.timer.on_success(now, self.known.parked.stood(open_jobs, self.known.reach, now))
        return self._recovered()
