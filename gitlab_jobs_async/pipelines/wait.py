"""Poll a job or a pipeline until it has ended, and tolerate outages of the server."""

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
from gitlab_jobs_async.polling.policy import PollPolicy
from gitlab_jobs_async.ratelimit.fair_queue import Priority
from gitlab_jobs_async.retry.outage import OutageTolerance

T = TypeVar("T", Job, Pipeline)

JobProgress = Callable[[Job], object]
PipelineProgress = Callable[[Pipeline, list[Job]], object]

_log = logging.getLogger("gitlab_jobs_async")


def _timeout_seconds(timeout: float | None) -> float | None:
    return None if timeout is None else seconds("timeout", timeout)


@frozen
class WaitOptions:
    """The *timeout* of a wait in seconds, and its poll *policy*."""

    timeout: float | None = field(converter=_timeout_seconds)
    policy: PollPolicy


@frozen
class _Snapshot(Generic[T]):
    """The result of one poll; *progress* is called with *arguments* if *statuses* have changed."""

    value: T
    statuses: object
    arguments: tuple[object, ...]


async def wait_for_job(
    transport: Transport,
    project: ProjectId,
    job_id: int,
    options: WaitOptions,
    progress: JobProgress | None,
) -> Job:
    """Return the job once it has ended."""
    request = endpoints.get_job(project, job_id)

    async def poll() -> _Snapshot[Job]:
        response = await transport.send(request, Priority.BACKGROUND)
        job = decode(response, Job, log_ignored_value)
        return _Snapshot(job, job.status, (job,))

    return await _Wait(f"job {job_id}", poll, transport.clock, options, progress).run()


async def wait_for_pipeline(
    transport: Transport,
    project: ProjectId,
    pipeline_id: int,
    options: WaitOptions,
    progress: PipelineProgress | None,
) -> Pipeline:
    """Return the pipeline once it has ended; its jobs are listed only for *progress*."""
    request = endpoints.get_pipeline(project, pipeline_id)
    list_jobs = endpoints.list_pipeline_jobs(project, pipeline_id)

    async def poll() -> _Snapshot[Pipeline]:
        pipeline = await read_pipeline(transport, request, Priority.BACKGROUND)
        if progress is None:
            return _Snapshot(pipeline, pipeline.status, ())
        # After the pipeline: once that has ended, all of its jobs have.
        jobs = await read_jobs(transport, list_jobs, Priority.BACKGROUND)
        statuses = (pipeline.status, {job.id: job.status for job in jobs})
        return _Snapshot(pipeline, statuses, (pipeline, jobs))

    what = f"pipeline {pipeline_id}"
    return await _Wait(what, poll, transport.clock, options, progress).run()


def _is_callable(_wait: object, _attribute: object, progress: Callable[..., object] | None) -> None:
    if progress is not None and not callable(progress):
        raise TypeError(f"progress must be a function or a coroutine function, not {progress!r}")


@define
class _Wait(Generic[T]):
    """One wait for *what*; *last* is the value of the latest poll."""

    what: str
    poll: Callable[[], Awaitable[_Snapshot[T]]]
    clock: Clock
    options: WaitOptions
    progress: Callable[..., object] | None = field(validator=_is_callable)
    last: T | None = None

    async def run(self) -> T:
        """Return the value once its status is final.

        Raises:
            WaitTimedOutError: the timeout has expired, also while a request is in flight.
        """
        timeout, now = self.options.timeout, self.clock.now()
        policy = self.options.policy
        intervals = PollIntervals(policy.interval, policy.max_interval)
        if timeout is None:
            return await self._poll_to_end(WaitInterval(intervals, now))
        interval = WaitInterval(intervals, now, now + timeout)
        async with task_pool() as tasks:
            tasks.start("polls", self._poll_to_end(interval))
            tasks.start("timeout", self.clock.sleep(timeout))
            _, first = await tasks.next_done()
            # Raise an error of the polls. If time is up, their last value may still be final.
            first.result()
        if self.last is None or not self.last.status.is_finished:
            raise WaitTimedOutError(self.what, timeout, self.last)
        return self.last

    async def _poll_to_end(self, interval: WaitInterval) -> T:
        tolerance, statuses = OutageTolerance(self.options.policy.outage_timeout), None
        while True:
            try:
                snapshot = await self.poll()
            except GitLabError as error:
                delay = self._delay_after(error, tolerance)
            else:
                tolerance.succeeded()
                self.last = snapshot.value
                if snapshot.statuses != statuses:
                    statuses = snapshot.statuses
                    interval.changed_at = self.clock.now()
                    await self._report(snapshot)
                if snapshot.value.status.is_finished:
                    return snapshot.value
                delay = interval.delay(self.clock.now(), jitter=jitter())
            await self.clock.sleep(delay)

    def _delay_after(self, error: GitLabError, tolerance: OutageTolerance) -> float:
        """Return the seconds until the next poll; raise *error* if it is not tolerated."""
        begins_outage = tolerance.is_healthy
        delay = tolerance.next_delay(error, self.clock.now(), jitter=jitter())
        if delay is None:
            raise error
        # Once per outage: a line per poll would fill the log.
        if begins_outage:
            _log.warning("%s unavailable, retrying: %s", self.what, error)
        return delay

    async def _report(self, snapshot: _Snapshot[T]) -> None:
        if self.progress is not None:
            result = self.progress(*snapshot.arguments)
            if isinstance(result, Awaitable):
                await result
