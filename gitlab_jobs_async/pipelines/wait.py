"""Waiting until a job or a pipeline has ended: looks that come at a pace, through trouble.

The status that a look shows is what counts. Whatever ends the waiting, nothing is done to what was
waited for, and nothing of the waiting is left.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from attrs import define, field, frozen

from gitlab_jobs_async.api import endpoints
from gitlab_jobs_async.api.decode_warnings import log_ignored_value
from gitlab_jobs_async.api.decoding import decode
from gitlab_jobs_async.api.parameters import ProjectId, seconds
from gitlab_jobs_async.clock import Clock, jitter
from gitlab_jobs_async.concurrency import task_pool
from gitlab_jobs_async.errors import GitLabError, WaitTimedOutError
from gitlab_jobs_async.http.transport import Transport
from gitlab_jobs_async.intervals import PollIntervals
from gitlab_jobs_async.models.jobs import Job, Pipeline
from gitlab_jobs_async.pipelines.fetch import read_jobs, read_pipeline
from gitlab_jobs_async.pipelines.poll_interval import WaitInterval
from gitlab_jobs_async.ratelimit.fair_queue import Priority
from gitlab_jobs_async.retry.outage import OutageTolerance, outage_seconds

T = TypeVar("T", Job, Pipeline)

JobProgress = Callable[[Job], object]
PipelineProgress = Callable[[Pipeline, list[Job]], object]

_log = logging.getLogger("gitlab_jobs_async")


def _some_time(timeout: float | None) -> float | None:
    return None if timeout is None else seconds("timeout", timeout)


@frozen
class WaitOptions:
    """For how long something is waited for, how often it is looked at, and how much is endured."""

    timeout: float | None = field(converter=_some_time)
    intervals: PollIntervals
    outage_timeout: float = field(converter=outage_seconds)


@frozen
class _Look(Generic[T]):
    """What one look has shown, and what progress is told of it; the same *statuses*: no change."""

    value: T
    statuses: object
    told: tuple[object, ...]


async def wait_for_job(
    transport: Transport,
    project: ProjectId,
    job_id: int,
    how: WaitOptions,
    progress: JobProgress | None,
) -> Job:
    """The job once it has ended."""
    request = endpoints.get_job(project, job_id)

    async def look() -> _Look[Job]:
        job = decode(await transport.send(request, Priority.BACKGROUND), Job, log_ignored_value)
        return _Look(job, job.status, (job,))

    return await _Wait(f"job {job_id}", look, transport.clock, how, progress).ended()


async def wait_for_pipeline(
    transport: Transport,
    project: ProjectId,
    pipeline_id: int,
    how: WaitOptions,
    progress: PipelineProgress | None,
) -> Pipeline:
    """The pipeline once it has ended; its jobs are listed, after it, only for *progress*."""
    request = endpoints.get_pipeline(project, pipeline_id)
    its_jobs = endpoints.list_pipeline_jobs(project, pipeline_id)

    async def look() -> _Look[Pipeline]:
        pipeline = await read_pipeline(transport, request, Priority.BACKGROUND)
        if progress is None:
            return _Look(pipeline, pipeline.status, ())
        jobs = await read_jobs(transport, its_jobs, Priority.BACKGROUND)
        statuses = (pipeline.status, {job.id: job.status for job in jobs})
        return _Look(pipeline, statuses, (pipeline, jobs))

    what = f"pipeline {pipeline_id}"
    return await _Wait(what, look, transport.clock, how, progress).ended()


def _callable(_wait: object, _attribute: object, progress: Callable[..., object] | None) -> None:
    if progress is not None and not callable(progress):
        raise TypeError(f"progress must be a function or a coroutine function, not {progress!r}")


@define
class _Wait(Generic[T]):
    """One waiting; *last* is what the latest look has shown."""

    what: str
    look: Callable[[], Awaitable[_Look[T]]]
    clock: Clock
    how: WaitOptions
    progress: Callable[..., object] | None = field(validator=_callable)
    last: T | None = None

    async def ended(self) -> T:
        """What is waited for, once it has ended.

        Raises:
            WaitTimedOutError: time is up, whatever is under way then.
        """
        timeout, now = self.how.timeout, self.clock.now()
        if timeout is None:
            return await self._looks(WaitInterval(self.how.intervals, now))
        async with task_pool() as flight:
            flight.start("looks", self._looks(WaitInterval(self.how.intervals, now, now + timeout)))
            flight.start("time", self.clock.sleep(timeout))
            _, first = await flight.next_done()
            first.result()
        if self.last is None or not self.last.status.is_finished:
            raise WaitTimedOutError(self.what, timeout, self.last)
        return self.last

    async def _looks(self, pace: WaitInterval) -> T:
        tolerance, statuses = OutageTolerance(self.how.outage_timeout), None
        while True:
            try:
                look = await self.look()
            except GitLabError as error:
                wait = self._endured(error, tolerance)
            else:
                tolerance.succeeded()
                self.last = look.value
                if look.statuses != statuses:
                    statuses = look.statuses
                    pace.changed_at = self.clock.now()
                    await self._tell(look)
                if look.value.status.is_finished:
                    return look.value
                wait = pace.delay(self.clock.now(), jitter=jitter())
            await self.clock.sleep(wait)

    def _endured(self, error: GitLabError, tolerance: OutageTolerance) -> float:
        """Seconds to wait for *error* to pass; raise it where the tolerance is spent."""
        is_new = tolerance.is_healthy
        wait = tolerance.next_delay(error, self.clock.now(), jitter=jitter())
        if wait is None:
            raise error
        if is_new:
            _log.warning("%s cannot be looked at now, and is again later: %s", self.what, error)
        return wait

    async def _tell(self, look: _Look[T]) -> None:
        if self.progress is not None:
            told = self.progress(*look.told)
            if isinstance(told, Awaitable):
                await told
