"""State machine that follows one log: it says which poll comes next. No I/O, no clock.

    follower = LogFollower(...)
    while not isinstance(action := follower.next_action(terms), Done):
        ...  # wait until action.at and ask again; send the request, report the outcome

The status is polled before the trace, so that the poll after a final status finds every byte.
"""

from attrs import evolve, field, frozen

from gitlab_jobs_async.api.capabilities import ServerCapabilities, TraceSupport
from gitlab_jobs_async.api.responses import Response
from gitlab_jobs_async.errors import (
    ConnectionFailedError,
    GitLabError,
    ResponseError,
    TraceInterruptedError,
)
from gitlab_jobs_async.logs.poll_schedule import NextPoll, PollKind, PollSchedule, PollTerms
from gitlab_jobs_async.logs.trace_cursor import TraceCursor, TraceRange, check_trace
from gitlab_jobs_async.models.logs import TraceChunk
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.polling.policy import PollPolicy
from gitlab_jobs_async.retry.outage import OutageTolerance

_MAX_RESTARTS = 8
"""Replacements of a trace that are followed; more are a server that contradicts itself."""

_QUICK_RETRY = 0.25
"""Seconds within which a body that was cut is requested again, the first time."""


@frozen
class FollowOptions:
    """Poll *policy*, and the errors that are tolerated: see `OutageTolerance`."""

    policy: PollPolicy = field(factory=PollPolicy)
    max_denials: int = 0
    outlasts_rate_limits: bool = False


@frozen
class PollStatus:
    """Request the job; then call `on_status`, or `on_error`. *at* is a time of the clock.

    If it *is_single*, a listing of many jobs would be too late.
    """

    at: float
    is_single: bool = False


@frozen
class PollTrace:
    """Request this *range*; then call `begin_response` and so on to `on_trace`, or `on_error`."""

    at: float
    range: TraceRange


@frozen
class CaughtUp:
    """All bytes that the server has were received, and the log may still grow. Send nothing."""


@frozen
class Done:
    """The job has ended, and every byte of its log was received."""


Action = PollStatus | PollTrace | CaughtUp | Done


