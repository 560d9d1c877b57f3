"""Tries that follow one another as the policy decides; a wait holds no connection and no place."""

import logging
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from gitlab_jobs_async.aio.settings import TransportSettings
from gitlab_jobs_async.errors import GitLabError
from gitlab_jobs_async.sansio.requests import Request

T = TypeVar("T")

_log = logging.getLogger("gitlab_jobs_async")


async def retried(
    settings: TransportSettings, request: Request, attempt: Callable[[], Awaitable[T]]
) -> T:
    """What *attempt* returns in the end, or the error of its last try."""
    tried = 0
    while True:
        tried += 1
        try:
            return await attempt()
        except GitLabError as error:
            failure = error
        wait = settings.retry.wait_before_retry(
            tried,
            failure,
            is_safe=request.is_safe,
            jitter=random.random(),  # noqa: S311 - spreads retries, guards nothing
        )
        if wait is None:
            raise failure
        _log.debug("try %d failed, next in %.1f s: %s", tried, wait, failure)
        await settings.clock.sleep(wait)
