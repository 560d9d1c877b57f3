"""Watch one job until it has finished."""

from collections.abc import Sequence
from typing import Self

from attrs import define, field

from gitlab_jobs_async.api import endpoints
from gitlab_jobs_async.errors import GitLabError
from gitlab_jobs_async.events import AnyEvent
from gitlab_jobs_async.monitor.checkpoint.progress import Progress
from gitlab_jobs_async.monitor.schedule.availability import is_gone
from gitlab_jobs_async.monitor.targets import JobTarget
from gitlab_jobs_async.monitor.watch.base import SingleWatch, TargetState
from gitlab_jobs_async.monitor.watch.id_history import IdHistory
from gitlab_jobs_async.monitor.watch.queries import Query, QueryKind, QueryResult
from gitlab_jobs_async.monitor.watch.server_resets import update_after_reset


@define
class JobWatch(SingleWatch):
    """The watch of one job; a retry of it is another job. See `Watch`."""

    _is_polling: bool = field(default=False, init=False)

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
        return cls.restored(target.project, target.job_id, name, state, progress, history, now)

    def next_query(self, now: float) -> Query | None:
        """Return the query to send, the same until it is answered; `None` between polls."""
        if self.is_over or (not self._is_polling and now < self.next_at):
            return None
        self._is_polling = True
        request = endpoints.get_job(self.project, self.subject_id)
        return Query(QueryKind.JOB, request, self.subject_id)

    def on_result(self, now: float, result: QueryResult) -> Sequence[AnyEvent]:
        """Return the events of the job."""
        self._is_polling = False
        events: list[AnyEvent] = [*self.availability.on_success()]
        if reset := self._check_reset(result.jobs, now):
            events.append(self._reset(now, *reset))
        self.history.learn(result.jobs, now)
        for job in result.jobs:
            if self.previous is None:
                found = self.tracker.update(job, now, is_new=self.is_known)
            else:
                found = update_after_reset(self.tracker, self.previous, job, now, is_new=False)
            if found:
                self.timer.active_at = now
            events += found
            self.is_over = job.status.is_finished
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