class LogFollower:
    """Schedules the polls of one log, from byte *offset* on, and turns responses into chunks.

    With *follow*, the log is polled until the job has ended. Without, it is read once, and no error
    is tolerated. *path* is the path of the trace, for errors.
    """

    def __init__(
        self,
        options: FollowOptions,
        capabilities: ServerCapabilities,
        path: str,
        *,
        offset: int,
        follow: bool,
        now: float,
    ) -> None:
        self._path = path
        self._capabilities = capabilities
        self._cursor = TraceCursor(offset)
        self._interval = options.policy.interval
        self._schedule = PollSchedule(self._interval)
        self._tolerance = OutageTolerance(
            options.policy.outage_timeout if follow else 0.0,
            options.max_denials,
            outlasts_rate_limits=follow and options.outlasts_rate_limits,
        )
        # A poll that does not follow from the schedule: the first, the last, one that failed.
        self._polled = NextPoll(PollKind.STATUS if follow else PollKind.TRACE, now)
        self._due: NextPoll | None = self._polled
        self._signal: CaughtUp | Done | None = None
        self._range = TraceRange()
        self._has_ended = not follow
        self._has_data = False
        self._has_grown = False
        self._learn_support()

    @property
    def status_known_at(self) -> float | None:
        """Time of the newest status; `None` before the first."""
        return self._schedule.status_known_at

    def next_action(self, terms: PollTerms) -> Action:
        """Return what to do next on these *terms*: a poll, or a signal.

        A poll in the future may change until it is due: ask again then.
        """
        if self._signal is not None:
            signal = self._signal
            self._signal = signal if isinstance(signal, Done) else None
            return signal
        poll = self._polled = self._due or self._schedule.next_poll(terms)
        if poll.kind is PollKind.STATUS:
            return PollStatus(poll.at, poll.is_single)
        self._has_data = False
        # A proxy may refuse the `Range` header of an archived log: after an error, omit it.
        is_archived = self._has_ended and self._tolerance.is_healthy
        self._range = self._cursor.next_request(is_archived=is_archived)
        return PollTrace(poll.at, self._range)

    def on_status(self, status: JobStatus, began: float, now: float) -> None:
        """Record the job's *status*, as a request that *began* at that time has shown."""
        self._tolerance.succeeded()
        self._due = None
        self._schedule.after_status(status, began, now)
        self._check_end(status, now)

    def on_report(self, status: JobStatus, at: float, now: float) -> None:
        """Record the job's *status* as a request for another purpose has shown it *at* a time."""
        if self._has_ended:
            return
        if self._due is not None and self._due.kind is PollKind.STATUS:
            self._due = None
        self._schedule.after_report(status, at)
        self._check_end(status, now)

    def _check_end(self, status: JobStatus, now: float) -> None:
        self._has_ended = status.is_finished
        if status.is_finished:
            self._due = NextPoll(PollKind.TRACE, now)

    def begin_response(self, head: Response) -> None:
        """Take the head of a response to `PollTrace`.

        Raises:
            DecodeError: it is not a trace, or not the part that was requested.
        """
        wanted = self._range
        self._cursor.begin_response(
            check_trace(head, conditional=bool(wanted.etag), partial=wanted.is_archived)
        )

    def receive_data(self, data: bytes) -> TraceChunk | None:
        """Return the new bytes among *data*, the next piece of the response's body."""
        return self._noted(self._cursor.receive_data(data))

    def end_response(self) -> TraceChunk | None:
        """Return the new bytes that the end of the response makes certain.

        Raises:
            TraceInterruptedError: the trace was replaced too often.
        """
        chunk = self._noted(self._cursor.end_response())
        if self._cursor.restarts > _MAX_RESTARTS:
            raise TraceInterruptedError(f"{self._path}: trace replaced at every poll", 0)
        return chunk

    def abort_response(self, error: GitLabError) -> TraceChunk | None:
        """Return the new bytes of a response that failed with *error*, if it is usable.

        Raises:
            GitLabError: *error*, which is to be reported to `on_error`.
        """
        # Bytes that arrived before the connection was lost are certain, and progress.
        if isinstance(error, ConnectionFailedError) and self._has_data:
            self._cursor.has_more = True
            return None
        # 416 answers a `Range` header that begins at the end of an archived log.
        if isinstance(error, ResponseError) and error.status == 416 and self._range.is_archived:
            self._cursor.begin_response(Response(416, {}, b"", error.method, error.url))
            return self._noted(self._cursor.end_response())
        raise error

    def on_trace(self, began: float, now: float) -> None:
        """Record that all new bytes were emitted of a response whose request *began* then."""
        self._tolerance.succeeded()
        self._due = None
        self._has_grown |= self._has_data
        cursor = self._cursor
        # The last poll must not trust the length of a response that may be short.
        is_behind = cursor.has_more or (self._has_ended and self._has_data and self._may_be_short())
        if is_behind:
            self._due = NextPoll(PollKind.TRACE, now)
        elif cursor.mismatch_pending:
            # One odd response may come from a server that lags behind; the next one decides.
            self._due = NextPoll(PollKind.TRACE, now + self._interval)
        elif self._has_ended:
            self._signal = Done()
        else:
            self._learn_support()
            self._schedule.after_trace(began, now, grew=self._has_grown, says_end=cursor.says_end)
            self._has_grown = False
            self._signal = CaughtUp()

    def on_error(self, error: GitLabError, now: float, jitter: float) -> bool:
        """Schedule the same poll again; return whether this error begins an outage.

        Raises:
            GitLabError: *error*, which is not tolerated.
            TraceInterruptedError: the outage has lasted too long.
        """
        is_tolerable = self._tolerance.tolerates(error)
        begins_outage = self._tolerance.is_healthy
        delay = self._tolerance.next_delay(error, now, jitter=jitter)
        if delay is not None:
            # Other errors have been retried by the transport already, and with longer waits.
            if begins_outage and isinstance(error, ConnectionFailedError):
                delay = min(delay, _QUICK_RETRY * jitter)
            self._due = evolve(self._polled, at=now + delay)
            return begins_outage
        if not is_tolerable or not self._tolerance.seconds:
            raise error
        raise TraceInterruptedError(str(error), self._cursor.offset) from error

    def _noted(self, chunk: TraceChunk | None) -> TraceChunk | None:
        self._has_data |= chunk is not None
        return chunk

    def _may_be_short(self) -> bool:
        return (self._cursor.kind or self._capabilities.trace) in {None, TraceSupport.RANGE}

    def _learn_support(self) -> None:
        support = self._cursor.kind or self._capabilities.trace
        self._capabilities.trace = support
        self._schedule.sends_whole = support in {TraceSupport.WHOLE, TraceSupport.CHANGED}
