"""Follow one job's log over the network: send the polls of a `LogFollower`, emit new bytes.

Between two polls, no connection and no file is held.
"""

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import ExitStack, aclosing

from attrs import evolve, field, frozen

from gitlab_jobs_async.api import endpoints
from gitlab_jobs_async.api.capabilities import ServerCapabilities
from gitlab_jobs_async.api.parameters import ProjectId
from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.clock import jitter, yield_to_loop
from gitlab_jobs_async.errors import GitLabError
from gitlab_jobs_async.http.body_limits import SizeLimit
from gitlab_jobs_async.http.transport import Transport
from gitlab_jobs_async.logs.follower import (
    Action,
    CaughtUp,
    Done,
    FollowOptions,
    LogFollower,
    PollTrace,
)
from gitlab_jobs_async.logs.line_reader import LineReader
from gitlab_jobs_async.logs.poll_queue import NotBefore, PollSource, sleep_between
from gitlab_jobs_async.logs.poll_schedule import PollTerms
from gitlab_jobs_async.logs.spool import Spool
from gitlab_jobs_async.logs.trace_cursor import TraceRange
from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.models.logs import LogLine, TraceChunk
from gitlab_jobs_async.polling.pace import PaceShare
from gitlab_jobs_async.polling.policy import PollPolicy
from gitlab_jobs_async.polling.polls import Polls
from gitlab_jobs_async.polling.statuses import StatusShare
from gitlab_jobs_async.ratelimit.fair_queue import Priority

_log = logging.getLogger("gitlab_jobs_async")

_PARSE_SIZE = 16 * 1024
"""Bytes parsed at once: lines take far more memory than the bytes that they are made of."""

_UPLOAD_INTERVAL = 60.0
"""Seconds between uploads that a server requests of runners: lib/gitlab/ci/trace.rb."""

_MAX_SPOOLED = 64 * 1024 * 1024
"""Bytes of one response that are spooled; a longer one is emitted while it is received."""


@frozen
class _Shares:
    """The shares of one log in the polls of its client."""

    policy: PollPolicy
    pace: PaceShare
    status: StatusShare[Job]

    def terms(self, now: float, known_at: float | None) -> PollTerms:
        """Return the terms of the next poll, and claim the requests of a log at present.

        *known_at* is the time of the newest status.
        """
        is_shared = self.status.is_shared
        # A monitor's scans may make the listing needless.
        next_listing = self.status.next_at(now)
        if known_at is not None:
            next_listing = max(next_listing, known_at + self.policy.interval)
        # With a listing for the status, only every second poll is a request of this log.
        self.pace.claim(0.5 if is_shared else 1.0)
        return PollTerms(
            self.pace.interval,
            self.policy.max_interval,
            self.pace.is_stretched,
            next_listing if is_shared else None,
        )


@frozen
class LogEnded:
    """The end of a log, and the *job* as it was last seen; `None` if it was not requested."""

    job: Job | None


