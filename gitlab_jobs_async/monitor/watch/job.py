"""Watch one job, or all of its attempts, until it has finished."""

from collections.abc import Sequence
from typing import Self

from attrs import define, field

from gitlab_jobs_async.api import endpoints
from gitlab_jobs_async.errors import GitLabError
from gitlab_jobs_async.events import AnyEvent
from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.monitor.checkpoint.progress import Progress
from gitlab_jobs_async.monitor.schedule.availability import is_gone
from gitlab_jobs_async.monitor.targets import JobTarget
from gitlab_jobs_async.monitor.watch.base import SingleWatch, TargetState
from gitlab_jobs_async.monitor.watch.id_history import IdHistory
from gitlab_jobs_async.monitor.watch.queries import Query, QueryKind, QueryResult
from gitlab_jobs_async.monitor.watch.server_resets import update_after_reset
from gitlab_jobs_async.polling.retries import RETRY_GRACE, next_attempt


@define
class JobWatch(SingleWatch):
    """The watch of one job; with *follow_retries* also of its next attempts. See `Watch`."""

    follow_retries: bool = field(default=False, kw_only=True)
    _is_polling: bool = field(default=False, init=False)
    _ended: Job | Bridge | None = field(default=None, init=False)
    _retried_until: float = field(default=0.0, init=False)

    @classmethod
    def of(
        cls,
        target: JobTarget,
        state: TargetState | None,
        now: float = 0.0,
        progress: Progress | None = None,
        history: IdHistory | None = None,
    ) -> Self:
        """Return a watch that begins, or resumes at *now* from a checkpoint."""
        name = f"{target.project}/-/jobs/{target.job_id}"
        watch = cls.restored(target.project, target.job_id, name, state, progress, history, now)
        watch.follow_retries = target.follow_retries
        return watch

    def next_query(self, now: float) -> Query | None:
        """Return the query to send, the same until it is answered; `None` between polls."""
        if self.is_over or (not self._is_polling and now < self.next_at):
            return None
        self._is_polling = True
        if self._ended is not None:
            pipeline_id = self._ended.pipeline.id
            request = endpoints.list_pipeline_jobs(self.project, pipeline_id, include_retried=True)
            return Query(QueryKind.PIPELINE_JOBS, request, pipeline_id, all_pages=True)
        request = endpoints.get_job(self.project, self.subject_id)
        return Query(QueryKind.JOB, request, self.subject_id)

    def on_result(self, now: float, result: QueryResult) -> Sequence[AnyEvent]:
        """Return the events of the job, or of its next attempt."""
        self._is_polling = False
        events: list[AnyEvent] = [*self.availability.on_success()]
        jobs = result.jobs
        if self._ended is not None:
            jobs = self._next_attempt(now, jobs, self._ended)
        if reset := self._check_reset(jobs, now):
            events.append(self._reset(now, *reset))
        self.history.learn(jobs, now)
        for job in jobs:
            if self.previous is None:
                found = self.tracker.update(job, now, is_new=self.is_known)
            else:
                found = update_after_reset(self.tracker, self.previous, job, now, is_new=False)
            if found:
                self.timer.active_at = now
            events += found
            if job.status.is_finished:
                self._finish(job, now)
        self.previous, self.is_known = None, True
        self.timer.on_success(now, [now - job.since for job in self.tracker.open_jobs()])
        return events

    def on_error(self, now: float, error: GitLabError) -> Sequence[AnyEvent]:
        """Report a tracked job as deleted if GitLab says so; else retry later."""
        self._is_polling = False
        # A 404 before the first response is a wrong id or no access, not a deletion.
        if is_gone(error) and self.subject_id in self.tracker:
            self.is_over = True
            return self.tracker.delete(self.subject_id)
        return self.timer.on_error(now, error, self.availability)

    def _finish(self, job: Job | Bridge, now: float) -> None:
        """Look for the attempt after *job* in the same poll if attempts are followed, or end."""
        if not self.follow_retries or not job.pipeline.id:
            self.is_over = True
            return
        self._ended, self._is_polling = job, True
        self._retried_until = now + (RETRY_GRACE if job.status == JobStatus.FAILED else 0.0)

    def _next_attempt(
        self, now: float, rows: Sequence[Job | Bridge], ended: Job | Bridge
    ) -> list[Job | Bridge]:
        """Return the attempt after *ended* among *rows* to watch it; end if none can follow."""
        following = next_attempt(rows, ended)
        if following is None:
            self.is_over = now >= self._retried_until
            return []
        self.subject_id, self._ended = following.id, None
        return [following]
