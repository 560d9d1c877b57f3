"""When to poll one job while its log is followed, and whether its status or its trace.

One request is sent every interval. Where the server sends byte ranges, status and trace are polled
in turn. A server that sends whole traces is asked for one only when an upload is due, and so is any
server while the budget has no room for all polls. If one listing shows the status of many jobs, it
is polled when that listing is due.
"""

import math
from collections import deque
from enum import Enum

from attrs import define, field, frozen

from gitlab_jobs_async.logs.upload_interval import UploadIntervalEstimator
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.ratelimit.windows import MINUTE, SlidingWindow

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

_BEYOND_TURN = 3
"""Requests a minute beyond one each interval: 15 in all with an interval of 5 seconds."""

_MAX_ADVANCE = 1 / 13
"""Part of the interval by which a poll may come earlier to make up for slow responses."""

_RETRIED = 0.5
"""Seconds; a response that takes longer has probably been retried, as the next one may be."""

_MAX_ADVANCE_RETRIED = 1 / 5
"""The same part then; else, 15 requests a minute leave room for one when the job has ended."""

_MIN_REST = 1 / 2
"""Part of the interval for which nothing is sent after a response, however slow it was."""


class PollKind(Enum):
    """The resource that a poll requests."""

    STATUS = "status"
    TRACE = "trace"


@frozen
class NextPoll:
    """The next poll, *at* a time of the clock in seconds.

    *is_single* is whether the job itself must be requested, since a listing would be too late.
    """

    kind: PollKind
    at: float
    is_single: bool = False


@frozen
class PollTerms:
    """Cost and time of the polls of one log at present.

    Attributes:
        interval: seconds between two requests.
        max_interval: seconds; a trace that was polled longer ago is due.
        is_stretched: whether the budget has no room for all polls.
        next_listing: time of the next listing that shows the job's status; `None` without one.
    """

    interval: float
    max_interval: float
    is_stretched: bool = False
    next_listing: float | None = None


