"""Find the next attempt of a job: another job of its pipeline with its name and a higher id."""

from contextlib import aclosing

from attrs import define, field

from gitlab_jobs_async.api import endpoints
from gitlab_jobs_async.api.parameters import ProjectId
from gitlab_jobs_async.http.transport import Transport
from gitlab_jobs_async.listing.fetch import by_offset, iter_rows
from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.polling.retries import RETRY_GRACE, next_attempt
from gitlab_jobs_async.ratelimit.fair_queue import Priority


@define(eq=False, repr=False)
class Attempts:
    """The attempts of one job of *project*."""

    transport: Transport
    project: ProjectId
    _failed: tuple[int, float] | None = field(default=None, init=False)

    async def next_after(self, job: Job) -> Job | None:
        """Return the next attempt after the finished *job*, if there is one.

        The pipeline's jobs are read from the newest down to *job*: a request for each hundred.
        """
        now = self.transport.clock.now()
        if job.status == JobStatus.FAILED and (self._failed is None or self._failed[0] != job.id):
            self._failed = job.id, now
        if not job.pipeline.id:
            return None
        request = endpoints.list_pipeline_jobs(self.project, job.pipeline.id, include_retried=True)
        pages = by_offset(self.transport, request, in_order=True)
        newer = []
        rows = iter_rows(self.transport, pages, Job, Priority.BACKGROUND)
        async with aclosing(rows) as newest_first:
            async for row in newest_first:
                if row.id <= job.id:
                    break
                newer.append(row)
        return next_attempt(newer, job)

    def retried_until(self, job: Job) -> float:
        """Return the time until which GitLab may still retry the finished *job*.

        It counts from the first call of `next_after`, and has passed unless the job has failed.
        """
        is_known = self._failed is not None and self._failed[0] == job.id
        return self._failed[1] + RETRY_GRACE if self._failed and is_known else 0.0
