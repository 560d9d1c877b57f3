"""The difference between the client's clock and the server's."""

from collections.abc import Mapping

from attrs import define

from gitlab_jobs_async.api.responses import http_date


@define(eq=False, repr=False)
class ServerClock:
    """The server's clock, as the `Date` of its last answer tells it."""

    _date: str = ""
    _answered_at: float = 0.0

    def answered(self, headers: Mapping[str, str], now: float) -> None:
        """Note the headers of an answer that came *now*."""
        date = headers.get("date")
        if date is not None:
            self._date, self._answered_at = date, now

    @property
    def lag(self) -> float:
        """Seconds by which it is behind the client's clock: 0 if it is ahead, or unknown."""
        # Parsed here: few callers ask, and each answer has a date.
        at = http_date(self._date)
        return 0.0 if at is None else max(0.0, self._answered_at - at)
