"""When to poll one job while its log is followed, and whether its status or its trace.

The trace is polled when an upload is due. The status is polled only before a runner has the job,
when an upload is overdue, and when the log shows the end of the job. Each upload pays for two
polls, and a few may find nothing in advance.
"""

from enum import Enum

from attrs import define, field, frozen

from gitlab_jobs_async.intervals import PollIntervals
from gitlab_jobs_async.logs.upload_interval import UploadIntervalEstimator
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.retry.backoff import Backoff

# Before a runner has the job, it has no log. An unknown status is not among these.
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

_WAITING_FACTOR = 1.5
"""Growth of the interval from one poll to the next while no runner has the job."""

_CREDIT_IN_ADVANCE = 2
"""Requests that may find nothing before any upload is seen."""

_MAX_END_POLLS = 3
"""Polls of the status in a row because the log says that the job has ended."""


class PollKind(Enum):
    """The resource that a poll requests."""

    STATUS = "status"
    TRACE = "trace"


@frozen
class NextPoll:
    """The next poll, *at* a time of the clock in seconds."""

    kind: PollKind
    at: float


@define
class PollSchedule:
    """Learns how often one job's log is uploaded; a poll of the status comes first.

    `polls_are_expensive`, to be set before each `after_trace`, is whether the server sends the
    whole log even if it has not changed. Then `longest` is the interval, and the status is polled
    before each trace, so that the trace is polled only once after the end.
    """

    intervals: PollIntervals
    polls_are_expensive: bool = False
    _poll_credit: int = _CREDIT_IN_ADVANCE
    _waits: int = 0
    _end_polls: int = 0
    _overdue: int = 0
    _due: float | None = None
    _at_latest: float = 0.0
    _estimator: UploadIntervalEstimator = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._estimator = UploadIntervalEstimator(self.intervals.shortest)

    def after_status(self, status: JobStatus, now: float) -> NextPoll:
        """Return the poll that follows *status*, which is not a final one."""
        shortest, longest = self.intervals.shortest, self.intervals.longest
        if status in _WAITING:
            delay = Backoff(shortest, _WAITING_FACTOR, longest).delay(self._waits)
            self._waits += 1
            self._due = None
            return NextPoll(PollKind.STATUS, now + delay)
        # The first status after the start of the job: some of the log may be there already.
        if self._due is None:
            return NextPoll(PollKind.TRACE, now)
        self._poll_credit -= 1
        again = now + shortest
        has_credit = self._poll_credit > 0 and again <= self._at_latest
        if 0 < self._end_polls < _MAX_END_POLLS and has_credit:
            self._end_polls += 1
            return NextPoll(PollKind.STATUS, again)
        self._end_polls = 0
        return NextPoll(PollKind.TRACE, max(now, self._due))

    def after_trace(self, now: float, *, grew: bool, says_end: bool = False) -> NextPoll:
        """Return the poll that follows a trace; *says_end* is whether its last line is the end."""
        if grew:
            self._poll_credit, self._overdue = self._poll_credit + 1, 0
            self._estimator.hit(now)
        else:
            self._poll_credit -= 1
            self._estimator.miss(now)
        self._due, self._at_latest = now + self._delay(now), now + self.intervals.longest
        if self.polls_are_expensive:
            return NextPoll(PollKind.STATUS, now if says_end else self._due)
        if grew and says_end:
            self._end_polls = 1
            return NextPoll(PollKind.STATUS, now)
        if not grew and self._checks_status(now):
            return NextPoll(PollKind.STATUS, now)
        return NextPoll(PollKind.TRACE, self._due)

    def _delay(self, now: float) -> float:
        if self.polls_are_expensive or self._poll_credit <= 0:
            return self.intervals.longest
        return self.intervals.clamp(self._estimator.next_poll(now) - now)

    def _checks_status(self, now: float) -> bool:
        """Return whether to poll the status, at every second poll for an overdue upload."""
        known = self._estimator
        if not known.is_overdue(now) or (not known.uploads and known.misses == 1):
            return False
        # Not at every poll: the job may just be quiet, for hours.
        self._overdue += 1
        return self._overdue % 2 == (self._poll_credit <= 0)
