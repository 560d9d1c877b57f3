"""Rate limits that response headers state, on the client's clock.

Follows https://docs.gitlab.com/administration/settings/user_and_ip_rate_limits/ and, for the JSON
429 of single endpoints, lib/gitlab/application_rate_limiter.rb. Impossible numbers are ignored.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from attrs import frozen

from gitlab_jobs_async.api.responses import http_date, retry_after

DEFAULT_WAIT = 60.0
"""Seconds to wait after a 429 that states nothing: the window of every known limit."""

# A later reset is a mistake of a proxy or a clock.
_LONGEST_WINDOW = 86_400.0
_ALIGNED = 60.0
_NUMBER = re.compile(r"\d{1,10}", re.ASCII)


@frozen(eq=False, repr=False)
class StatedWindow:
    """Window that `RateLimit-*` headers state: requests a minute, remaining ones, and its end.

    `reset` is in the server's unix seconds, `ends` in the client's.
    """

    name: str
    limit: int | None
    remaining: int
    reset: int
    ends: float


def stated_window(headers: Mapping[str, str], now: float) -> StatedWindow | None:
    """Return the window that *headers* state; `Date` gives the offset of the server's clock."""
    limit, remaining, reset = (
        _number(headers.get(f"ratelimit-{name}", "")) for name in ("limit", "remaining", "reset")
    )
    if remaining is None or reset is None:
        return None
    answered = http_date(headers.get("date", ""))
    left = reset - (now if answered is None else answered)
    if not 0 < left <= _LONGEST_WINDOW:
        return None
    name = headers.get("ratelimit-name", "")
    return StatedWindow(name, limit or None, remaining, reset, now + left)


def is_endpoint_limit(headers: Mapping[str, str]) -> bool:
    """Return whether a 429 comes from GitLab's limiter of single endpoints: it alone sends JSON.

    See lib/api/helpers.rb (`too_many_requests!`); Rack::Attack and most proxies send text.
    """
    # The head must do: other requests would be sent while the body is read.
    return headers.get("content-type", "").lower().startswith("application/json")


def seconds_to_window_end(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds until GitLab's limiter of single endpoints resets, or `None`.

    Its window is aligned to whole minutes of the server's clock, so the 60 seconds of its
    `Retry-After` are the longest wait.
    """
    answered = http_date(headers.get("date", ""))
    if answered is None or retry_after(headers, now) not in {None, _ALIGNED}:
        return None
    return _ALIGNED - answered % _ALIGNED


def utc(at: float) -> str:
    """Return unix seconds as text, however far away a hostile server puts them."""
    try:
        return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return f"{at:.0f} s after 1970"


def _number(text: str) -> int | None:
    return int(text) if _NUMBER.fullmatch(text) else None
