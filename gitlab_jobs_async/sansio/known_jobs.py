"""What is known of a project's jobs, and what the rows of an answer add to it."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Self

from attrs import define, evolve, field, frozen

from gitlab_jobs_async.events import Event
from gitlab_jobs_async.models import Bridge, Job
from gitlab_jobs_async.sansio.arguments import ProjectId
from gitlab_jobs_async.sansio.bridging import Bridging, BridgingState
from gitlab_jobs_async.sansio.ledger import Ledger, Told, pipeline_of, stood_since
from gitlab_jobs_async.sansio.looking import Look
from gitlab_jobs_async.sansio.parking import Parked
from gitlab_jobs_async.sansio.progress import Progress
from gitlab_jobs_async.sansio.reach import Reach
from gitlab_jobs_async.sansio.reachability import Reachability
from gitlab_jobs_async.sansio.revivals import Revivals
from gitlab_jobs_async.sansio.timing import Timing
from gitlab_jobs_async.statuses import JobStatus

_KEPT = 100
_KEPT_SKIPPED = 300
_TOP = 2**63 - 1


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
    reviving_once: tuple[int, ...] = ()
    parked: tuple[int, ...] = ()
    bridging: BridgingState | None = None


@define
class KnownJobs:
    """A project's jobs as they were told, and its *number* once one of them has said it.

    *began* is the newest id when the watching began, *active_at* when something was told last.
    """

    project: ProjectId
    ledger: Ledger
    reach: Reach = field(factory=Reach)
    bridging: Bridging | None = None
    number: int | None = None
    began: int = 0
    revivals: Revivals = field(factory=Revivals)
    active_at: float | None = None
    parked: Parked = field(factory=Parked, init=False)

    @classmethod
    def of(cls, project: ProjectId, *, downstream: bool) -> Self:
        """Nothing is known yet."""
        return cls(project, Ledger(project), bridging=Bridging() if downstream else None)

    @classmethod
    def restored(
        cls,
        project: ProjectId,
        state: ProjectState,
        now: float,
        *,
        downstream: bool,
        progress: Progress | None = None,
    ) -> Self:
        """What was told before; *progress*, if there is any, may be newer or older."""
        bridges = (told for told in state.jobs if told.is_bridge)
        settled = (state.updated_to, None if progress is None else progress.updated_to)
        settled_to = max((at for at in settled if at is not None), default=None)
        known = cls(
            project,
            Ledger(project, {told.id: told for told in state.jobs}),
            Reach(state.floor),
            Bridging.restored(settled_to, bridges, state.bridging) if downstream else None,
            state.number,
            state.began,
            Revivals.of(state.reviving, state.reviving_once),
            max((told.since for told in state.jobs), default=now),
        )
        known.parked.ids.update(dict.fromkeys(state.parked, 0.0))
        if progress is not None and state.floor is not None:
            known.reach = Reach(max(state.floor, progress.floor or 0), progress.rows)
            known.parked.swept_at = min(progress.swept_at or known.parked.swept_at, now)
            known.active_at = progress.active_at or known.active_at
        known.parked.choose(known.ledger.open_jobs(), known.reach, now)
        return known

    def state(self, reachability: Reachability) -> ProjectState:
        """What a restart needs."""
        once = self.revivals.asked_once()
        return ProjectState(
            self.number,
            self.reach.floor,
            self.began,
            tuple(self.ledger.jobs.values()),
            reachability.told,
            reachability.is_unreachable,
            None if self.bridging is None else self.bridging.settled_to,
            tuple(i for i in self.revivals.pipelines() if i not in once),
            tuple(once),
            tuple(self.parked.ids),
            None if self.bridging is None else self.bridging.state(),
        )

    def progress(self, timing: Timing, failures: int) -> Progress:
        """What changes at each scan, also where that brings no event."""
        return evolve(
            timing.progress(failures),
            floor=self.reach.floor,
            rows=self.reach.rows_to(self.goal()),
            swept_at=self.parked.swept_at,
            updated_to=None if self.bridging is None else self.bridging.settled_to,
        )

    def goal(self) -> int:
        """The id down to which the newest scan goes: the watermark, or an open job below it."""
        if self.reach.floor is None:
            return _TOP
        in_reach = (told.id for told in self.open_jobs() if told.id not in self.parked.ids)
        return min(self.reach.floor, *in_reach, _TOP)

    @property
    def address(self) -> ProjectId:
        """The numeric id once it is known: it never moves."""
        return self.project if self.number is None else self.number

    def open_jobs(self) -> list[Told]:
        """The open ones that the listing of jobs has."""
        return [told for told in self.ledger.open_jobs() if not told.is_bridge]

    def learn_number(self, jobs: Sequence[Job | Bridge]) -> None:
        """Take the project's number from one of its jobs."""
        if self.number is None and jobs:
            self.number = jobs[0].project_id

    def begin(self, look: Look, now: float) -> list[Event]:
        """What was there at the beginning: told as far as it is in pipelines that go on."""
        going_on = {pipeline_of(job) for job in look.rows.values() if not job.status.is_finished}
        stood = [stood_since(job, now) for job in look.rows.values()]
        self.active_at = max(stood, default=now)
        events: list[Event] = []
        for job in look.take_rows():
            if pipeline_of(job) in going_on:
                events += self.ledger.tell(job, now, is_new=False)
                self._touch(job)
            else:
                self.ledger.remember(job, now)
        self.reach.looked(look.began, look.answered or now, look.ids)
        for told in self.open_jobs():
            if told.id not in look.ids:
                self.parked.park(told)
        return events

    def tell_look(self, look: Look, now: float) -> list[Event]:
        """What has come of a look so far adds."""
        rows, floor = look.take_rows(), self.reach.floor or 0
        look.arrived += sum(job.id > floor and job.id not in self.ledger for job in rows)
        return self.tell(rows, now)

    def tell(
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
                self.active_at = now
                self.parked.ids.pop(job.id, None)
                self._touch(job)
                self.revivals.note(told)
            events += told
        return events

    def lost(self, pipeline_id: int) -> list[Event]:
        """The pipeline is there no more, and so are its jobs."""
        gone = [told.id for told in self.open_jobs() if told.pipeline_id == pipeline_id]
        return [event for job_id in gone for event in self.ledger.deleted(job_id)]

    def is_new_bridge(self, bridge_id: int) -> bool:
        """What one leads to that was told before, and led nowhere then, is new as well."""
        return bridge_id > self.began or bridge_id in self.ledger

    def gone(self, pipeline_id: int, there: Iterable[Bridge] = ()) -> list[Event]:
        """Of this pipeline's bridges only those *there* are left: one retried is not, either."""
        ids = {bridge.id for bridge in there}
        bridges = [t for t in self.ledger.open_jobs() if t.is_bridge and t.id not in ids]
        gone = [told.id for told in bridges if told.pipeline_id == pipeline_id]
        return [event for job_id in gone for event in self.ledger.deleted(job_id)]

    def _touch(self, job: Job | Bridge) -> None:
        if self.bridging is not None:
            self.bridging.touch(pipeline_of(job))

    def forget(self, look: Look) -> None:
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
