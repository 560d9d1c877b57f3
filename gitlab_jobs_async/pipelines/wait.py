"""Poll a job or a pipeline until it has ended, and tolerate outages of the server."""

import logging
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from math import inf
from typing import Generic, TypeVar

from attrs import Attribute, define, field, frozen

from gitlab_jobs_async.api import endpoints
from gitlab_jobs_async.api.parameters import ProjectId, WaitUntil, flag, seconds, wait_until
from gitlab_jobs_async.clock import Clock, jitter
from gitlab_jobs_async.concurrency import task_pool
from gitlab_jobs_async.errors import GitLabError, WaitTimedOutError
from gitlab_jobs_async.http.transport import Transport
from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.models.pipelines import Pipeline
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.pipelines.fetch import read_jobs
from gitlab_jobs_async.pipelines.poll_interval import answered_each, next_poll_at
from gitlab_jobs_async.polling.attempts import Attempts
from gitlab_jobs_async.polling.pace import PaceShare
from gitlab_jobs_async.polling.policy import PollPolicy
from gitlab_jobs_async.polling.polls import Polls
from gitlab_jobs_async.polling.statuses import StatusShare
from gitlab_jobs_async.ratelimit.fair_queue import Priority
from gitlab_jobs_async.retry.outage import OutageTolerance

T = TypeVar("T", Job, Pipeline)

JobProgress = Callable[[Job], object]
PipelineProgress = Callable[[Pipeline, list[Job]], object]

_log = logging.getLogger("gitlab_jobs_async")


def _timeout_seconds(timeout: float | None) -> float | None:
    return None if timeout is None else seconds("timeout", timeout)


def _until(_options: object, _attribute: object, until: str) -> None:
    wait_until(until)


def _is_flag(_options: object, attribute: "Attribute[bool]", value: object) -> None:
    flag(attribute.name, value)


@frozen
class WaitOptions:
    """The *timeout* of a wait in seconds, its poll *policy*, and what it waits for.

    *until* "blocked" also ends the wait for a pipeline that only a manual job can continue. With
    *follow_retries*, the wait for a job ends with its last attempt.
    """

    timeout: float | None = field(converter=_timeout_seconds)
    policy: PollPolicy
    until: WaitUntil = field(default="finished", validator=_until)
    follow_retries: bool = field(default=False, validator=_is_flag)

    def is_over(self, status: JobStatus) -> bool:
        """Return whether the wait ends at this status."""
        return status.is_finished or (self.until == "blocked" and status == JobStatus.MANUAL)


@frozen
class _Snapshot(Generic[T]):
    """The result of one poll; *progress* is called with *arguments* if *statuses* have changed.

    Whatever its status, the wait goes on while the value is *unsettled*.
    """

    value: T
    statuses: object
    arguments: tuple[object, ...]
    unsettled: bool = False


async def wait_for_job(
    transport: Transport,
    polls: Polls,
    project: ProjectId,
    job_id: int,
    options: WaitOptions,
    progress: JobProgress | None,
) -> Job:
    """Return the job, or its last attempt, once it has ended."""
    endpoints.get_job(project, job_id)  # checks the ids
    attempts = Attempts(transport, project)

    with ExitStack() as statuses, polls.pace.join(options.policy) as pace:

        def join(number: int) -> StatusShare[Job]:
            statuses.close()
            return statuses.enter_context(polls.statuses.join(project, number, options.policy))

        async def poll() -> _Snapshot[Job]:
            began = transport.clock.now()
            job = await wait.status.poll()
            unsettled = False
            if options.follow_retries and job.status.is_finished:
                following = await attempts.next_after(job)
                unsettled = following is not None or began < attempts.retried_until(job)
                if following is not None:
                    job, wait.status = following, join(following.id)
            return _Snapshot(job, (job.id, job.status), (job,), unsettled)

        wait = _Wait(
            f"job {job_id}", poll, transport.clock, options, join(job_id), pace, 1, progress
        )
        return await wait.run()


