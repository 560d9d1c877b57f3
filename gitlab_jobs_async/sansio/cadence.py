"""When to look at a job again while its log is followed, and whether at its status or its trace.

A runner uploads every 3 seconds while somebody watches in the web page, else every 60 (30 in older
releases): lib/gitlab/ci/trace.rb. So the period is learned from the uploads seen, and the next look
comes just after the next upload is due. Looks that find nothing are paid for by those that find
something: two requests an upload, and a few in advance.
"""

from enum import Enum

from attrs import define, field, frozen

from gitlab_jobs_async.sansio.arguments import seconds
from gitlab_jobs_async.statuses import JobStatus

_WAITING = frozenset(
    {
        JobStatus.CREATED,
        JobStatus.WAITING_FOR_RESOURCE,
        JobStatus.PREPARING,
        JobStatus.WAITING_FOR_CALLBACK,
        JobStatus.PENDING,
        JobStatus.MANUAL,
        JobStatus.SCHEDULED,
    }
)
"""No runner has the job, so there is no log yet. An unknown status is none of these."""

_SLOWER = 1.5
"""How much longer each wait for a runner is than the one before."""

_USUAL = (3.0, 30.0, 60.0)
"""Seconds between uploads that servers ask runners for."""

_STEPS = (3.0, 20.0, *(60.0 * number for number in range(1, 100)))
"""Seconds after an upload at which to look for the next where no rhythm is known, or it broke."""

_LATE = 1 / 16
_DRIFT = 1 / 64
_WIDE = 1 / 8
"""Parts of a period: a look comes late by the first when all else is unknown; the time at which an
upload is expected grows less certain by the second with each; from the third on it is halved.
"""

_SURE = 4
"""Looks in a row that found something after which uploads may be more frequent than was thought."""

_FIRST_PROBE = 2
_RAREST_PROBE = 16
"""Looks in a row that found something before one comes half a period early, first and at most."""

_IN_ADVANCE = 2
"""Requests that may find nothing before any upload is seen; the others are for the two ends."""

_ENDINGS = 3
"""Times a status is asked in a row because the log says that the job is over."""


@frozen
class Intervals:
    """The bounds of waiting, in seconds: the *shortest*, and the *longest* that a line may lie."""

    shortest: float = field(default=3.0)
    longest: float = field(default=60.0)

    @shortest.validator
    def _is_time(self, _attribute: object, value: object) -> None:
        seconds("min_interval", value)

    @longest.validator
    def _is_longer(self, _attribute: object, value: object) -> None:
        if seconds("max_interval", value) < self.shortest:
            raise ValueError(
                f"max_interval must be at least min_interval, {self.shortest:g} s, not {value}"
            )


class Subject(Enum):
    """What a look is at."""

    STATUS = "status"
    TRACE = "trace"


@frozen
class Look:
    """The next look: at what, and *at* which time of the clock (seconds)."""

    subject: Subject
    at: float


