"""Follow the logs of a job's attempts, one after the other."""

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from attrs import evolve

from gitlab_jobs_async.api.parameters import flag
from gitlab_jobs_async.clock import jitter
from gitlab_jobs_async.errors import GitLabError
from gitlab_jobs_async.logs.follow import JobLog, LogEnded
from gitlab_jobs_async.logs.poll_queue import NotBefore, PollSource, sleep_between
from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.models.logs import LogLine
from gitlab_jobs_async.polling.attempts import Attempts
from gitlab_jobs_async.retry.outage import OutageTolerance

_log = logging.getLogger("gitlab_jobs_async")


def check_follow_retries(*, follow_retries: bool, follow: bool) -> bool:
    """Return *follow_retries* if it is a boolean, and goes together with *follow*."""
    flag("follow_retries", follow_retries)
    if follow_retries and not follow:
        raise ValueError("follow_retries=True: expected follow=True")
    return follow_retries


async def lines_of_attempts(
    log: JobLog, *, last: int | None, offset: int
) -> AsyncGenerator[LogLine, None]:
    """Emit the lines of *log*, and those of the job's next attempts."""
    lines = attempt_lines(log, last=last, offset=offset)
    async with aclosing(sleep_between(log.transport.clock, lines)) as items:
        async for item in items:
            if isinstance(item, LogLine):
                yield item


async def attempt_lines(
    log: JobLog,
    *,
    last: int | None,
    offset: int,
    matching: Callable[[LogLine], bool] | None = None,
) -> PollSource[LogLine | LogEnded | Job]:
    """Emit the lines of *log* until its end, then each next attempt as a `Job`, and its lines.

    *last* and *offset* are those of the first log.
    """
    while True:
        ended = None
        lines = log.scheduled_lines(last=last, follow=True, offset=offset, matching=matching)
        async with aclosing(lines):
            async for line in lines:
                if isinstance(line, LogEnded):
                    ended = line.job
                yield line
        following: Job | None = None
        if ended is not None and ended.status.is_finished:
            async with aclosing(_next_attempt(log, ended)) as steps:
                async for step in steps:
                    if isinstance(step, Job):
                        following = step
                    else:
                        yield step
        if following is None:
            return
        yield following
        log = evolve(log, job_id=following.id, known=following)
        last, offset = None, 0


async def _next_attempt(log: JobLog, ended: Job) -> PollSource[Job]:
    """Emit the attempt after *ended*, or nothing if GitLab creates none in time."""
    options, clock = log.options, log.transport.clock
    attempts = Attempts(log.transport, log.project)
    tolerance = OutageTolerance(
        options.policy.outage_timeout, options.max_denials, options.outlasts_rate_limits
    )
    while True:
        at = clock.now()
        try:
            found = await attempts.next_after(ended)
        except GitLabError as error:
            is_first = tolerance.is_healthy
            delay = tolerance.next_delay(error, clock.now(), jitter=jitter())
            if delay is None:
                raise
            if is_first:
                _log.warning("attempts unavailable, retrying: %s", error)
            yield NotBefore(clock.now() + delay)
            continue
        if found is not None:
            yield found
        if found is not None or at >= attempts.retried_until(ended):
            return
        tolerance.succeeded()
        yield NotBefore(attempts.retried_until(ended))
