"""The time in which a failed job counts, and how far back its creation may lie."""

from datetime import UTC, datetime, timedelta
from typing import Self

from attrs import frozen

from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.models.values import UNKNOWN_TIME

_EARLIEST = datetime.min.replace(tzinfo=UTC)


@frozen
class Period:
    """Failures from *start* on; jobs that were created before *oldest* are not read."""

    start: datetime
    oldest: datetime

    @classmethod
    def of(cls, since: object, lookback: object, now: float) -> Self:
        """Return the period of the arguments of `GitLab.list_failures`; *now* is unix seconds.

        Raises:
            TypeError, ValueError: an argument is invalid.
        """
        if not isinstance(lookback, timedelta):
            raise TypeError(f"lookback must be a timedelta, not {lookback!r}")
        if lookback < timedelta(0):
            raise ValueError(f"lookback must not be negative, not {lookback!r}")
        if isinstance(since, timedelta):
            if since <= timedelta(0):
                raise ValueError(f"since must be a timedelta above 0, not {since!r}")
            start = _earlier(datetime.fromtimestamp(now, UTC), since)
        elif isinstance(since, datetime) and since.tzinfo is not None:
            start = since
        else:
            # A naive datetime is ambiguous: the server may be in another zone.
            raise TypeError(
                f"since must be a timedelta or a datetime with a time zone, not {since!r}"
            )
        return cls(start, _earlier(start, lookback))

    def has(self, failed: Job) -> bool:
        """Return whether *failed* failed within the period."""
        # GitLab sets both; without the end, its creation is the best that is known.
        return (failed.finished_at or failed.created_at) >= self.start

    def is_before(self, job: Job) -> bool:
        """Return whether *job*, and so every older one, is too old to be read."""
        return job.created_at != UNKNOWN_TIME and job.created_at < self.oldest


def _earlier(at: datetime, span: timedelta) -> datetime:
    try:
        return at - span
    except OverflowError:  # before year 1
        return _EARLIEST
