"""Follow one trace to the job's end; the end and a failure are never the same outcome.

The job's status is read before its trace, so that the read after a final status has every byte.
An answer is received whole before any of it is told: between two looks nothing is held.
"""

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from attrs import evolve, field, frozen

from gitlab_jobs_async.api import endpoints
from gitlab_jobs_async.api.capabilities import ServerCapabilities, TraceSupport
from gitlab_jobs_async.api.decode_warnings import log_ignored_value
from gitlab_jobs_async.api.decoding import decode
from gitlab_jobs_async.api.parameters import ProjectId
from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.api.responses import Response
from gitlab_jobs_async.clock import jitter, yield_to_loop
from gitlab_jobs_async.errors import (
    ConnectionFailedError,
    GitLabError,
    ResponseError,
    TraceInterruptedError,
)
from gitlab_jobs_async.http.body_limits import Gauge
from gitlab_jobs_async.http.transport import Transport
from gitlab_jobs_async.intervals import PollIntervals
from gitlab_jobs_async.logs.line_reader import LineReader
from gitlab_jobs_async.logs.poll_queue import NotBefore
from gitlab_jobs_async.logs.poll_schedule import NextPoll, PollKind, PollSchedule
from gitlab_jobs_async.logs.spool import Spool
from gitlab_jobs_async.logs.trace_cursor import TraceCursor, TraceRange, check_trace
from gitlab_jobs_async.models.jobs import Job, LogLine, TraceChunk
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.ratelimit.fair_queue import Priority
from gitlab_jobs_async.retry.outage import OutageTolerance, outage_seconds

_log = logging.getLogger("gitlab_jobs_async")

_PARSED_AT_ONCE = 16 * 1024
"""Bytes whose lines are made at once: lines take far more memory than what they are made of."""

_MOST_SPOOLED = 64 * 1024 * 1024
"""Bytes put aside of one answer; after that its consumer takes them while the rest comes."""

_MOST_RESTARTS = 8
"""Times a trace may begin anew; more is a server that cannot make up its mind."""


@frozen
class FollowOptions:
    """How a trace is followed: between which waits, and how long trouble is ridden out.

    *max_denials* is how many times in a row a 401 that follows an answer is asked again, and
    *outlasts_rate_limits* whether a rate limit is waited through for as long as it lasts.
    """

    intervals: PollIntervals = field(factory=PollIntervals)
    outage_timeout: float = field(default=300.0, converter=outage_seconds)
    max_denials: int = 0
    outlasts_rate_limits: bool = False


