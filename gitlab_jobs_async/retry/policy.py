"""Retry policy of one request; the caller sleeps and draws the jitter.

A GET is retried whenever its response was incomplete. An action may have been carried out already,
so it is retried only where the server certainly did not process it.
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
from gitlab_jobs_async.retry.backoff import LONGEST_PAUSE, Backoff

# RFC 9110 15.5.9, RFC 8470 5.2, RFC 6585 4: refused now, accepted later.
_RETRYABLE_4XX = frozenset({408, 425, 429})

# These do not pass by themselves. Every other 5xx may, also 52x and 530 of proxies.
_PERMANENT_5XX = frozenset({501, 505, 506, 508, 510, 511})


def is_transient(error: GitLabError) -> bool:
    """Return whether the same request may succeed later without anything being changed."""
    if isinstance(error, ConflictError):
        return _is_lock_conflict(error)
    if isinstance(error, ResponseError):
        status = error.status
        return status in _RETRYABLE_4XX or (500 <= status < 600 and status not in _PERMANENT_5XX)
    return isinstance(error, ConnectionFailedError) and not isinstance(error, CertificateError)


def _is_lock_conflict(error: ConflictError) -> bool:
    # GitLab's response while another request holds the row: lib/api/api.rb.
    return "resource lock" in error.message.lower()


def _is_seconds(_policy: object, attribute: "Attribute[Any]", value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{attribute.name} must be a number of seconds, not {value!r}")


@frozen(kw_only=True)
class RetryPolicy:
    """Decides when a failed request is sent again: `GitLab(retry=RetryPolicy(attempts=3))`.

    A GET is retried on a lost connection, a timeout, a truncated body, 408, 425, 429 and transient
    5xx. An action is retried on 429, on a locked resource (409), and when it was never sent.

    Attributes:
        attempts: tries of one request in all, the first included.
        base: seconds; the wait after try n is random between 0 and *base* x 2 ** n.
        cap: seconds, the longest such wait. A `Retry-After` of the server replaces it.
        longest_retry_after: seconds; a longer `Retry-After` or rate-limit pause raises its error
            at once. Pauses of more than an hour are probed at least once an hour.

    Raises:
        ValueError, TypeError: an attribute is out of range.
    """

    attempts: int = field(default=5, validator=[instance_of(int), not_(instance_of(bool)), ge(1)])
    base: float = field(default=0.5, validator=[_is_seconds, ge(0), lt(inf)])
    cap: float = field(default=30.0, validator=[_is_seconds, gt(0), lt(inf)])
    longest_retry_after: float = field(default=120.0, validator=[_is_seconds, ge(0)])

    def wait_before_retry(
        self, attempts: int, error: GitLabError, *, is_safe: bool, jitter: float
    ) -> float | None:
        """Return the seconds to wait after failed *attempts*, or `None` to give up with *error*.

        *is_safe* is whether sending the request twice does no harm, *jitter* a random number from
        0 to 1.
        """
        if attempts >= self.attempts or not _is_retryable(error, is_safe=is_safe):
            return None
        requested = error.retry_after if isinstance(error, ResponseError) else None
        if requested is None:
            return Backoff(self.base, 2.0, self.cap).delay(attempts, jitter)
        # The caller decides about a long wait: a call must not block for hours.
        if requested > self.longest_retry_after:
            return None
        return min(requested, LONGEST_PAUSE) + self.base * jitter


def _is_retryable(error: GitLabError, *, is_safe: bool) -> bool:
    if is_safe:
        return is_transient(error)
    if isinstance(error, ConnectionFailedError):
        return not error.was_sent and is_transient(error)
    if isinstance(error, ConflictError):
        return _is_lock_conflict(error)
    return isinstance(error, RateLimitedError)
