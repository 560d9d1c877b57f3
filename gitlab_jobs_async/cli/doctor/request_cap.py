"""A budget that ends: requests beyond it are refused, redirects and repetitions included."""

from typing import Final

from attrs import define, field, setters

from gitlab_jobs_async.ratelimit.budget import RequestBudget
from gitlab_jobs_async.ratelimit.fair_queue import Priority
from gitlab_jobs_async.ratelimit.limits import ALL
from gitlab_jobs_async.ratelimit.tracker import Sent

# Longer than any wait that a client accepts, so that a request beyond the cap fails at once.
_NEVER: Final = 86_400.0


@define(eq=False, on_setattr=setters.NO_OP)
class RequestCap(RequestBudget):
    """Budget of at most `most` requests in all; a later one raises `RateLimitedError` unsent."""

    most: int = field(kw_only=True)
    requests: int = field(init=False, default=0)

    @property
    def left(self) -> int:
        """Requests that may still be sent."""
        return self.most - self.requests

    def sent(self, kind: str, priority: Priority = Priority.DIRECT) -> Sent:
        """Count a request that goes now."""
        self.requests += 1
        return super().sent(kind, priority)

    def available_at(self, priority: Priority, now: float, kind: str = ALL) -> float:
        """Return when the next request may go; far away once the cap is reached."""
        at = super().available_at(priority, now, kind)
        return at if self.left > 0 else now + _NEVER

    def blocked_for(self, priority: Priority, now: float, kind: str = ALL) -> float:
        """Return the seconds left of a pause; many once the cap is reached."""
        pause = super().blocked_for(priority, now, kind)
        return pause if self.left > 0 else _NEVER