@frozen
class JobTrace:
    """One job's trace, on the network."""

    transport: Transport
    capabilities: ServerCapabilities
    project: ProjectId
    job_id: int
    how: FollowOptions = field(factory=FollowOptions)

    async def follow(self, offset: int) -> AsyncGenerator[TraceChunk, None]:
        """The bytes from *offset* on as they come, until the job has ended."""
        async with aclosing(self._chunks(TraceCursor(offset), follow=True)) as chunks:
            async for chunk in chunks:
                if isinstance(chunk, NotBefore):
                    await self._until(chunk.at)
                elif chunk is not None:
                    yield chunk

    async def lines(
        self, *, last: int | None, follow: bool, offset: int = 0
    ) -> AsyncGenerator[LogLine, None]:
        """The lines from byte *offset* on; with *last*, at first only so many of those there."""
        paced = self.paced_lines(last=last, follow=follow, offset=offset)
        async with aclosing(paced) as lines:
            async for line in lines:
                if isinstance(line, NotBefore):
                    await self._until(line.at)
                else:
                    yield line

    async def paced_lines(
        self, *, last: int | None, follow: bool, offset: int = 0
    ) -> AsyncGenerator[LogLine | NotBefore, None]:
        """The same, and where `lines` would wait, until when; nothing is held meanwhile."""
        reader = LineReader(self._now(), self.how.intervals.longest, last, offset)
        server, wanted = (
            self.transport.server,
            endpoints.get_trace(self.project, self.job_id),
        )
        most = None if last is None else self.transport.limits.trace
        # A trace without end would else be read for ever before its last lines are told.
        untold = Gauge("trace", most, "GET", server.shown(wanted))
        async with aclosing(self._chunks(TraceCursor(offset), follow=follow)) as chunks:
            async for chunk in chunks:
                if isinstance(chunk, NotBefore):
                    yield chunk
                    continue
                if chunk is None:
                    untold.most = None
                    for line in reader.polled(self._now()):
                        yield line
                    continue
                if chunk.offset == 0:
                    reader.restart()
                untold.add(len(chunk.data))
                for start in range(0, len(chunk.data), _PARSED_AT_ONCE):
                    for line in reader.read(chunk.data[start : start + _PARSED_AT_ONCE]):
                        yield line
        for line in reader.ended():
            yield line

    async def _chunks(
        self, cursor: TraceCursor, *, follow: bool
    ) -> AsyncGenerator[TraceChunk | NotBefore | None, None]:
        """What each look adds, `None` after each look but the last, and when the next one is."""
        cadence = PollSchedule(self.how.intervals)
        cadence.is_dear = self.capabilities.trace is TraceSupport.WHOLE
        tolerance = OutageTolerance(
            self.how.outage_timeout if follow else 0.0,
            self.how.max_denials,
            outlasts_rate_limits=follow and self.how.outlasts_rate_limits,
        )
        look = NextPoll(PollKind.STATUS if follow else PollKind.TRACE, self._now())
        is_last, has_grown = not follow, False
        while True:
            if look.at > self._now():
                yield NotBefore(look.at)
            if look.subject is PollKind.STATUS:
                try:
                    status = await self._status()
                except GitLabError as error:
                    look = self._again(look, error, tolerance, cursor)
                    continue
                is_last = status.is_finished
                look = self._after(status, cadence)
                tolerance.succeeded()
                continue
            with Spool() as spool:
                reading = self._read(cursor, spool, by_header=is_last and tolerance.is_healthy)
                async with aclosing(reading):
                    while (ended := await _filled(reading)) is False:
                        for chunk in spool.take():
                            yield chunk
                            await yield_to_loop()
            if isinstance(ended, GitLabError):
                look = self._again(look, ended, tolerance, cursor)
                continue
            tolerance.succeeded()
            has_grown |= spool.has_any
            is_behind = cursor.has_more or (is_last and spool.has_any and self._may_stint(cursor))
            if is_behind or cursor.is_in_doubt:
                pause = 0.0 if is_behind else self.how.intervals.shortest
                look = NextPoll(PollKind.TRACE, self._now() + pause)
            elif is_last:
                return
            else:
                self.capabilities.trace = cursor.kind or self.capabilities.trace
                cadence.is_dear = self.capabilities.trace is TraceSupport.WHOLE
                look = cadence.after_trace(self._now(), grew=has_grown, says_end=cursor.says_end)
                has_grown = False
                yield None

    def _after(self, status: JobStatus, cadence: PollSchedule) -> NextPoll:
        now = self._now()
        if status.is_finished:
            return NextPoll(PollKind.TRACE, now)
        return cadence.after_status(status, now)

    def _may_stint(self, cursor: TraceCursor) -> bool:
        """Whether an answer may hold less than there is: the last look cannot trust its length."""
        return (cursor.kind or self.capabilities.trace) in {None, TraceSupport.RANGE}

    def _again(
        self, look: NextPoll, error: GitLabError, tolerance: OutageTolerance, cursor: TraceCursor
    ) -> NextPoll:
        """The same look later, as long as *tolerance* allows for *error*."""
        is_refusal, is_new = not tolerance.tolerates(error), tolerance.is_healthy
        wait = tolerance.next_delay(error, self._now(), jitter=jitter())
        if wait is not None:
            if is_new:
                _log.warning("a log is not to be had now, and is asked for again: %s", error)
            return evolve(look, at=self._now() + wait)
        if is_refusal or not tolerance.seconds:
            raise error
        raise TraceInterruptedError(str(error), cursor.offset) from error

    def _now(self) -> float:
        return self.transport.clock.now()

    async def _until(self, at: float) -> None:
        wait = at - self._now()
        if wait > 0:
            await self.transport.clock.sleep(wait)

    async def _status(self) -> JobStatus:
        request = endpoints.get_job(self.project, self.job_id)
        answer = await self.transport.send(request, Priority.BACKGROUND)
        return decode(answer, Job, log_ignored_value).status

    async def _read(
        self, cursor: TraceCursor, spool: Spool, *, by_header: bool
    ) -> AsyncGenerator[None, None]:
        """Ask once, and put aside what the answer adds; an answer cut short adds what has come.

        Yields when the spool is to be emptied: at the end, with the connection closed, and before
        that only where an answer is larger or slower than can be waited for.
        """
        overdue_at = self._now() + self.transport.timeout
        most = min(self.transport.limits.trace or _MOST_SPOOLED, _MOST_SPOOLED)
        wanted = cursor.ask(is_archived=by_header)
        request = self._request(wanted)
        try:
            async with self.transport.stream(request, Priority.BACKGROUND) as (head, pieces):
                cursor.open(
                    check_trace(head, conditional=bool(wanted.etag), partial=wanted.is_archived)
                )
                async for piece in pieces:
                    spool.add(cursor.feed(piece))
                    if spool.size >= most or (spool.size and self._now() >= overdue_at):
                        yield
                        overdue_at = self._now() + self.transport.timeout
            spool.add(cursor.close())
            if cursor.restarts > _MOST_RESTARTS:
                raise TraceInterruptedError(f"{request.path}: another trace each time", 0)
        except ConnectionFailedError:
            if not spool.has_any:
                raise
            cursor.has_more = True
        except ResponseError as refusal:
            if not (wanted.is_archived and refusal.status == 416):
                raise
            cursor.open(Response(416, {}, b"", refusal.method, refusal.url))
            spool.add(cursor.close())
        yield

    def _request(self, wanted: TraceRange) -> Request:
        if wanted.limit is None:
            request = endpoints.get_trace(self.project, self.job_id)
        else:
            request = endpoints.get_trace_range(
                self.project, self.job_id, offset=wanted.offset, limit=wanted.limit
            )
        return evolve(request, headers=wanted.headers)


async def _filled(reading: AsyncGenerator[None, None]) -> bool | GitLabError:
    """Return false when *reading* has filled its spool, true when it has ended, or its error."""
    try:
        async for _ in reading:
            return False
    except GitLabError as error:
        return error
    return True
