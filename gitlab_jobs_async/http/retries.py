"""Send a request with retries; a wait holds no connection and no slot."""

import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Generic, TypeVar

from attrs import frozen

from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.clock import Clock, jitter
from gitlab_jobs_async.errors import (
    AuthenticationError,
    GitLabError,
    RateLimitedError,
    ResponseError,
)
from gitlab_jobs_async.http.observer import RequestObserver
from gitlab_jobs_async.retry.policy import RetryPolicy

T = TypeVar("T")

_log = logging.getLogger("gitlab_jobs_async")


@frozen(eq=False, repr=False)
class Call(Generic[T]):
    """One call: how its request is sent once, and what its retries depend on.

    *renew* gets other credentials after a 401, if there are any. A response whose status is in
    *final* is raised without a retry.
    """

    request: Request
    observer: RequestObserver
    attempt: Callable[[], Awaitable[T]]
    is_paused: Callable[[], bool]
    is_refused_probe: Callable[[], bool]
    renew: Callable[[], Awaitable[bool]]
    final: Collection[int] = ()


async def send_with_retries(policy: RetryPolicy, clock: Clock, call: Call[T]) -> T:
    """Return the result of an attempt, or raise the error of the last one."""
    sent = attempts = 0
    was_renewed = False
    while True:
        sent, attempts = sent + 1, attempts + 1
        call.observer.attempted(sent)
        wait, is_queued = None, False
        try:
            return await call.attempt()
        except GitLabError as error:
            failure = error
            # A server that answers 401 has carried out nothing, so an action is sent again, too.
            if isinstance(error, AuthenticationError) and not was_renewed and await call.renew():
                was_renewed = True
                attempts -= 1
                wait = 0.0
            else:
                # An attempt that only probed a long pause does not count.
                if attempts > 1 and _is_probe(call, error):
                    attempts -= 1
                wait = _wait_before_retry(policy, attempts, error, call)
            if wait is not None and isinstance(error, RateLimitedError) and call.is_paused():
                # In a pause the request waits in the limiter's queue, in fair order.
                wait, is_queued = 0.0, True
        finally:
            call.observer.decided(wait)
        if wait is None:
            raise failure
        if is_queued:
            _log.debug("attempt %d failed, next when the rate limit allows: %s", attempts, failure)
            continue
        _log.debug("attempt %d failed, next in %.1f s: %s", attempts, wait, failure)
        await clock.sleep(wait)


def _is_probe(call: Call[T], error: GitLabError) -> bool:
    return isinstance(error, RateLimitedError) and call.is_refused_probe()


def _wait_before_retry(
    policy: RetryPolicy, attempts: int, error: GitLabError, call: Call[T]
) -> float | None:
    if isinstance(error, ResponseError) and error.status in call.final:
        return None
    is_safe = call.request.is_repeatable
    return policy.wait_before_retry(attempts, error, is_safe=is_safe, jitter=jitter())
