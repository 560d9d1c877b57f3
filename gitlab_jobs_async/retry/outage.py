"""Tolerate transient errors for a limited time while something is polled.

Outage tolerance begins where the retries of a single request end. Client errors are raised at once.
"""

from attrs import define

from gitlab_jobs_async.errors import (
    AuthenticationError,
    CredentialsError,
    DecodeError,
    GitLabError,
    ListingChangedError,
    RateLimitedError,
    ResponseError,
)
from gitlab_jobs_async.retry.backoff import LONGEST_PAUSE, Backoff
from gitlab_jobs_async.retry.policy import is_transient

# Proxies send a web page while GitLab is down, which is a DecodeError. Sending one request again
# does not help there, polling later does.
# The same holds for the service that the caller's function gets credentials from.
_TRANSIENT_WHEN_POLLING = (CredentialsError, DecodeError, ListingChangedError)

_BACKOFF = Backoff(1.0, 2.0, 30.0)
_LONGEST_OUTLASTED = 60.0


def outage_seconds(outage_timeout: float) -> float:
    """Return *outage_timeout* as a float; 0 and infinity are valid.

    Raises:
        ValueError, TypeError: it is not a number of seconds from 0.
    """
    message = f"outage_timeout must be a number of seconds from 0, not {outage_timeout!r}"
    if isinstance(outage_timeout, bool) or not isinstance(outage_timeout, int | float):
        raise TypeError(message)
    if not outage_timeout >= 0:
        raise ValueError(message)
    return float(outage_timeout)


@define(eq=False, repr=False)
class OutageTolerance:
    """Decides how long errors are tolerated: at most *seconds* without any success.

    A 401 after a success is retried up to *max_denials* times in a row. With
    *outlasts_rate_limits*, rate limits are tolerated without end, and a long `Retry-After` is
    shortened.
    """

    seconds: float
    max_denials: int = 0
    outlasts_rate_limits: bool = False
    _failing_since: float | None = None
    _failures: int = 0
    _denials: int = 0
    _has_succeeded: bool = False
    _is_limited: bool = False

    @property
    def is_healthy(self) -> bool:
        """Whether the last request succeeded, or none has failed yet."""
        return self._failing_since is None and not self._is_limited

    def tolerates(self, error: GitLabError) -> bool:
        """Return whether *error* may pass by itself."""
        return is_transient(error) or isinstance(error, _TRANSIENT_WHEN_POLLING)

    def succeeded(self) -> None:
        """Record a success: the next error begins a new outage."""
        self._failing_since, self._failures, self._denials = None, 0, 0
        self._has_succeeded, self._is_limited = True, False

    def next_delay(self, error: GitLabError, now: float, *, jitter: float) -> float | None:
        """Return the seconds until the next attempt, or `None` to give up with *error*.

        *now* is in seconds, *jitter* a random number from 0 to 1. The last attempt is made when
        the outage timeout expires; a `Retry-After` beyond that gives up at once.
        """
        requested = error.retry_after if isinstance(error, ResponseError) else None
        spread = (1 + jitter) / 2
        # One response must not stop a monitor.
        if self.outlasts_rate_limits:
            requested = None if requested is None else min(requested, _LONGEST_OUTLASTED)
            if isinstance(error, RateLimitedError):
                self._is_limited = True
                return max(requested or 0.0, _BACKOFF.cap * spread)
        if self._failing_since is None:
            self._failing_since = now
        left = self._failing_since + self.seconds - now
        # One 401 among successes does not prove that the token was revoked.
        if isinstance(error, AuthenticationError) and self._has_succeeded and left > 0:
            self._denials += 1
            delay = _BACKOFF.delay(self._denials - 1, spread)
            return min(delay, left) if self._denials <= self.max_denials else None
        if left <= 0 or not self.tolerates(error):
            return None
        self._failures += 1
        delay = _BACKOFF.delay(self._failures, spread)
        if requested is not None:
            return max(delay, min(requested, LONGEST_PAUSE)) if requested <= left else None
        return min(delay, left)
