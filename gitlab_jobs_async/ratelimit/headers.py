"""Response headers -> what they state about rate limits, on the client's clock.

Follows https://docs.gitlab.com/administration/settings/user_and_ip_rate_limits/ and, for the JSON
429 of single endpoints, lib/gitlab/application_rate_limiter.rb. A number that cannot be is as good
as none.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from attrs import frozen

from gitlab_jobs_async.api.responses import http_date, retry_after

UNSAID_WAIT = 60.0
"""Seconds to wait after a 429 that says nothing: the window of every limit known."""

_LONGEST_WINDOW = 86_400.0
_ALIGNED = 60.0
_NUMBER = re.compile(r"\d{1,10}", re.ASCII)


@frozen
class StatedWindow:
    """What the `RateLimit-*` headers of an answer state: requests a minute, left, and until when.

    `reset` is in the server's unix seconds, `ends` in the client's.
    """

    name: str
    limit: int | None
    remaining: int
    reset: int
    ends: float


def stated_window(headers: Mapping[str, str], now: float) -> StatedWindow | None:
    """Return what the headers state; `Date` tells how far the server's clock is from ours."""
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


def is_of_one_kind(headers: Mapping[str, str]) -> bool:
    """Whether a 429 is that of GitLab's limiter of single endpoints: it alone speaks JSON.

    See lib/api/helpers.rb (`too_many_requests!`); Rack::Attack and most proxies send text. The head
    must do, since others would go while the body is read.
    """
    return headers.get("content-type", "").lower().startswith("application/json")


def next_whole_minute(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds until GitLab's limiter of single endpoints opens again, if it says 60.

    Its window is aligned to the whole minutes of the server's clock, so that the 60 seconds of its
    `Retry-After` are the most, not the wait. `None` where that cannot be known.
    """
    answered = http_date(headers.get("date", ""))
    if answered is None or retry_after(headers, now) not in {None, _ALIGNED}:
        return None
    return _ALIGNED - answered % _ALIGNED


def utc(at: float) -> str:
    """Return unix seconds as text; they may be as far away as a hostile server likes."""
    try:
        return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return f"{at:.0f} s after 1970"


def _number(text: str) -> int | None:
    return int(text) if _NUMBER.fullmatch(text) else None
