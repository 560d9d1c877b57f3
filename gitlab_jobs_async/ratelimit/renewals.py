"""Requests whose connection was ready only after their grant of a shared budget had expired.

They keep connection and slot, and get the next grants, since they were first in the queue before.
"""

import asyncio
from collections.abc import Iterator

from attrs import define, field

from gitlab_jobs_async.ratelimit.budget import RequestBudget
from gitlab_jobs_async.ratelimit.fair_queue import Waiter


@define(eq=False, repr=False)
class Renewals:
    """Requests that wait for another grant."""

    _budget: RequestBudget
    _waiting: dict[Waiter, asyncio.Future[float]] = field(
        factory=dict[Waiter, asyncio.Future[float]], init=False
    )

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Waiter]:
        return iter(self._waiting)

    def add(self, waiter: Waiter) -> asyncio.Future[float]:
        """Return a future that gets the time at which the new grant expires."""
        renewed = self._waiting[waiter] = asyncio.get_running_loop().create_future()
        return renewed

    def remove(self, waiter: Waiter) -> None:
        """Remove a request that waits no longer; ignore an unknown one."""
        self._waiting.pop(waiter, None)

    def grant(self, now: float) -> None:
        """Grant what the store has granted meanwhile."""
        for waiter, renewed in list(self._waiting.items()):
            expires = self._budget.renewed(waiter.request_class.kind, now)
            if expires is None:
                continue
            del self._waiting[waiter]
            if not renewed.done():
                renewed.set_result(expires)

    def fail(self, error: BaseException) -> None:
        """Raise *error* in all calls that wait."""
        for renewed in self._waiting.values():
            if not renewed.done():
                renewed.set_exception(error)
        self._waiting.clear()