@define(eq=False, repr=False)
class PollSchedule:
    """The polls of one log; the first one, of the status, comes before `next_poll` is called.

    `sends_whole`, to be set before each `next_poll`, is whether the server sends the whole trace
    even if it was asked for the bytes from an offset. *shortest* is the interval, in seconds, while
    the budget has room.
    """

    shortest: float
    sends_whole: bool = False
    status_known_at: float | None = None
    _is_waiting: bool = False
    _is_new: bool = False
    _last: PollKind = PollKind.STATUS
    _sent_at: float = 0.0
    _ended_at: float = 0.0
    _trace_sent_at: float | None = None
    _trace_ended_at: float = 0.0
    _durations: tuple[float, ...] = (0.0,) * 4
    _retried_at: float = -math.inf
    _end_poll_at: float | None = None
    _most: int = field(init=False)
    _sent: deque[float] = field(init=False)
    _end_polls: SlidingWindow = field(init=False, factory=SlidingWindow)
    _estimator: UploadIntervalEstimator = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._estimator = UploadIntervalEstimator(self.shortest)
        self._most = int(MINUTE / self.shortest) + _BEYOND_TURN
        self._sent = deque(maxlen=self._most)

    def after_status(self, status: JobStatus, began: float, now: float) -> None:
        """Record the answer of a poll of the status that was sent at *began*."""
        turn = self._last
        self._record(began, now)
        self.after_report(status, began)
        if self._end_poll_at is not None:
            # One beyond the turn, which leaves the turn as it is.
            self._last, self._end_poll_at = turn, None
            self._end_polls.add(began)

    def after_report(self, status: JobStatus, at: float) -> None:
        """Record a status that was seen *at* a time without a poll of this log."""
        self._last, self.status_known_at = PollKind.STATUS, at
        self._is_waiting = status in _WAITING
        if self._is_waiting:
            self._trace_sent_at = None

    def after_trace(self, began: float, now: float, *, grew: bool, says_end: bool = False) -> None:
        """Record a poll of the trace; *says_end* is whether its last line is that of a runner."""
        self._record(began, now)
        self._last = PollKind.TRACE
        # The first status and the first trace are polled at once, one after the other.
        self._is_new = self._trace_sent_at is None and not grew
        self._trace_sent_at, self._trace_ended_at = began, now
        if grew:
            self._estimator.hit(now)
            self._end_poll_at = now if says_end and self._may_poll_end(now) else None
        else:
            self._estimator.miss(now)

    def next_poll(self, terms: PollTerms) -> NextPoll:
        """Return the next poll on these *terms*; the job has not ended."""
        if self._end_poll_at is not None:
            return NextPoll(PollKind.STATUS, self._end_poll_at, is_single=True)
        slot = self._slot(terms)
        listing = terms.next_listing
        status_at = slot if listing is None else max(listing, self._ended_at)
        if self._is_waiting:
            return NextPoll(PollKind.STATUS, status_at)
        # The first status after the start of the job: some of the log may be there already.
        if self._trace_sent_at is None:
            return NextPoll(PollKind.TRACE, self._ended_at)
        trace_at = self._trace_at(self._trace_sent_at, terms)
        if listing is None:
            return self._in_turn(slot, trace_at, terms)
        trace_at = max(trace_at, self._trace_sent_at + 2 * self._spacing(terms))
        if trace_at <= status_at:
            return NextPoll(PollKind.TRACE, max(trace_at, self._ended_at))
        return NextPoll(PollKind.STATUS, status_at)

    def _in_turn(self, slot: float, trace_at: float, terms: PollTerms) -> NextPoll:
        """Return the poll of this *slot*: the trace, if it is due and the status came last."""
        # Few polls are in step with the uploads; half an interval later does not matter then.
        latest = slot + (terms.interval / 2 if terms.is_stretched else 0.0)
        # A job that has just started has no log yet, but will soon.
        is_turn = self._last is PollKind.STATUS or self._is_new
        if is_turn and trace_at <= latest:
            return NextPoll(PollKind.TRACE, max(slot, trace_at))
        return NextPoll(PollKind.STATUS, slot)

    def _may_poll_end(self, now: float) -> bool:
        """Return whether to poll the status at once, since the log says that the job has ended."""
        # A log may print such a line again and again.
        most = self._most if self._is_retried else self._most - 1
        return now >= self._room_at(most) and not self._end_polls.count(now)

    @property
    def _is_retried(self) -> bool:
        """Whether polls that make up for retries fill the minute; nothing waits for its end."""
        return self._sent_at - self._retried_at < MINUTE

    def _room_at(self, most: int) -> float:
        """Return when fewer than *most* requests will be left in the minute."""
        return self._sent[-most] + MINUTE if len(self._sent) >= most else -math.inf

    def _trace_at(self, sent_at: float, terms: PollTerms) -> float:
        """Return when to poll the trace, if it is its turn by then."""
        if not terms.is_stretched and (not self.sends_whole or self._estimator.is_learning):
            return sent_at
        due = self._estimator.next_poll(self._trace_ended_at)
        # The next chance after this one would be two intervals later.
        if not terms.is_stretched and due < sent_at + 3 * terms.interval:
            return sent_at
        return min(due, sent_at + terms.max_interval)

    def _slot(self, terms: PollTerms) -> float:
        """Return the time of the next request."""
        rest = self._ended_at + terms.interval * _MIN_REST
        slot = max(self._sent_at + self._spacing(terms), rest)
        # One request is left for the last trace.
        return slot if self._is_retried else max(slot, self._room_at(self._most - 1))

    def _spacing(self, terms: PollTerms) -> float:
        """Return the seconds from one request to the next, so that an answer comes each interval.

        The end of a job is known after two responses, which may be slow or fail at first.
        """
        if terms.is_stretched:
            return terms.interval
        slowest = max(self._durations)
        most = _MAX_ADVANCE if slowest < _RETRIED else _MAX_ADVANCE_RETRIED
        return terms.interval - min(slowest, terms.interval * most)

    def _record(self, began: float, now: float) -> None:
        self._sent_at, self._ended_at = began, now
        self._durations = (*self._durations[1:], now - began)
        if now - began >= _RETRIED:
            self._retried_at = began
        self._sent.append(began)
