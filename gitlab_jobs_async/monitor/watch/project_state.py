"""What is known of a project's jobs, and what the rows of an answer add to it."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Self

from attrs import define, evolve, field, frozen

from gitlab_jobs_async.api.parameters import ProjectId
from gitlab_jobs_async.events import Event
from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.monitor.checkpoint.progress import Progress
from gitlab_jobs_async.monitor.schedule.availability import TargetAvailability
from gitlab_jobs_async.monitor.schedule.timer import PollTimer
from gitlab_jobs_async.monitor.watch.dormant_jobs import DormantJobs
from gitlab_jobs_async.monitor.watch.downstream import DownstreamState, DownstreamTracker
from gitlab_jobs_async.monitor.watch.full_scan import MOST_COMPARED, FullScanSchedule
from gitlab_jobs_async.monitor.watch.id_history import IdHistory, created
from gitlab_jobs_async.monitor.watch.job_tracker import (
    JobTracker,
    TrackedJob,
    pipeline_of,
    stood_since,
)
from gitlab_jobs_async.monitor.watch.reopened_pipelines import ReopenedPipelines
from gitlab_jobs_async.monitor.watch.scans import NewestScan
from gitlab_jobs_async.monitor.watch.server_resets import (
    epoch_of,
    is_as_before,
    latest,
    reset_shown_by,
    runs_again,
    tell_anew,
)
from gitlab_jobs_async.monitor.watch.watermark import Watermark

_KEPT = 100
_KEPT_SKIPPED = 300
_TOP = 2**63 - 1


@frozen
class ProjectState:
    """What was told of a project; a restart goes on from there."""

    number: int | None
    floor: int | None
    began: int
    jobs: tuple[TrackedJob, ...]
    unreachable_told: int = 0
    is_unreachable: bool = False
    updated_to: datetime | None = None
    reviving: tuple[int, ...] = ()
    reviving_once: tuple[int, ...] = ()
    parked: tuple[int, ...] = ()
    bridging: DownstreamState | None = None
    epoch: int = 0
    before: tuple[TrackedJob, ...] | None = None
    news_from: int | None = None
    created_to: int = 0
    top: int = 0
    forgotten_to: int | None = None
    deleted_to: int = 0


@define
class KnownJobs:
    """A project's jobs as they were told, and its *number* once one of them has said it.

    *began* is the newest id when the watching began, *active_at* when something was told last,
    *top* the newest id that there was, *created_to* the newest time of creation, in unix seconds,
    and *created_before* that of the scans before the one under way. Until what is there after a
    reset is known, *before* is what was told before it, and whatever was created later than
    *news_from* is new. No job above *forgotten_to* was told and is remembered no longer.
    """

    project: ProjectId
    ledger: JobTracker
    reach: Watermark = field(factory=Watermark)
    bridging: DownstreamTracker | None = None
    number: int | None = None
    began: int = 0
    revivals: ReopenedPipelines = field(factory=ReopenedPipelines)
    active_at: float | None = None
    history: IdHistory = field(factory=IdHistory)
    before: dict[int, TrackedJob] | None = None
    news_from: int | None = None
    created_to: int = 0
    top: int = 0
    forgotten_to: int = 0
    created_before: int = 0
    comparing: FullScanSchedule = field(factory=FullScanSchedule)
    parked: DormantJobs = field(factory=DormantJobs, init=False)

    @classmethod
    def of(cls, project: ProjectId, history: IdHistory | None = None, *, downstream: bool) -> Self:
        """Nothing is known yet."""
        return cls(
            project,
            JobTracker(project),
            bridging=DownstreamTracker() if downstream else None,
            history=history or IdHistory(),
        )

    def anew(self, epoch: int) -> Self:
        """Return what is known after a reset: only what was told before it."""
        known = type(self).of(self.project, self.history, downstream=self.bridging is not None)
        known.ledger.epoch, known.number = epoch, self.number
        known.before = self.ledger.jobs | (self.before or {})
        known.news_from = known.created_to = known.created_before = self.created_before
        known.began, known.forgotten_to = self.began, self.forgotten_to
        return known

    @classmethod
    def restored(
        cls,
        project: ProjectId,
        state: ProjectState,
        now: float,
        *,
        downstream: bool,
        progress: Progress | None = None,
        history: IdHistory | None = None,
    ) -> Self:
        """What was told before; *progress*, if there is any, may be newer or older."""
        if progress is not None and progress.epoch != state.epoch:
            progress = None
        bridges = (told for told in state.jobs if told.is_bridge)
        settled = (state.updated_to, None if progress is None else progress.updated_to)
        settled_to = max((at for at in settled if at is not None), default=None)
        known = cls(
            project,
            JobTracker(
                project, {told.id: told for told in state.jobs}, state.epoch, state.deleted_to
            ),
            Watermark(state.floor),
            DownstreamTracker.restored(settled_to, bridges, state.bridging) if downstream else None,
            state.number,
            state.began,
            ReopenedPipelines.of(state.reviving, state.reviving_once),
            max((told.since for told in state.jobs), default=now),
            history or IdHistory(),
            None if state.before is None else {told.id: told for told in state.before},
            state.news_from,
            state.created_to,
            state.top,
            (state.floor or 0) if state.forgotten_to is None else state.forgotten_to,
            state.created_to,
            FullScanSchedule.restored(progress, str(project), now),
        )
        known.parked.ids.update(dict.fromkeys(state.parked, 0.0))
        if progress is not None and state.floor is not None:
            known.reach = Watermark(max(state.floor, progress.floor or 0), progress.rows)
            known.parked.swept_at = min(progress.swept_at or known.parked.swept_at, now)
            known.active_at = progress.active_at or known.active_at
        known.parked.choose(known.ledger.open_jobs(), known.reach, now)
        return known

    def state(self, availability: TargetAvailability) -> ProjectState:
        """What a restart needs."""
        once = self.revivals.asked_once()
        return ProjectState(
            self.number,
            self.reach.floor,
            self.began,
            tuple(self.ledger.jobs.values()),
            availability.emitted,
            availability.is_unreachable,
            None if self.bridging is None else self.bridging.settled_to,
            tuple(i for i in self.revivals.pipelines() if i not in once),
            tuple(once),
            tuple(self.parked.ids),
            None if self.bridging is None else self.bridging.state(),
            self.ledger.epoch,
            None if self.before is None else tuple(self.before.values()),
            self.news_from,
            self.created_before,
            self.top,
            self.forgotten_to,
            self.ledger.deleted_to,
        )

    def progress(self, timer: PollTimer, failures: int) -> Progress:
        """What changes at each scan, also where that brings no event."""
        return evolve(
            timer.progress(failures),
            floor=self.reach.floor,
            rows=self.reach.rows_to(self.goal()),
            swept_at=self.parked.swept_at,
            updated_to=None if self.bridging is None else self.bridging.settled_to,
            compared_at=self.comparing.compared_at,
            scans=self.comparing.scans,
            epoch=self.ledger.epoch,
        )

    def goal(self) -> int:
        """The id down to which the newest scan goes: the watermark, or an open job below it."""
        if self.reach.floor is None:
            return _TOP
        in_reach = (told.id for told in self.open_jobs() if told.id not in self.parked.ids)
        return min(self.reach.floor, *in_reach, _TOP)

    def shows_reset(self, jobs: Sequence[Job | Bridge], now: float) -> tuple[int, str] | None:
        """Return which of *jobs* can only come of a restored server, and why."""
        if self.reach.floor is not None:
            shown = reset_shown_by(jobs, self.ledger, self.history, now)
            return shown or self._shows_forgotten(jobs)
        if not self.ledger.jobs and self.before is None:
            # Nothing was told here, but perhaps another job under this id by another target.
            epoch = self.ledger.epoch
            if any(self.history.is_given_again(job, epoch) for job in jobs):
                self.ledger.epoch = epoch_of(now, epoch)
        return None

    def _shows_forgotten(self, jobs: Sequence[Job | Bridge]) -> tuple[int, str] | None:
        """Where the newest jobs are gone: one that is open, and must have ended long ago."""
        if not self.comparing.is_suspicious:
            return None
        for job in jobs:
            is_open = not (job.status.is_finished or isinstance(job, Bridge))
            is_told = self.began < job.id <= self.forgotten_to or job.id <= self.ledger.deleted_to
            if is_open and is_told and job.id not in self.ledger:
                return job.id, f"job {job.id} was gone or had ended, and is {job.status}"
        return None

    def learn(self, jobs: Sequence[Job | Bridge], now: float) -> None:
        """Take note of ids and times, and of what may turn out to be a reset."""
        self.history.learn(jobs, now)
        self.created_to = max(self.created_to, latest(jobs, now))
        known = self.ledger.jobs
        if any(job.id in known and runs_again(known[job.id], job) for job in jobs):
            self.comparing.is_suspicious = True

    def reaches_news(self, jobs: Sequence[Job | Bridge]) -> bool:
        """Whether after a reset there may be more that is new below *jobs*."""
        if self.before is None or not jobs:
            return False
        remembered = min(sorted(self.before, reverse=True)[:MOST_COMPARED], default=_TOP)
        is_deep = min(job.id for job in jobs) <= remembered
        return not is_deep or all(map(self._is_news, jobs))

    def compared_to(self) -> int:
        """The id down to which a full comparison goes: the newest that are remembered."""
        newest = sorted(self.ledger.jobs, reverse=True)[:MOST_COMPARED]
        return min(self.goal(), *newest, _TOP)

    @property
    def address(self) -> ProjectId:
        """The numeric id once it is known: it never moves."""
        return self.project if self.number is None else self.number

    def open_jobs(self) -> list[TrackedJob]:
        """The open ones that the listing of jobs has."""
        return [told for told in self.ledger.open_jobs() if not told.is_bridge]

    def learn_number(self, jobs: Sequence[Job | Bridge]) -> None:
        """Take the project's number from one of its jobs."""
        if self.number is None and jobs:
            self.number = jobs[0].project_id

    def begin(self, look: NewestScan, now: float) -> list[Event]:
        """What was there at the beginning: told as far as it is in pipelines that go on."""
        going_on = {pipeline_of(job) for job in look.rows.values() if not job.status.is_finished}
        stood = [stood_since(job, now) for job in look.rows.values()]
        self.active_at = max(stood, default=now)
        events: list[Event] = []
        for job in look.take_rows():
            if pipeline_of(job) in going_on or self._is_unheard_of(job):
                if self.before is None:
                    events += self.ledger.tell(job, now, is_new=False)
                else:
                    is_news = self._is_news(job)
                    events += tell_anew(self.ledger, self.before, job, now, is_news=is_news)
                self._touch(job)
            else:
                self.ledger.remember(job, now)
        self.before = None
        self.comparing = FullScanSchedule.begun(str(self.project), now)
        self.reach.looked(look.began, look.answered or now, look.ids)
        self.top = max(look.ids, default=0)
        for told in self.open_jobs():
            if told.id not in look.ids:
                self.parked.park(told)
        return events

    def tell_look(self, look: NewestScan, now: float) -> list[Event]:
        """What has come of a look so far adds."""
        rows, floor = look.take_rows(), self.reach.floor or 0
        look.arrived += sum(job.id > floor and job.id not in self.ledger for job in rows)
        least = max(self.began, self.forgotten_to)
        return self.tell(rows, now, newest_known=min(floor, least) if look.compares else None)

    def _is_news(self, job: Job | Bridge) -> bool:
        return self.news_from is not None and created(job) > self.news_from

    def _is_unheard_of(self, job: Job | Bridge) -> bool:
        """Whether a reset has brought *job*, or changed it."""
        if self.before is None:
            return False
        is_other = job.id in self.before and not is_as_before(self.before, job)
        return is_other or self._is_news(job)

    def tell(
        self, jobs: Sequence[Job | Bridge], now: float, *, newest_known: int | None = None
    ) -> list[Event]:
        """What these rows add; ids above *newest_known*, or else what is settled, are new."""
        known = self.reach.floor if newest_known is None else newest_known
        events: list[Event] = []
        for job in sorted(jobs, key=attrgetter("id")):
            is_new = job.id > (known or 0) or (isinstance(job, Bridge) and self._is_news(job))
            is_past = job.status.is_finished and not isinstance(job, Bridge) and not is_new
            if job.id not in self.ledger and is_past:
                self.ledger.remember(job, now)
                continue
            is_forgotten = job.id <= max(self.forgotten_to, self.ledger.deleted_to)
            # What was told and forgotten since must not come again under the keys of that time.
            first = int(now) if is_forgotten and job.id not in self.ledger else 0
            told = self.ledger.tell(job, now, is_new=is_new, first=first)
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

    def is_new_bridge(self, bridge_id: int, bridges: Iterable[Bridge] = ()) -> bool:
        """What one leads to that was told before, and led nowhere then, is new as well."""
        is_news = any(bridge.id == bridge_id and self._is_news(bridge) for bridge in bridges)
        return bridge_id > self.began or bridge_id in self.ledger or is_news

    def gone(self, pipeline_id: int, there: Iterable[Bridge] = ()) -> list[Event]:
        """Of this pipeline's bridges only those *there* are left: one retried is not, either."""
        ids = {bridge.id for bridge in there}
        bridges = [t for t in self.ledger.open_jobs() if t.is_bridge and t.id not in ids]
        gone = [told.id for told in bridges if told.pipeline_id == pipeline_id]
        return [event for job_id in gone for event in self.ledger.deleted(job_id)]

    def _touch(self, job: Job | Bridge) -> None:
        if self.bridging is not None:
            self.bridging.touch(pipeline_of(job))

    def forget(self, look: NewestScan) -> None:
        """Keep what a look brings, what may be replaced or taken up again, and no more."""
        floor, bridging = self.reach.floor or 0, self.bridging
        past: list[int] = []
        skipped: list[int] = []
        for told in self.ledger.jobs.values():
            if told.is_open or told.id > floor or told.id in look.ids:
                continue
            if not (told.is_bridge and bridging and bridging.is_live(told.pipeline_id)):
                (skipped if told.status == JobStatus.SKIPPED else past).append(told.id)
        gone = [*sorted(past)[:-_KEPT], *sorted(skipped)[:-_KEPT_SKIPPED]]
        self.forgotten_to = max(self.forgotten_to, *gone, 0)
        self.ledger.forget(gone)
