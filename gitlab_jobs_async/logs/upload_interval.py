"""Estimate when a runner uploads, from polls that found new bytes and polls that did not.

A runner uploads every 3 seconds while its log is viewed in the web page, else every 60 (30 in older
releases): lib/gitlab/ci/trace.rb. A poll shows only that an upload came since the poll before, so
each upload is known as a window of time. The window is narrow where the poll before found nothing
shortly before. So polls come at the late edge of the next window while that is narrow, and in its
middle once it has grown wide. Now and then one comes half a period early to detect a faster runner.
"""

from attrs import define

_MOST_LEARNING = 6
"""Polls in vain after which a log counts as quiet, and not as one that has just started."""

_USUAL = (3.0, 30.0, 60.0)
"""Seconds between uploads that servers request of runners."""

_STEPS = (3.0, 20.0, *(60.0 * number for number in range(1, 100)))
"""Seconds from an upload to the polls for the next one while no period is known."""

_LATE = 1 / 16
"""Delay of those polls, as a part of a step."""

_DRIFT = 1 / 64
"""Growth of a window at either side from one upload to the next, as a part of the period."""

_WIDE = 1 / 8
"""Width of a wide window, and the deviation that ends a period, as a part of the period."""

_CERTAIN = 4
"""Hits in a row after which windows grow faster and faster."""

_FIRST_PROBE, _RAREST_PROBE = 2, 16
"""Hits in a row before a poll comes half a period early, at first and at most."""


@define(eq=False, repr=False)
class UploadIntervalEstimator:
    """Learns the period of one runner's uploads, in seconds; never below *shortest*.

    `uploads` counts the uploads seen, `misses` the polls without one since the last.
    """

    shortest: float
    uploads: int = 0
    misses: int = 0
    _hits: int = 0
    _probe: int = _FIRST_PROBE
    _polled_at: float | None = None
    _period: float | None = None
    _earliest: float = 0.0
    _latest: float = 0.0

    def hit(self, now: float) -> None:
        """Record a poll at *now* that found new bytes."""
        if self._polled_at is None:
            self._earliest = self._latest = now
        else:
            self._earliest, self._latest = self._locate(self._polled_at, now)
        self._hits, self.misses = self._hits + 1, 0
        self.uploads += 1
        self._polled_at = now

    def miss(self, now: float) -> None:
        """Record a poll at *now* that found nothing new."""
        if self._polled_at is None:
            self._earliest = self._latest = now
        if self._hits >= self._probe:
            self._probe = min(2 * self._probe, _RAREST_PROBE)
        self._hits, self.misses = 0, self.misses + 1
        self._polled_at = now

    @property
    def is_learning(self) -> bool:
        """Whether no period is known, and polls in vain are few enough to go on looking for it."""
        return self._period is None and self.misses < _MOST_LEARNING

    def next_poll(self, now: float) -> float:
        """Return the time of the next poll."""
        period = self._period
        if period is not None:
            if self._hits >= self._probe and period >= 2 * self.shortest:
                return self._latest + period / 2
            early, late = self._next_window(period)
            middle = (early + late) / 2
            # The middle of a wide window halves it, whether the poll finds the upload or not.
            if late - early > period * _WIDE and middle > now:
                return middle
            if late > now:
                return late
            if self.misses == 1 or now < late + period * _WIDE:
                return now + period * _WIDE
        steps = (self._latest + step * (1 + _LATE) for step in _STEPS)
        soonest = now + self.shortest
        return next((at for at in steps if at >= soonest), now + _STEPS[-1])

    def _next_window(self, period: float) -> tuple[float, float]:
        """Return the times between which the next upload is expected."""
        drift = period * _DRIFT * 2.0 ** min(max(0, self._hits - _CERTAIN), 5)
        return self._earliest + period - drift, self._latest + period + drift

    def _locate(self, earliest: float, latest: float) -> tuple[float, float]:
        """Return the window of an upload seen between two times, and correct the period."""
        if self._period is None:
            self._period = self._guess_period(earliest, latest) if self.uploads else None
            return earliest, latest
        early, late = self._next_window(self._period)
        if max(earliest - late, early - latest) > self._period * _WIDE:
            self._period = self._guess_period(earliest, latest)
            self._probe = _FIRST_PROBE
            return earliest, latest
        # The upload was in both windows; a part of the difference corrects the period.
        first, last = max(earliest, early), min(latest, late)
        self._period += ((first + last) - (early + late)) / 8
        if self.misses and last - first < self._period * _DRIFT:
            return earliest, latest
        return min(first, last), max(first, last)

    def _guess_period(self, earliest: float, latest: float) -> float:
        """Return the time since the last upload, or a usual period that may fit."""
        # Without a miss between them, uploads are as frequent as polls, or more frequent.
        least = earliest - self._latest
        most = latest - (self._earliest if self.misses else earliest)
        usual = [period for period in _USUAL if least <= period <= most * (1 + _LATE)]
        if usual and most - least > least:
            return max(usual[-1], self.shortest)
        return max((least + most) / 2, self.shortest)
