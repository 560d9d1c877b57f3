"""Both rate limits of a server, with fixed windows.

Follows lib/gitlab/rack_attack.rb and lib/gitlab/application_rate_limiter.rb.
"""

import math
from email.utils import formatdate

from attrs import define, field

from gitlab_jobs_async.simulator.api.answers import TEXT, Answer, ApiError, Plain, json_answer
from gitlab_jobs_async.simulator.settings import SimulatorSettings

_MINUTE = 60.0
_TOO_MANY = "This endpoint has been requested too many times. Try again later."
Headers = tuple[tuple[str, str], ...]


@define
class FixedWindow:
    """Counts of one fixed window by key."""

    number: int = -1
    counts: dict[str, int] = field(factory=dict[str, int])

    def count(self, key: str, now: float, seconds: float) -> int:
        """Count one request and return the number in this window."""
        number = int(now // seconds)
        if number != self.number:
            self.number = number
            self.counts.clear()
        self.counts[key] = self.counts.get(key, 0) + 1
        return self.counts[key]


@define
class Limits:
    """Requests in the present windows, and the limits on the next one."""

    _api: FixedWindow = field(factory=FixedWindow)
    _jobs_index: FixedWindow = field(factory=FixedWindow)

    def throttle(
        self, settings: SimulatorSettings, caller: str | None, now: float
    ) -> tuple[Headers, Answer | None]:
        """Return the headers of Rack::Attack, and its 429 past the limit."""
        limit, seconds = settings.api_limit, settings.api_window
        # A limit that is off sends no headers either.
        if limit is None:
            return (), None
        observed = self._api.count(caller or "", now, seconds)
        # Windows are aligned to the epoch, not to the first request.
        reset = (now // seconds + 1) * seconds
        headers: Headers = (
            # The header is per minute, whatever the window.
            ("RateLimit-Limit", str(math.ceil(limit * 60 / seconds))),
            ("RateLimit-Name", f"throttle_{'' if caller else 'un'}authenticated_api"),
            ("RateLimit-Observed", str(observed)),
            ("RateLimit-Remaining", str(max(0, limit - observed))),
            ("RateLimit-Reset", str(int(reset))),
        )
        if observed > limit:
            wait = int(seconds - int(now) % seconds)
            refusal: Headers = (
                TEXT,
                ("RateLimit-ResetTime", formatdate(reset, usegmt=True)),
                ("Retry-After", str(wait)),
            )
            return headers, Answer(429, refusal, Plain(b"Retry later\n"))
        return headers if settings.features.rate_limit_headers else (), None

    def jobs_index(self, settings: SimulatorSettings, user_id: int | None, now: float) -> None:
        """Count a request to GET /projects/:id/jobs, and raise the 429 past the limit.

        The window is a minute of the epoch. GitLab sends its whole length as `Retry-After`.
        """
        limit = settings.jobs_per_minute
        if limit and self._jobs_index.count(str(user_id), now, _MINUTE) > limit:
            has_wait = settings.features.jobs_index_retry_after
            raise ApiError(too_many_requests(retry_after=int(_MINUTE) if has_wait else None))


def too_many_requests(*, retry_after: int | None = 60) -> Answer:
    """Return the JSON 429 of the application limiter."""
    headers: Headers = () if retry_after is None else (("Retry-After", str(retry_after)),)
    return json_answer({"message": {"error": _TOO_MANY}}, 429, headers)
