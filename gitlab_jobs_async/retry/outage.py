"""How long trouble is ridden out while something is followed: wait how long, or give up.

It comes after the retries of a single request, and lasts as long as the follower allows. Only what
may pass by itself is waited for; a refusal is none of it. But one 401 among healthy answers proves
nothing of a token that was good before: who wants to may ask again a few times.
"""

from attrs import define

from gitlab_jobs_async.errors import (
    AuthenticationError,
    DecodeError,
    GitLabError,
    ListingChangedError,
    RateLimitedError,
    ResponseError,
)
from gitlab_jobs_async.retry.policy import LONGEST_SILENCE, is_transient

_PASSING = (DecodeError, ListingChangedError)
"""A web page where a log was due is a `DecodeError`: proxies send them while GitLab is down."""

_SHORTEST = 1.0
_LONGEST = 30.0
_LONGEST_OUTLASTED = 60.0


def checked(outage_timeout: float) -> float:
    """*outage_timeout* if it is a length of time, which may be 0 or endless."""
    if isinstance(outage_timeout, bool) or not isinstance(outage_timeout, int | float):
        raise TypeError(
            f"outage_timeout must be a number of seconds from 0, not {outage_timeout!r}"
        )
    if not outage_timeout >= 0:
        raise ValueError(f"outage_timeout must be a number of seconds from 0, not {outage_timeout}")
    return float(outage_timeout)


@define
class OutageTolerance:
    """So many *seconds* without any success are waited through.

    A 401 that comes after an answer is asked again up to *most_denials* times. With
    *outlasts_limits* a rate limit is waited through for as long as it lasts, and no other wait that
    a server asks for ends it either: who follows many things must not lose them by one answer.
    """

    seconds: float
    most_denials: int = 0
    outlasts_limits: bool = False
    _since: float | None = None
    _failures: int = 0
    _denials: int = 0
    _has_succeeded: bool = False
    _is_limited: bool = False

    @property
    def is_fresh(self) -> bool:
        """Whether there is no trouble now."""
        return self._since is None and not self._is_limited

    def is_for(self, error: GitLabError) -> bool:
        """Whether *error* is trouble that may pass by itself."""
        return is_transient(error) or isinstance(error, _PASSING)

    def succeeded(self) -> None:
        """An answer has come; the next trouble is a new one."""
        self._since, self._failures, self._denials = None, 0, 0
        self._has_succeeded, self._is_limited = True, False

    def wait_after(self, error: GitLabError, now: float, *, jitter: float) -> float | None:
        """Seconds until the next try, or `None` to give up with *error*.

        *now* is in seconds, *jitter* a random number from 0 to 1. The last try comes when all
        the tolerance is spent; where the server asks to wait for longer than that, there is none.
        """
        asked = error.retry_after if isinstance(error, ResponseError) else None
        if self.outlasts_limits:
            asked = None if asked is None else min(asked, _LONGEST_OUTLASTED)
            if isinstance(error, RateLimitedError):
                self._is_limited = True
                return max(asked or 0.0, _LONGEST * (1 + jitter) / 2)
        if self._since is None:
            self._since = now
        left = self._since + self.seconds - now
        if isinstance(error, AuthenticationError) and self._has_succeeded and left > 0:
            self._denials += 1
            wait = _SHORTEST * 2.0 ** (self._denials - 1) * (1 + jitter) / 2
            return min(wait, left) if self._denials <= self.most_denials else None
        if left <= 0 or not self.is_for(error):
            return None
        self._failures += 1
        wait = min(_LONGEST, _SHORTEST * 2.0 ** min(self._failures, 99)) * (1 + jitter) / 2
        if asked is not None:
            return max(wait, min(asked, LONGEST_SILENCE)) if asked <= left else None
        return min(wait, left)