@frozen
class JobLog:
    """The log of one job on the server; *known* is the job as it was just seen."""

    transport: Transport
    capabilities: ServerCapabilities
    project: ProjectId
    job_id: int
    polls: Polls
    options: FollowOptions = field(factory=FollowOptions)
    known: Job | None = None

    async def chunks(self, offset: int) -> AsyncGenerator[TraceChunk, None]:
        """Emit the bytes from *offset* on as they are uploaded, until the job has ended."""
        events = sleep_between(self.transport.clock, self._poll(offset, follow=True))
        async with aclosing(events):
            async for event in events:
                if isinstance(event, TraceChunk):
                    yield event

    async def lines(
        self, *, last: int | None, follow: bool, offset: int = 0
    ) -> AsyncGenerator[LogLine, None]:
        """Emit the lines from byte *offset* on; of the existing ones, only the *last*."""
        lines = self.scheduled_lines(last=last, follow=follow, offset=offset)
        async with aclosing(sleep_between(self.transport.clock, lines)) as events:
            async for event in events:
                if isinstance(event, LogLine):
                    yield event

    async def scheduled_lines(
        self,
        *,
        last: int | None,
        follow: bool,
        offset: int = 0,
        matching: Callable[[LogLine], bool] | None = None,
    ) -> PollSource[LogLine | LogEnded]:
        """Emit the *matching* ones, a `NotBefore` in place of each wait, at last a `LogEnded`."""
        policy = self.options.policy
        # A poll may find an upload two intervals late.
        silence = max(_UPLOAD_INTERVAL, policy.max_interval) + 2 * policy.interval
        reader = LineReader(self._now(), silence, last, offset, matching)
        # An endless trace would be read forever before its last lines are emitted.
        most = None if last is None else self.transport.limits.trace
        backlog = SizeLimit("trace", most, "GET", self.transport.server.shown(self._request()))
        async with aclosing(self._poll(offset, follow=follow)) as events:
            async for event in events:
                if isinstance(event, NotBefore):
                    yield event
                    continue
                if isinstance(event, LogEnded):
                    for line in reader.ended():
                        yield line
                    yield event
                    continue
                if isinstance(event, CaughtUp):
                    backlog.most = None
                    for line in reader.polled(self._now()):
                        yield line
                    continue
                if event.offset == 0:
                    reader.restart()
                backlog.add(len(event.data))
                for start in range(0, len(event.data), _PARSE_SIZE):
                    for line in reader.read(event.data[start : start + _PARSE_SIZE]):
                        yield line

    async def _poll(
        self, offset: int, *, follow: bool
    ) -> PollSource[TraceChunk | CaughtUp | LogEnded]:
        follower = LogFollower(
            self.options,
            self.capabilities,
            self._request().path,
            offset=offset,
            follow=follow,
            now=self._now(),
        )
        with ExitStack() as stack:
            # A log that is read once has no share in the polls.
            shares = self._join(stack) if follow else None
            # A final status of an older object may have changed: GitLab runs skipped jobs later.
            if shares is not None and self.known is not None and not self.known.status.is_finished:
                follower.on_report(self.known.status, self._now(), self._now())
            while not isinstance(action := self._next_action(follower, shares), Done):
                if isinstance(action, CaughtUp):
                    yield action
                    continue
                # The consumer decides how to wait: by a sleep, or in the queue of many logs.
                if action.at > self._now():
                    yield NotBefore(action.at)
                    continue
                began = self._now()
                try:
                    if isinstance(action, PollTrace):
                        async with aclosing(self._read(follower, action.range)) as chunks:
                            async for chunk in chunks:
                                yield chunk
                        follower.on_trace(began, self._now())
                    elif shares is not None:
                        job = await shares.status.poll(single=action.is_single)
                        follower.on_status(job.status, began, self._now())
                except GitLabError as error:
                    if follower.on_error(error, self._now(), jitter()):
                        _log.warning("log unavailable, retrying: %s", error)
            seen = None if shares is None else shares.status.observed
            yield LogEnded(None if seen is None else seen[0])

    def _join(self, stack: ExitStack) -> "_Shares":
        policy = self.options.policy
        statuses = self.polls.statuses.join(self.project, self.job_id, policy)
        status = stack.enter_context(statuses)
        return _Shares(policy, stack.enter_context(self.polls.pace.join(policy)), status)

    def _next_action(self, follower: LogFollower, shares: "_Shares | None") -> Action:
        if shares is None:
            policy = self.options.policy
            return follower.next_action(PollTerms(policy.interval, policy.max_interval))
        now, known_at = self._now(), follower.status_known_at
        # Another poll of the same job, a listing or a monitor may know more.
        if shares.status.observed is not None:
            job, seen_at = shares.status.observed
            if known_at is None or seen_at > known_at:
                follower.on_report(job.status, seen_at, now)
        return follower.next_action(shares.terms(now, follower.status_known_at))

    async def _read(
        self, follower: LogFollower, wanted: TraceRange
    ) -> AsyncGenerator[TraceChunk, None]:
        """Request a range once; emit its new bytes after the connection was released.

        A response that is too large or too slow to wait for is emitted earlier.
        """
        overdue_at = self._now() + self.transport.timeout
        most = min(self.transport.limits.trace or _MAX_SPOOLED, _MAX_SPOOLED)
        request = self._request(wanted)
        with Spool() as spool:
            try:
                async with self.transport.stream(request, Priority.BACKGROUND) as (head, pieces):
                    follower.begin_response(head)
                    async for piece in pieces:
                        spool.add(follower.receive_data(piece))
                        if spool.size >= most or (spool.size and self._now() >= overdue_at):
                            for chunk in spool.take():
                                yield chunk
                                await yield_to_loop()
                            overdue_at = self._now() + self.transport.timeout
                spool.add(follower.end_response())
            except GitLabError as error:
                spool.add(follower.abort_response(error))
            for chunk in spool.take():
                yield chunk
                # A consumer that awaits nothing would hold the loop for the whole log.
                await yield_to_loop()

    def _request(self, wanted: TraceRange | None = None) -> Request:
        if wanted is None or wanted.limit is None:
            request = endpoints.get_trace(self.project, self.job_id)
        else:
            request = endpoints.get_trace_range(
                self.project, self.job_id, offset=wanted.offset, limit=wanted.limit
            )
        return request if wanted is None else evolve(request, headers=wanted.headers)

    def _now(self) -> float:
        return self.transport.clock.now()
