"""Send a request with retries; a wait holds no connection and no slot."""

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
    is_paused: Callable[[], bool],
    is_refused_probe: Callable[[], bool],
    final: Collection[int] = (),
) -> T:
    """Return the result of *attempt*, or raise the error of its last try.

    A response whose status is in *final* is raised without a retry.
    """
    attempts = 0
    while True:
        attempts += 1
        try:
            return await attempt()
        except GitLabError as error:
            failure = error
        if isinstance(failure, ResponseError) and failure.status in final:
            raise failure
        # An attempt that only probed a long pause does not count.
        if attempts > 1 and isinstance(failure, RateLimitedError) and is_refused_probe():
            attempts -= 1
        wait = policy.wait_before_retry(
            attempts,
            failure,
            is_safe=request.is_repeatable,
            jitter=jitter(),
        )
        if wait is None:
            raise failure
        # In a pause the request waits in the limiter's queue, in fair order.
        if isinstance(failure, RateLimitedError) and is_paused():
            _log.debug("attempt %d failed, next when the rate limit allows: %s", attempts, failure)
            continue
        _log.debug("attempt %d failed, next in %.1f s: %s", attempts, wait, failure)
        await clock.sleep(wait)