@define
class Cadence:
    """Learns how often one job's log is uploaded; begin with a look at the status.

    `is_dear`, to be set after each look at the trace, is whether a look that finds nothing costs
    the whole log all the same: then none is dared before `longest` has passed, and the status is
    asked before each, so that the look after the end is none too many.
    """

    intervals: Intervals = field(factory=Intervals)
    is_dear: bool = False
    _spare: int = _IN_ADVANCE
    _waits: int = 0
    _endings: int = 0
    _misses: int = 0
    _hits: int = 0
    _overdue: int = 0
    _uploads: int = 0
    _looked: float | None = None
    _due: float | None = None
    _period: float | None = None
    _probe: int = _FIRST_PROBE
    _earliest: float = 0.0
    _latest: float = 0.0

    def after_status(self, status: JobStatus, now: float) -> Look:
        """The look that follows *status*, which is not a finished one."""
        shortest, longest = self.intervals.shortest, self.intervals.longest
        if status in _WAITING:
            self._waits += 1
            wait = min(longest, shortest * _SLOWER ** min(self._waits - 1, 99))
            self._due = None
            return Look(Subject.STATUS, now + wait)
        if self._due is None:
            return Look(Subject.TRACE, now)
        self._spare -= 1
        if 0 < self._endings < _ENDINGS and self._spare > 0:
            self._endings += 1
            return Look(Subject.STATUS, now + shortest)
        self._endings = 0
        return Look(Subject.TRACE, max(now, self._due))

    def after_trace(self, now: float, *, grew: bool, says_end: bool = False) -> Look:
        """The look that follows one at the trace; *says_end* is whether the log says it is over."""
        if grew:
            self._spare += 1
            self._learn(now)
            self._hits, self._misses, self._overdue = self._hits + 1, 0, 0
            self._uploads += 1
        else:
            self._spare -= 1
            if self._hits >= self._probe:
                self._probe = min(2 * self._probe, _RAREST_PROBE)
            self._hits, self._misses = 0, self._misses + 1
            if self._looked is None:
                self._earliest = self._latest = now
        self._looked = now
        shortest, longest = self.intervals.shortest, self.intervals.longest
        is_rare = self.is_dear or self._spare <= 0
        wait = longest if is_rare else self._expected(now) - now
        self._due = now + min(max(wait, shortest), longest)
        if self.is_dear:
            return Look(Subject.STATUS, now if says_end else self._due)
        if grew and says_end:
            self._endings = 1
            return Look(Subject.STATUS, now)
        if not grew and self._is_overdue(now):
            return Look(Subject.STATUS, now)
        return Look(Subject.TRACE, self._due)

    def _learn(self, now: float) -> None:
        """An upload has come since the last look."""
        if self._looked is None:
            self._earliest = self._latest = now
            return
        earliest, latest = self._looked, now
        if self._period is None:
            self._find_period(earliest, latest)
        else:
            early, late = self._window(self._period)
            surprise = max(earliest - late, early - latest)
            if surprise > self._period * _WIDE:
                self._find_period(earliest, latest)
                self._probe = _FIRST_PROBE
            else:
                first, last = max(earliest, early), min(latest, late)
                self._period += ((first + last) - (early + late)) / 8
                if last - first >= self._period * _DRIFT or not self._misses:
                    earliest, latest = min(first, last), max(first, last)
        self._earliest, self._latest = earliest, latest

    def _find_period(self, earliest: float, latest: float) -> None:
        """The period is the time since the last upload: a usual one if that may be.

        Where no look in between has found nothing, uploads are as frequent as looks, or more.
        """
        if not self._uploads:
            return
        least = earliest - self._latest
        most = latest - (self._earliest if self._misses else earliest)
        usual = [period for period in _USUAL if least <= period <= most * (1 + _LATE)]
        is_vague = most - least > least
        found = usual[-1] if usual and is_vague else (least + most) / 2
        self._period = max(found, self.intervals.shortest)

    def _is_overdue(self, now: float) -> bool:
        """Whether to ask what has become of the job, at every other look that comes for nothing."""
        is_early = self._period is not None and now < self._window(self._period)[1]
        if is_early or (not self._uploads and self._misses == 1):
            return False
        self._overdue += 1
        return self._overdue % 2 == (self._spare <= 0)

    def _window(self, period: float) -> tuple[float, float]:
        """Between which times the next upload is expected."""
        drift = period * _DRIFT * 2.0 ** min(max(0, self._hits - _SURE), 5)
        return self._earliest + period - drift, self._latest + period + drift

    def _expected(self, now: float) -> float:
        """When to look: late enough to find the next upload, early enough to learn."""
        period = self._period
        if period is not None:
            if self._hits >= self._probe:
                return self._latest + period / 2
            early, late = self._window(period)
            middle = (early + late) / 2
            if late - early > period * _WIDE and middle > now:
                return middle
            if late > now:
                return late
            if self._misses == 1 or now < late + period * _WIDE:
                return now + period * _WIDE
        steps = (self._latest + step * (1 + _LATE) for step in _STEPS)
        soonest = now + self.intervals.shortest
        return next((at for at in steps if at >= soonest), now + self.intervals.longest)
