"""When to look at a job again while its log is followed, and whether at its status or its trace.

The trace is looked at when an upload is due; the status only where the job has no runner yet, where
an upload stays away, and where the log says that it is over. Looks that find nothing are paid for
by those that find something: two requests an upload, and a few in advance.
"""

from enum import Enum

from attrs import define, field, frozen

from gitlab_jobs_async.intervals import PollIntervals
from gitlab_jobs_async.logs.upload_interval import UploadIntervalEstimator
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.retry.backoff import Backoff

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

_IN_ADVANCE = 2
"""Requests that may find nothing before any upload is seen; the others are for the two ends."""

_ENDINGS = 3
"""Times a status is asked in a row because the log says that the job is over."""


class PollKind(Enum):
    """What a look is at."""

    STATUS = "status"
    TRACE = "trace"


@frozen
class NextPoll:
    """The next look: at what, and *at* which time of the clock (seconds)."""

    subject: PollKind
    at: float


@define
class PollSchedule:
    """Learns how often one job's log is uploaded; begin with a look at the status.

    `is_dear`, to be set after each look at the trace, is whether a look that finds nothing costs
    the whole log all the same: then none is dared before `longest` has passed, and the status is
    asked before each, so that the look after the end is none too many.
    """

    intervals: PollIntervals = field(factory=PollIntervals)
    is_dear: bool = False
    _spare: int = _IN_ADVANCE
    _waits: int = 0
    _endings: int = 0
    _overdue: int = 0
    _due: float | None = None
    _at_latest: float = 0.0
    _rhythm: UploadIntervalEstimator = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._rhythm = UploadIntervalEstimator(self.intervals.shortest)

    def after_status(self, status: JobStatus, now: float) -> NextPoll:
        """The look that follows *status*, which is not a finished one."""
        shortest, longest = self.intervals.shortest, self.intervals.longest
        if status in _WAITING:
            self._waits += 1
            wait = Backoff(shortest, _SLOWER, longest).delay(self._waits - 1)
            self._due = None
            return NextPoll(PollKind.STATUS, now + wait)
        if self._due is None:
            return NextPoll(PollKind.TRACE, now)
        self._spare -= 1
        again = now + shortest
        if 0 < self._endings < _ENDINGS and self._spare > 0 and again <= self._at_latest:
            self._endings += 1
            return NextPoll(PollKind.STATUS, again)
        self._endings = 0
        return NextPoll(PollKind.TRACE, max(now, self._due))

    def after_trace(self, now: float, *, grew: bool, says_end: bool = False) -> NextPoll:
        """The look that follows one at the trace; *says_end* is whether the log says it is over."""
        if grew:
            self._spare, self._overdue = self._spare + 1, 0
            self._rhythm.found(now)
        else:
            self._spare -= 1
            self._rhythm.missed(now)
        self._due, self._at_latest = now + self._wait(now), now + self.intervals.longest
        if self.is_dear:
            return NextPoll(PollKind.STATUS, now if says_end else self._due)
        if grew and says_end:
            self._endings = 1
            return NextPoll(PollKind.STATUS, now)
        if not grew and self._asks_what_became_of_it(now):
            return NextPoll(PollKind.STATUS, now)
        return NextPoll(PollKind.TRACE, self._due)

    def _wait(self, now: float) -> float:
        shortest, longest = self.intervals.shortest, self.intervals.longest
        if self.is_dear or self._spare <= 0:
            return longest
        return min(max(self._rhythm.next_look(now) - now, shortest), longest)

    def _asks_what_became_of_it(self, now: float) -> bool:
        """Whether to ask for the status, at every other look for an upload that stays away."""
        rhythm = self._rhythm
        if not rhythm.is_overdue(now) or (not rhythm.uploads and rhythm.misses == 1):
            return False
        self._overdue += 1
        return self._overdue % 2 == (self._spare <= 0)
