"""Requests whose connection was ready only after their grant of a shared budget had expired.

They keep connection and slot, and get the next grants, since they were first in the queue before.
In a pause of the server they give both up, and wait in the queue again.
"""

import asyncio
from collections.abc import Iterator

from attrs import define, field

from gitlab_jobs_async.ratelimit.budget import RequestBudget
from gitlab_jobs_async.ratelimit.fair_queue import Waiter
from gitlab_jobs_async.ratelimit.limits import ALL
from gitlab_jobs_async.ratelimit.permits import PausedError


@define(eq=False, repr=False)
class Renewals:
    """Requests that wait for another grant."""

    _budget: RequestBudget
    _waiting: dict[Waiter, asyncio.Future[float]] = field(
        factory=dict[Waiter, asyncio.Future[float]], init=False
    )
    _probes: set[Waiter] = field(factory=set[Waiter], init=False)

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Waiter]:
        return iter(self._waiting)

    def add(self, waiter: Waiter, *, is_probe: bool) -> asyncio.Future[float]:
        """Return a future that gets the time at which the new grant expires.

        Only a probe of a pause may be sent during one.
        """
        if is_probe:
            self._probes.add(waiter)
        renewed = self._waiting[waiter] = asyncio.get_running_loop().create_future()
        return renewed

    def remove(self, waiter: Waiter) -> None:
        """Remove a request that waits no longer; ignore an unknown one."""
        self._waiting.pop(waiter, None)
        self._probes.discard(waiter)

    def grant(self, now: float) -> None:
        """Grant what the store has granted meanwhile; in a pause, send requests back."""
        for waiter, renewed in list(self._waiting.items()):
            if renewed.done():
                continue  # its task was cancelled, and has not run yet
            if waiter not in self._probes and self._is_paused(waiter, now):
                renewed.set_exception(PausedError)
            elif (expires := self._budget.renewed(waiter.request_class.kind, now)) is not None:
                renewed.set_result(expires)
            else:
                continue
            del self._waiting[waiter]

    def _is_paused(self, waiter: Waiter, now: float) -> bool:
        kind, priority = waiter.request_class.kind, waiter.request_class.priority
        scopes = {ALL, self._budget.bucket_of(kind)}
        return any(self._budget.blocked_for(priority, now, scope) > 0 for scope in scopes)

    def fail(self, error: BaseException) -> None:
        """Raise *error* in all calls that wait."""
        for renewed in self._waiting.values():
            if not renewed.done():
                renewed.set_exception(error)
        self._waiting.clear()
