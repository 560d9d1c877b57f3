"""How long to wait before the next try, or to give up; the shell sleeps, chance is passed in.

A GET may be sent again whenever its answer did not come whole. Anything else may have been carried
out already, so it is sent again only where it surely was not.
"""

from math import inf
from typing import Any

from attrs import Attribute, field, frozen
from attrs.validators import ge, gt, instance_of, lt, not_

from gitlab_jobs_async.errors import (
    CertificateError,
    ConflictError,
    ConnectionFailedError,
    GitLabError,
    RateLimitedError,
    ResponseError,
)

LONGEST_SILENCE = 3600.0
"""Seconds: a longer pause is probed, with at most this long between two probes."""

_NOT_NOW = frozenset({408, 425, 429})
"""RFC 9110 15.5.9, RFC 8470 5.2, RFC 6585 4: refused now, and welcome later."""

_PERMANENT = frozenset({501, 505, 506, 508, 510, 511})
"""The 5xx that the same request gets again; all others, 52x and 530 of proxies too, may pass."""


def is_transient(error: GitLabError) -> bool:
    """Return whether the same request may succeed later, without anybody doing anything."""
    if isinstance(error, ConflictError):
        return _is_locked(error)
    if isinstance(error, ResponseError):
        status = error.status
        return status in _NOT_NOW or (500 <= status < 600 and status not in _PERMANENT)
    return isinstance(error, ConnectionFailedError) and not isinstance(error, CertificateError)


def _is_locked(error: ConflictError) -> bool:
    """GitLab's answer while another request holds the row: lib/api/api.rb."""
    return "resource lock" in error.message.lower()


def _is_seconds(_policy: object, attribute: "Attribute[Any]", value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{attribute.name} must be a number of seconds, not {value!r}")


@frozen(kw_only=True)
class RetryPolicy:
    """When a failed request is sent again.

    It is tried *attempts* times in all. Waits are random between 0 and *base* x 2 ^ tries seconds,
    at most *cap*; where the server says `Retry-After`, that long, but a wait above
    *longest_retry_after* seconds is the caller's decision: the error is raised at once. So it is
    for requests that a pause for the rate limit would hold back for longer. Nothing waits for more
    than an hour without asking again, whatever the server says.

    Raises:
        ValueError, TypeError: a number that cannot be; the message names it.
    """

    attempts: int = field(default=5, validator=[instance_of(int), not_(instance_of(bool)), ge(1)])
    base: float = field(default=0.5, validator=[_is_seconds, ge(0), lt(inf)])
    cap: float = field(default=30.0, validator=[_is_seconds, gt(0), lt(inf)])
    longest_retry_after: float = field(default=120.0, validator=[_is_seconds, ge(0)])

    def wait_before_retry(
        self, tried: int, error: GitLabError, *, is_safe: bool, jitter: float
    ) -> float | None:
        """Seconds to wait after *tried* failed tries, or `None` to give up with *error*.

        *is_safe* is whether sending the request twice does no harm, *jitter* a random number from
        0 to 1.
        """
        if tried >= self.attempts or not _may_be_sent_again(error, is_safe=is_safe):
            return None
        asked = error.retry_after if isinstance(error, ResponseError) else None
        if asked is None:
            return min(self.cap, self.base * 2.0 ** min(tried, 60)) * jitter
        if asked > self.longest_retry_after:
            return None
        return min(asked, LONGEST_SILENCE) + self.base * jitter


def _may_be_sent_again(error: GitLabError, *, is_safe: bool) -> bool:
    if is_safe:
        return is_transient(error)
    if isinstance(error, ConnectionFailedError):
        return not error.was_sent and is_transient(error)
    if isinstance(error, ConflictError):
        return _is_locked(error)
    return isinstance(error, RateLimitedError)