async def wait_for_pipeline(
    transport: Transport,
    polls: Polls,
    project: ProjectId,
    pipeline_id: int,
    options: WaitOptions,
    progress: PipelineProgress | None,
) -> Pipeline:
    """Return the pipeline once the wait is over; its jobs are listed only for *progress*."""
    list_jobs = endpoints.list_pipeline_jobs(project, pipeline_id)

    with (
        polls.pipelines.join(project, pipeline_id, options.policy) as status,
        polls.pace.join(options.policy) as pace,
    ):
        last: Pipeline | None = None

        async def poll() -> _Snapshot[Pipeline]:
            nonlocal last
            pipeline = await status.poll()
            if last is None or pipeline.status != last.status:
                # A row of a listing has fewer fields.
                last = await status.poll(single=True) if status.is_shared else pipeline
            if progress is None:
                return _Snapshot(last, last.status, ())
            # After the pipeline: once that has ended, all of its jobs have.
            jobs = await read_jobs(transport, list_jobs, Priority.BACKGROUND)
            statuses = (last.status, {job.id: job.status for job in jobs})
            return _Snapshot(last, statuses, (last, jobs))

        what, requests = f"pipeline {pipeline_id}", 1 if progress is None else 2
        return await _Wait(
            what, poll, transport.clock, options, status, pace, requests, progress
        ).run()


def check_progress(progress: Callable[..., object] | None) -> None:
    """Raise `TypeError` for a *progress* that cannot be called."""
    if progress is not None and not callable(progress):
        raise TypeError(f"progress must be a function or a coroutine function, not {progress!r}")


def _is_callable(_wait: object, _attribute: object, progress: Callable[..., object] | None) -> None:
    check_progress(progress)


@define(eq=False, repr=False)
class _Wait(Generic[T]):
    """One wait for *what*; *last* is the value of the latest poll, which took *requests*."""

    what: str
    poll: Callable[[], Awaitable[_Snapshot[T]]]
    clock: Clock
    options: WaitOptions
    status: StatusShare[T]
    pace: PaceShare
    requests: int
    progress: Callable[..., object] | None = field(validator=_is_callable)
    last: T | None = None

    async def run(self) -> T:
        """Return the value once its status is final.

        Raises:
            WaitTimedOutError: the timeout has expired, also while a request is in flight.
        """
        timeout = self.options.timeout
        if timeout is None:
            return await self._poll_to_end(inf)
        async with task_pool() as tasks:
            tasks.start("polls", self._poll_to_end(self.clock.now() + timeout))
            tasks.start("timeout", self.clock.sleep(timeout))
            _, first = await tasks.next_done()
            # Raise an error of the polls. If time is up, their last value may still be final.
            first.result()
        if self.last is None or not self.options.is_over(self.last.status):
            raise WaitTimedOutError(self.what, timeout, self.last)
        return self.last

    async def _poll_to_end(self, until: float) -> T:
        tolerance, statuses = OutageTolerance(self.options.policy.outage_timeout), None
        while True:
            began = self.clock.now()
            try:
                snapshot = await self.poll()
            except GitLabError as error:
                delay = self._delay_after(error, tolerance)
            else:
                tolerance.succeeded()
                self.last = snapshot.value
                if snapshot.statuses != statuses:
                    statuses = snapshot.statuses
                    await self._report(snapshot)
                if self.options.is_over(snapshot.value.status) and not snapshot.unsettled:
                    return snapshot.value
                delay = next_poll_at(self._due_at(began), self.clock.now(), until)
                delay -= self.clock.now()
            await self.clock.sleep(max(0.0, delay))

    def _due_at(self, began: float) -> float:
        """Return the time of the poll after one that *began* at that time."""
        now, is_shared = self.clock.now(), self.status.is_shared
        own_requests = self.requests - is_shared
        self.pace.claim(float(own_requests))
        at = answered_each(self.pace.interval, began, now) if own_requests else now
        return max(at, self.status.next_at(now)) if is_shared else at

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
