"""The jobs of one project, and the rules by which rows of a response change them.

Scans decide what to request. Each row is compared here with the tracked jobs, so that rows may
arrive in any order and any number of times.
"""

from collections.abc import Iterable, Sequence
from operator import attrgetter

from attrs import define, field

from gitlab_jobs_async.events import AnyEvent
from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.monitor.watch.dormant_jobs import BLOCKED, DormantJobs
from gitlab_jobs_async.monitor.watch.downstream import DownstreamTracker
from gitlab_jobs_async.monitor.watch.full_scan import MAX_COMPARED, FullScanSchedule
from gitlab_jobs_async.monitor.watch.job_tracker import JobTracker
from gitlab_jobs_async.monitor.watch.queries import DownstreamPipeline
from gitlab_jobs_async.monitor.watch.reopened_pipelines import ReopenedPipelines
from gitlab_jobs_async.monitor.watch.server_resets import ResetDetector
from gitlab_jobs_async.monitor.watch.tracked_job import TrackedJob, pipeline_id_of, unchanged_since
from gitlab_jobs_async.monitor.watch.watermark import Watermark

_KEPT = 100
# More of these, because GitLab may reopen a skipped job.
_KEPT_SKIPPED = 300
_TOP = 2**63 - 1


@define
class ProjectJobs:
    """The tracked jobs of a project; *downstream* is `None` unless bridges are watched.

    *active_at* is the unix time of the last event, and *newest_id* the newest id of the last scan.
    """

    tracker: JobTracker
    resets: ResetDetector
    full_scan: FullScanSchedule
    downstream: DownstreamTracker | None = None
    watermark: Watermark = field(factory=Watermark)
    reopened: ReopenedPipelines = field(factory=ReopenedPipelines)
    dormant: DormantJobs = field(factory=DormantJobs)
    active_at: float | None = None
    newest_id: int = 0

    @property
    def has_baseline(self) -> bool:
        """Whether the jobs that existed at the beginning are known."""
        return self.watermark.low_watermark is not None

    def begin_poll(self, now: float) -> bool:
        """Return whether the poll that begins includes a full scan."""
        self.resets.begin_poll()
        return self.has_baseline and self.full_scan.is_due(now)

    def end_poll(self, now: float, *, is_full: bool) -> list[float]:
        """Count a complete poll; return for how many seconds each open job is unchanged."""
        self.full_scan.polled(now, is_full=is_full)
        self.tracker.release_index()
        return self.dormant.ages(self.tracker.open_jobs(), self.watermark, now)

    def check_reset(self, rows: Sequence[Job | Bridge], now: float) -> tuple[int, str] | None:
        """Return the job that only a reset explains, and the reason; else learn from *rows*."""
        if self.has_baseline:
            if reset := self.resets.check(rows, now, self.watermark.low_watermark or 0):
                return reset
        else:
            self.resets.check_baseline(rows, now)
        self.resets.learn(rows, now)
        return None

    def resets_may_continue(self, rows: Sequence[Job | Bridge]) -> bool:
        """Return whether jobs created after a reset may follow below *rows*."""
        return self.resets.may_continue_below(rows)

    def take_discovered(self) -> list[DownstreamPipeline]:
        """Return and clear the downstream pipelines discovered since the last call."""
        return [] if self.downstream is None else self.downstream.take_discovered()

    def open_jobs(self) -> list[TrackedJob]:
        """Return the unfinished jobs without bridges: job listings have none."""
        return [job for job in self.tracker.open_jobs() if not job.is_bridge]

    @property
    def is_idle(self) -> bool:
        """Whether no job can change before its pipeline does, or another one is created."""
        return all(not job.is_bridge and job.status in BLOCKED for job in self.tracker.open_jobs())

    def down_to(self) -> int:
        """Return the id down to which to scan: the watermark, or a lower open job."""
        low = self.watermark.low_watermark
        if low is None:
            return _TOP
        return min(low, *(job.id for job in self.open_jobs() if job.id not in self.dormant), _TOP)

    def full_down_to(self) -> int:
        """Return the id down to which a full scan reads: the newest tracked jobs."""
        return min(self.down_to(), *self.tracker.newest(MAX_COMPARED), _TOP)

    def set_baseline(
        self,
        jobs: Iterable[Job | Bridge],
        newest: Iterable[int],
        began: float,
        answered: float,
        now: float,
    ) -> list[AnyEvent]:
        """Emit the jobs of active pipelines as existing ones, and track the others silently.

        The ids *newest* come from a scan of the newest jobs that *began* at one time, and whose
        first response was received at *answered*.
        """
        rows, ids = sorted(jobs, key=attrgetter("id")), set(newest)
        # Finished jobs of an active pipeline, too: consumers get the pipeline as a whole.
        active = {pipeline_id_of(job) for job in rows if not job.status.is_finished}
        self.active_at = max((unchanged_since(job, now) for job in rows), default=now)
        events: list[AnyEvent] = []
        for job in rows:
            if pipeline_id_of(job) in active or self.resets.is_unreported(job):
                events += self.resets.report(job, now)
                self._mark_dirty(job)
            else:
                self.tracker.seed(job, now)
        self.tracker.baseline_id = self.newest_id = max(ids, default=0)
        self.resets.previous = None
        self.full_scan.restart(str(self.tracker.project), now)
        self.watermark.advance(began, answered, ids)
        # Only the scan of open jobs has returned these.
        for job_id in (job.id for job in self.open_jobs() if job.id not in ids):
            self.dormant.add(job_id)
        return events

    def update(
        self, jobs: Iterable[Job | Bridge], now: float, *, new_above: int | None = None
    ) -> list[AnyEvent]:
        """Return the events of *jobs*; ids above *new_above*, else the watermark, are new."""
        above = self.watermark.low_watermark if new_above is None else new_above
        events: list[AnyEvent] = []
        for job in sorted(jobs, key=attrgetter("id")):
            is_bridge = isinstance(job, Bridge)
            is_new = job.id > (above or 0) or (is_bridge and self.resets.is_new(job))
            # It had ended before the watch began: not news.
            if job.status.is_finished and not (is_bridge or is_new or job.id in self.tracker):
                self.tracker.seed(job, now)
                continue
            # A job evicted since must not repeat the keys of its earlier events.
            first = int(now) if self.tracker.may_be_evicted(job.id) else 0
            found = self.tracker.update(job, now, is_new=is_new, first=first)
            if found:
                self.active_at = now
                self.dormant.wake(job.id)
                self._mark_dirty(job)
                self.reopened.on_events(found)
            events += found
        return events

    def update_all(self, jobs: Iterable[Job | Bridge], now: float) -> list[AnyEvent]:
        """Return the events of *jobs* from a full scan: above the tracked ones, all are new."""
        low, tracker = self.watermark.low_watermark or 0, self.tracker
        return self.update(
            jobs, now, new_above=min(low, max(tracker.baseline_id, tracker.evicted_to))
        )

    def count_new(self, jobs: Iterable[Job | Bridge]) -> int:
        """Return how many of *jobs* are above the watermark and not tracked."""
        low = self.watermark.low_watermark or 0
        return sum(job.id > low and job.id not in self.tracker for job in jobs)

    def end_scan(self, ids: set[int]) -> None:
        """Evict after a scan of the newest jobs, and suspect a reset if the newest vanished."""
        newest_id = max(ids, default=0)
        if newest_id < self.newest_id:
            self.full_scan.is_suspicious = True
        self.newest_id = newest_id
        self._evict(ids)

    def is_new_bridge(self, bridge: Bridge) -> bool:
        """Return whether the downstream pipeline of *bridge* was triggered during the watch."""
        # A bridge that was tracked before had not triggered its pipeline then.
        is_later = bridge.id > self.tracker.baseline_id
        return is_later or bridge.id in self.tracker or self.resets.is_new(bridge)

    def delete_pipeline(self, pipeline_id: int) -> list[AnyEvent]:
        """Report the open jobs of a deleted pipeline as deleted."""
        return self._delete(job for job in self.open_jobs() if job.pipeline_id == pipeline_id)

    def delete_bridges(self, pipeline_id: int, present: Iterable[Bridge] = ()) -> list[AnyEvent]:
        """Report the open bridges of a pipeline as deleted, except those *present*."""
        ids = {bridge.id for bridge in present}
        bridges = (job for job in self.tracker.open_jobs() if job.is_bridge and job.id not in ids)
        return self._delete(job for job in bridges if job.pipeline_id == pipeline_id)

    def _delete(self, jobs: Iterable[TrackedJob]) -> list[AnyEvent]:
        ids = [job.id for job in jobs]
        return [event for job_id in ids for event in self.tracker.delete(job_id)]

    def _mark_dirty(self, job: Job | Bridge) -> None:
        if self.downstream is not None:
            self.downstream.mark_dirty(pipeline_id_of(job))

    def _evict(self, seen: set[int]) -> None:
        """Evict finished jobs, except those *seen* in this scan and what retries refer to."""
        tracked = self.tracker.jobs
        if len(tracked) <= _KEPT:
            return
        low, live = self.watermark.low_watermark or 0, self.downstream
        finished: list[int] = []
        skipped: list[int] = []
        # A scan may return a job above the watermark again, and would report it as new.
        for job_id, is_skipped, is_bridge in tracked.finished_to(low):
            if job_id in seen:
                continue
            # The bridges of such a pipeline are polled again.
            if not (is_bridge and live and live.may_change(tracked[job_id].pipeline_id)):
                (skipped if is_skipped else finished).append(job_id)
        self.tracker.evict([*finished[:-_KEPT], *skipped[:-_KEPT_SKIPPED]])
