"""When a runner uploads: learned from looks that found something new and looks that did not.

A runner uploads every 3 seconds while somebody watches in the web page, else every 60 (30 in older
releases): lib/gitlab/ci/trace.rb. A look says only that an upload came since the one before, so
what is known of each is a window of time. It is narrow where the look before it found nothing just
before; so looks come at the late edge of the next window while that is narrow, in its middle once
it has grown wide, and now and then half a period early, lest uploads are more frequent than it is
thought.
"""

from attrs import define

_USUAL = (3.0, 30.0, 60.0)
"""Seconds between uploads that servers ask runners for."""

_STEPS = (3.0, 20.0, *(60.0 * number for number in range(1, 100)))
"""Seconds after an upload at which to look for the next where no rhythm is known, or it broke."""

_LATE = 1 / 16
"""How late those looks come, in parts of such a step."""

_DRIFT = 1 / 64
"""How much a window grows at either side from one upload to the next, in parts of the period."""

_WIDE = 1 / 8
"""What is a wide window, and what is too far from it to be the same rhythm."""

_SURE = 4
"""Looks in a row that found something after which windows grow faster and faster."""

_FIRST_PROBE, _RAREST_PROBE = 2, 16
"""Looks in a row that found something before one comes half a period early, first and at most."""


@define
class UploadIntervalEstimator:
    """The rhythm of one runner's uploads, in seconds of the clock; none is below *shortest*."""

    shortest: float
    uploads: int = 0
    misses: int = 0
    _hits: int = 0
    _probe: int = _FIRST_PROBE
    _looked: float | None = None
    _period: float | None = None
    _earliest: float = 0.0
    _latest: float = 0.0

    def found(self, now: float) -> None:
        """A look at *now* has found something new."""
        if self._looked is None:
            self._earliest = self._latest = now
        else:
            self._earliest, self._latest = self._window_of(self._looked, now)
        self._hits, self.misses = self._hits + 1, 0
        self.uploads += 1
        self._looked = now

    def missed(self, now: float) -> None:
        """A look at *now* has found nothing new."""
        if self._looked is None:
            self._earliest = self._latest = now
        if self._hits >= self._probe:
            self._probe = min(2 * self._probe, _RAREST_PROBE)
        self._hits, self.misses = 0, self.misses + 1
        self._looked = now

    def is_overdue(self, now: float) -> bool:
        """Whether there should have been an upload by *now*, or nothing is known of it."""
        return self._period is None or now >= self._next_window(self._period)[1]

    def next_look(self, now: float) -> float:
        """When to look next: late enough to find an upload, early enough to learn from it."""
        period = self._period
        if period is not None:
            if self._hits >= self._probe and period >= 2 * self.shortest:
                return self._latest + period / 2
            early, late = self._next_window(period)
            middle = (early + late) / 2
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
        """Between which times the next upload is expected."""
        drift = period * _DRIFT * 2.0 ** min(max(0, self._hits - _SURE), 5)
        return self._earliest + period - drift, self._latest + period + drift

    def _window_of(self, earliest: float, latest: float) -> tuple[float, float]:
        """The window of an upload seen between these two times; the period is put right by it."""
        if self._period is None:
            self._period = self._period_by(earliest, latest) if self.uploads else None
            return earliest, latest
        early, late = self._next_window(self._period)
        if max(earliest - late, early - latest) > self._period * _WIDE:
            self._period = self._period_by(earliest, latest)
            self._probe = _FIRST_PROBE
            return earliest, latest
        first, last = max(earliest, early), min(latest, late)
        self._period += ((first + last) - (early + late)) / 8
        if self.misses and last - first < self._period * _DRIFT:
            return earliest, latest
        return min(first, last), max(first, last)

    def _period_by(self, earliest: float, latest: float) -> float:
        """The time since the last upload; a usual one where little is known of it.

        Where no look in between has found nothing, uploads are as frequent as looks, or more.
        """
        least = earliest - self._latest
        most = latest - (self._earliest if self.misses else earliest)
        usual = [period for period in _USUAL if least <= period <= most * (1 + _LATE)]
        if usual and most - least > least:
            return max(usual[-1], self.shortest)
        return max((least + most) / 2, self.shortest)
