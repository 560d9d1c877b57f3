"""Permits to send one request each, which also hold its slot."""

from math import inf
from typing import Protocol

from attrs import define

from gitlab_jobs_async.api.responses import Response
from gitlab_jobs_async.ratelimit.budget import RequestBudget, Slots
from gitlab_jobs_async.ratelimit.fair_queue import Waiter
from gitlab_jobs_async.ratelimit.tracker import Sent


class PausedError(Exception):
    """A request that was not sent, since the server has asked for a pause meanwhile."""


class Issuer(Protocol):
    """The limiter that has granted a permit."""

    is_open: bool
    budget: RequestBudget

    async def renew(self, waiter: Waiter, *, is_probe: bool) -> float:
        """Wait for another grant of a request that has its slot; return when that expires."""

    def is_expired(self, until: float) -> bool:
        """Return whether a request may no longer be sent with a grant that was good *until*."""

    def on_response(self, sent: Sent, response: Response) -> None:
        """Learn from the head of a response, and grant the permits that it allows."""

    def on_lost(self, sent: Sent) -> None:
        """Record a request without a response."""

    def dispatch(self) -> None:
        """Grant all permits that are possible now."""


@define(eq=False, repr=False)
class Permit:
    """A slot, held until `release`, and at first a request in flight.

    The request is `answered` or `cancelled`; if neither by its release, it was lost.
    """

    _limiter: Issuer
    _waiter: Waiter
    _slots: Slots
    refusals: int
    _sent: Sent | None
    _expires: float = inf

    @property
    def has_expired(self) -> bool:
        """Whether the request may not be sent any more: a connection was ready too late."""
        return self._sent is not None and self._limiter.is_expired(self._expires)

    async def renew(self) -> None:
        """Wait for another grant of the shared budget.

        Raises:
            PausedError: the server has asked for a pause meanwhile.
            RuntimeError: the client was closed meanwhile.
        """
        is_probe = self._sent is not None and bool(self._sent.probes)
        while self.has_expired:
            self._expires = await self._limiter.renew(self._waiter, is_probe=is_probe)

    def answered(self, response: Response) -> None:
        """Settle the request by the head of its response."""
        if (sent := self._settle()) is not None:
            self._limiter.on_response(sent, response)

    def cancelled(self) -> None:
        """Settle the request as certainly not sent."""
        if (sent := self._settle()) is not None:
            self._limiter.budget.cancelled(sent)

    def return_unused(self) -> None:
        """Release the slot without a request, and without granting the next permit."""
        self.cancelled()
        self._slots.in_use -= 1

    def release(self) -> None:
        """Release the slot, and grant the next permit."""
        if (sent := self._settle()) is not None:
            self._limiter.on_lost(sent)
        self._slots.in_use -= 1
        self._limiter.dispatch()

    def _settle(self) -> Sent | None:
        sent, self._sent = self._sent, None
        return sent if self._limiter.is_open else None
