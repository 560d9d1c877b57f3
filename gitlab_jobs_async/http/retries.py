"""Tries that follow one another as the policy decides; a wait holds no connection and no place."""

import logging
from collections.abc import Awaitable, Callable, Collection
from typing import TypeVar

from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.clock import Clock, jitter
from gitlab_jobs_async.errors import GitLabError, RateLimitedError, ResponseError
from gitlab_jobs_async.retry.policy import RetryPolicy

T = TypeVar("T")

_log = logging.getLogger("gitlab_jobs_async")


async def send_with_retries(
    policy: RetryPolicy,
    clock: Clock,
    request: Request,
    attempt: Callable[[], Awaitable[T]],
    is_held_back: Callable[[], bool],
    is_refused_probe: Callable[[], bool],
    final: Collection[int] = (),
) -> T:
    """What *attempt* returns in the end, or the error of its last try.

    An answer whose status is in *final* is not tried again, whatever the policy.

    Where *is_held_back* says that the next try has to wait for the rate limit anyhow, it waits
    there: as one of many that have their turns, rather than by itself. A try that by
    *is_refused_probe* only tested a long pause leaves as many as there were.
    """
    tried = 0
    while True:
        tried += 1
        try:
            return await attempt()
        except GitLabError as error:
            failure = error
        if isinstance(failure, ResponseError) and failure.status in final:
            raise failure
        if tried > 1 and isinstance(failure, RateLimitedError) and is_refused_probe():
            tried -= 1
        wait = policy.wait_before_retry(
            tried,
            failure,
            is_safe=request.is_safe,
            jitter=jitter(),
        )
        if wait is None:
            raise failure
        if isinstance(failure, RateLimitedError) and is_held_back():
            _log.debug("try %d failed, next when the rate limit lets it: %s", tried, failure)
            continue
        _log.debug("try %d failed, next in %.1f s: %s", tried, wait, failure)
        await clock.sleep(wait)
