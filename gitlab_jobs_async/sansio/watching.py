"""Two looks at a project -> what happened between them, however its jobs moved meanwhile.

A look asks for the newest jobs, in a page as small as it can be, and reaches back page by page to
the oldest job that is still open and to what may have shown up late (see reach.py). What stays open
for long is left to sweeps (parking.py), what a retry may have taken up again is asked for by its
pipeline. Whatever comes is compared with what was told (ledger.py), so that looks may come at any
time and in any number.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Self

from attrs import define, field, frozen

from gitlab_jobs_async.errors import (
    GitLabError,
    MethodNotAllowedError,
    NotFoundError,
    PermissionDeniedError,
)
from gitlab_jobs_async.events import Event
from gitlab_jobs_async.models import Bridge, Job
from gitlab_jobs_async.sansio import endpoints
from gitlab_jobs_async.sansio.arguments import ProjectId
from gitlab_jobs_async.sansio.bridging import Bridging
from gitlab_jobs_async.sansio.inquiries import Answer, Inquiry, Lead, Subject, sized
from gitlab_jobs_async.sansio.ledger import Ledger, Told, pipeline_of, stood_since
from gitlab_jobs_async.sansio.looking import Look, Sweep
from gitlab_jobs_async.sansio.offsets import without_keyset
from gitlab_jobs_async.sansio.parking import OPEN, Parked
from gitlab_jobs_async.sansio.reach import PAGE, Reach
from gitlab_jobs_async.sansio.reachability import Reachability
from gitlab_jobs_async.sansio.requests import Request
from gitlab_jobs_async.sansio.revivals import Revivals
from gitlab_jobs_async.sansio.rounds import Rounds
from gitlab_jobs_async.statuses import JobStatus

_MOST_MISSING = 20
_KEPT = 100
_KEPT_SKIPPED = 300
_TOP = 2**63 - 1
_DISPENSABLE = frozenset({Subject.PIPELINE_JOBS, Subject.PIPELINES, Subject.BRIDGES})
_REFUSED = (NotFoundError, PermissionDeniedError, MethodNotAllowedError)


@frozen
class ProjectState:
    """What was told of a project; a restart goes on from there."""

    number: int | None
    floor: int | None
    began: int
    jobs: tuple[Told, ...]
    unreachable_told: int = 0
    is_unreachable: bool = False
    updated_to: datetime | None = None
    reviving: tuple[int, ...] = ()


@define
class ProjectWatch:
    """One project being watched: see `Watch`. *began* is the newest id when that began."""

    project: ProjectId
    ledger: Ledger
    reachability: Reachability
    reach: Reach = field(factory=Reach)
    bridging: Bridging | None = None
    number: int | None = None
    began: int = 0
    revivals: Revivals = field(factory=Revivals)
    rounds: Rounds = field(factory=Rounds, init=False)
    is_over: bool = field(default=False, init=False)
    parked: Parked = field(factory=Parked, init=False)
    _queue: deque[Inquiry] = field(factory=deque, init=False)
    _look: Look | None = field(default=None, init=False)
    _sweep: Sweep | None = field(default=None, init=False)
    _has_keyset: bool = field(default=True, init=False)

    @classmethod
    def of(cls, project: ProjectId, *, downstream: bool = False) -> Self:
        """A watch that begins."""
        bridging = Bridging() if downstream else None
        return cls(project, Ledger(project), Reachability(project, str(project)), bridging=bridging)

    @classmethod
    def restored(
        cls, project: ProjectId, state: ProjectState, now: float, *, downstream: bool = False
    ) -> Self:
        """A watch that goes on from what was told."""
        bridges = (told for told in state.jobs if told.is_bridge)
        watch = cls(
            project,
            Ledger(project, {told.id: told for told in state.jobs}),
            Reachability(project, str(project), state.unreachable_told, state.is_unreachable),
            Reach(state.floor),
            Bridging.restored(state.updated_to, bridges) if downstream else None,
            state.number,
            state.began,
            revivals=Revivals.of(state.reviving),
        )
        watch.parked.choose(watch.ledger.open_jobs(), watch.reach, now)
        watch.rounds.active_at = max((told.since for told in state.jobs), default=now)
        return watch

    @property
    def next_at(self) -> float:
        """When it wants to look again, in unix seconds."""
        return self.rounds.next_at

    def state(self) -> ProjectState:
        """What a restart needs."""
        return ProjectState(
            self.number,
            self.reach.floor,
            self.began,
            tuple(self.ledger.jobs.values()),
            self.reachability.told,
            self.reachability.is_unreachable,
            None if self.bridging is None else self.bridging.settled_to,
            tuple(self.revivals.pipelines()),
        )

    def hasten(self, now: float) -> None:
        """Look again at *now*, or as soon after the last look as it ever would."""
        self.rounds.hasten(now)

    def found(self) -> list[Lead]:
        """What bridges have led to since this was last called, each once."""
        return [] if self.bridging is None else self.bridging.found()

    def due(self, now: float) -> Inquiry | None:
        """What to ask now; the same until it is answered, `None` when the look is over."""
        if not self._queue:
            if now < self.next_at:
                return None
            self._begin(now)
        return self._queue[0]

    def observe(self, now: float, answer: Answer) -> Sequence[Event]:
        """What the answer adds to what was told."""
        inquiry = self._queue.popleft()
        events: list[Event] = []
        if inquiry.about not in _DISPENSABLE:
            events += self.reachability.succeeded()
        match inquiry.about:
            case Subject.NEWEST:
                events += self._take_newest(now, answer)
            case Subject.SWEEP:
                events += self._take_sweep(now, answer)
            case Subject.PIPELINES if self.bridging is not None:
                self.bridging.take_pipelines(answer.pipelines)
            case Subject.BRIDGES if self.bridging is not None:
                bridges = answer.bridges
                self.bridging.take_bridges(
                    inquiry.of, bridges, self.number, now, self._is_new_bridge
                )
                events += self._tell_all(bridges, now, newest_known=self.began)
            case _:
                if inquiry.about is Subject.PIPELINE_JOBS:
                    self.revivals.asked(inquiry.of)
                events += self._tell_all(answer.jobs, now)
        return [*events, *self._end(now)]

    def failed(self, now: float, error: GitLabError) -> Sequence[Event]:
        """The inquiry failed; what a project can do without is left out, else the look ends."""
        inquiry = self._queue.popleft()
        if inquiry.about is Subject.JOB and isinstance(error, NotFoundError):
            return [*self.ledger.deleted(inquiry.of), *self._end(now)]
        if inquiry.about in _DISPENSABLE and isinstance(error, _REFUSED):
            self.revivals.drop(inquiry.of)
            if self.bridging is not None:
                self.bridging.drop(inquiry.of)
            return self._end(now)
        self._queue.clear()
        self._look = self._sweep = None
        is_listing = inquiry.about in {Subject.NEWEST, Subject.SWEEP}
        if is_listing and self._has_keyset and isinstance(error, MethodNotAllowedError):
            self._has_keyset = False
            return []
        return self.rounds.failed(now, error, self.reachability)

    @property
    def _address(self) -> ProjectId:
        """The numeric id once it is known: it never moves."""
        return self.project if self.number is None else self.number

    def _begin(self, now: float) -> None:
        if self.reach.floor is None:
            goal = _TOP
        else:
            in_reach = (t.id for t in self._jobs() if t.id not in self.parked.ids)
            goal = min(self.reach.floor, *in_reach, _TOP)
        self._look = Look(now, goal)
        self._ask(Subject.NEWEST, self._listing((), self.reach.page_size(goal)))
        if self.bridging is not None:
            self._queue.append(self.bridging.changed_pipelines(self._address))
        if self.reach.floor is None:
            # No state that has the first jobs may be without what has changed by then.
            self._queue.reverse()

    def _jobs(self) -> list[Told]:
        """The open ones that the listing of jobs has."""
        return [told for told in self.ledger.open_jobs() if not told.is_bridge]

    def _listing(self, scope: Sequence[str], rows: int) -> Request:
        wanted = sized(endpoints.list_jobs(self._address, scope=scope), rows)
        return wanted if self._has_keyset else without_keyset(wanted)

    def _ask(self, about: Subject, wanted: Request, of: int = 0) -> None:
        self._queue.append(Inquiry(about, wanted, of))

    def _take_newest(self, now: float, answer: Answer) -> list[Event]:
        look = self._look
        if look is None:
            return []
        self._learn_number(answer.jobs)
        floor = self.reach.floor
        if more := look.take(now, answer, floor):
            self._queue.appendleft(more)
            return self._tell_look(look, now) if look.is_full else []
        if floor is not None:
            return self._took_newest(look, floor, now)
        self.began = max(look.ids, default=0)
        if answer.following is None:
            return self._baseline(look, now)
        self._sweep = Sweep()
        self._queue.appendleft(Inquiry(Subject.SWEEP, self._listing(OPEN, PAGE)))
        return []

    def _took_newest(self, look: Look, floor: int, now: float) -> list[Event]:
        """The first part of the look is there; say what else is to be asked."""
        events = self._tell_look(look, now)
        if look.lowest <= floor:
            self.reach.looked(look.began, look.answered or now, look.ids)
            self.reach.arrived(look.arrived)
        for told in self._jobs():
            if told.id < look.lowest:
                self.parked.park(told)
        self._ask_singly(t.id for t in self._jobs() if t.id >= look.lowest and t.id not in look.ids)
        self._forget(look)
        self.parked.choose(self._jobs(), self.reach, now)
        self._begin_sweep(self.parked.due(self._jobs(), self.reach, now))
        for pipeline_id in self.revivals.pipelines():
            wanted = endpoints.list_pipeline_jobs(self._address, pipeline_id)
            self._ask(Subject.PIPELINE_JOBS, wanted, pipeline_id)
        return events

    def _baseline(self, look: Look, now: float) -> list[Event]:
        """What was there at the beginning: told as far as it is in pipelines that go on."""
        going_on = {pipeline_of(job) for job in look.rows.values() if not job.status.is_finished}
        stood = [stood_since(job, now) for job in look.rows.values()]
        self.rounds.active_at = max(stood, default=now)
        events: list[Event] = []
        for job in look.take_rows():
            if pipeline_of(job) in going_on:
                events += self.ledger.tell(job, now, is_new=False)
                self._touch(job)
            else:
                self.ledger.remember(job, now)
        self.reach.looked(look.began, look.answered or now, look.ids)
        for told in self._jobs():
            if told.id not in look.ids:
                self.parked.park(told)
        return events

    def _ask_singly(self, ids: Iterable[int]) -> None:
        """Ask for these, which should have come and did not; the oldest first."""
        for job_id in sorted(ids)[:_MOST_MISSING]:
            self._ask(Subject.JOB, endpoints.get_job(self._address, job_id), job_id)

    def _begin_sweep(self, sought: list[int]) -> None:
        if len(sought) == 1:
            self._ask_singly(sought)
        elif sought:
            self._sweep = Sweep(sought)
            self._ask(Subject.SWEEP, self._listing(OPEN, PAGE))

    def _take_sweep(self, now: float, answer: Answer) -> list[Event]:
        look, sweep = self._look, self._sweep
        if look is None or sweep is None:
            return []
        is_first = self.reach.floor is None
        if is_first:
            look.rows = {job.id: job for job in answer.jobs} | look.rows
        events = [] if is_first else self._tell_all(answer.jobs, now)
        if more := sweep.take(answer):
            self._queue.appendleft(more)
            return events
        self._sweep = None
        if is_first:
            return self._baseline(look, now)
        self._ask_singly(sweep.missing())
        if deeper := sweep.deeper():
            self._ask_singly([self.parked.least_asked(deeper, now)])
        return events

    def _tell_look(self, look: Look, now: float) -> list[Event]:
        rows, floor = look.take_rows(), self.reach.floor or 0
        look.arrived += sum(job.id > floor and job.id not in self.ledger for job in rows)
        return self._tell_all(rows, now)

    def _tell_all(
        self, jobs: Sequence[Job | Bridge], now: float, *, newest_known: int | None = None
    ) -> list[Event]:
        """What these rows add; ids above *newest_known*, or else what is settled, are new."""
        known = self.reach.floor if newest_known is None else newest_known
        events: list[Event] = []
        for job in sorted(jobs, key=attrgetter("id")):
            is_new = job.id > (known or 0)
            is_past = job.status.is_finished and not isinstance(job, Bridge) and not is_new
            if job.id not in self.ledger and is_past:
                self.ledger.remember(job, now)
                continue
            told = self.ledger.tell(job, now, is_new=is_new)
            if told:
                self.rounds.active_at = now
                self.parked.ids.pop(job.id, None)
                self._touch(job)
                self.revivals.note(told)
            events += told
        return events

    def _is_new_bridge(self, bridge_id: int) -> bool:
        """What one leads to that was told before, and led nowhere then, is new as well."""
        return bridge_id > self.began or bridge_id in self.ledger

    def _touch(self, job: Job | Bridge) -> None:
        if self.bridging is not None:
            self.bridging.touch(pipeline_of(job))

    def _forget(self, look: Look) -> None:
        """Keep what a look brings, what may be replaced or taken up again, and no more."""
        floor, bridging = self.reach.floor or 0, self.bridging
        past: list[int] = []
        skipped: list[int] = []
        for told in self.ledger.jobs.values():
            if told.is_open or told.id > floor or told.id in look.ids:
                continue
            if not (told.is_bridge and bridging and bridging.is_live(told.pipeline_id)):
                (skipped if told.status == JobStatus.SKIPPED else past).append(told.id)
        self.ledger.forget([*sorted(past)[:-_KEPT], *sorted(skipped)[:-_KEPT_SKIPPED]])

    def _learn_number(self, jobs: Sequence[Job | Bridge]) -> None:
        if self.number is None and jobs:
            self.number = jobs[0].project_id

    def _end(self, now: float) -> list[Event]:
        """If nothing is left to ask, the look is over; the next one comes when it may pay."""
        if not self._queue and self.bridging is not None:
            self._queue.extend(self.bridging.inquiries(self._address, now))
        if not self._queue:
            self._look = None
            self.rounds.looked(now, self.ledger.open_jobs())
        return []
