"""Tries that follow one another as the policy decides; a wait holds no connection and no place."""

import logging
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from attrs import frozen

from gitlab_jobs_async.aio.clock import Clock
from gitlab_jobs_async.errors import GitLabError
from gitlab_jobs_async.sansio.credentials import Credentials
from gitlab_jobs_async.sansio.requests import Request
from gitlab_jobs_async.sansio.retrying import RetryPolicy
from gitlab_jobs_async.sansio.urls import ServerUrl

T = TypeVar("T")

_log = logging.getLogger("gitlab_jobs_async")


@frozen(kw_only=True)
class Sending:
    """How requests are sent: where to, as whom, how many at once, for how many seconds each."""

    server: ServerUrl
    credentials: Credentials | None
    concurrency: int
    timeout: float
    retry: RetryPolicy
    clock: Clock


async def retried(sending: Sending, request: Request, attempt: Callable[[], Awaitable[T]]) -> T:
    """What *attempt* returns in the end, or the error of its last try."""
    tried = 0
    while True:
        tried += 1
        try:
            return await attempt()
        except GitLabError as error:
            failure = error
        wait = sending.retry.wait_before_retry(
            tried,
            failure,
            is_safe=request.is_safe,
            jitter=random.random(),  # noqa: S311 - spreads retries, guards nothing
        )
        if wait is None:
            raise failure
        _log.debug("try %d failed, next in %.1f s: %s", tried, wait, failure)
        await sending.clock.sleep(wait)
