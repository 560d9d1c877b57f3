"""Follow one trace to the job's end; the end and a failure are never the same outcome.

The job's status is read before its trace, so that the read after a final status has every byte.
Between two polls nothing is held.
"""

from collections import deque
from collections.abc import AsyncGenerator

from attrs import evolve, frozen

from gitlab_jobs_async.aio.transport import Transport
from gitlab_jobs_async.models import Job, LogLine, TraceChunk
from gitlab_jobs_async.sansio import endpoints
from gitlab_jobs_async.sansio.arguments import ProjectId
from gitlab_jobs_async.sansio.decoding import decode
from gitlab_jobs_async.sansio.logs import LogParser
from gitlab_jobs_async.sansio.requests import Request
from gitlab_jobs_async.sansio.trace import TraceCursor, TraceRange, check_trace
from gitlab_jobs_async.sansio.turns import Lane

_SHORTEST_WAIT = 3.0
_LONGEST_WAIT = 30.0
_SLOWER = 1.5
_MOST_RESTARTS = 3
"""Times a trace may begin anew in one look; more is a server that cannot make up its mind."""


@frozen
class JobTrace:
    """One job's trace, on the network."""

    transport: Transport
    project: ProjectId
    job_id: int

    async def follow(self, offset: int) -> AsyncGenerator[TraceChunk, None]:
        """The bytes from *offset* on as they come, until the job has ended."""
        cursor = TraceCursor(offset)
        async for is_last in self._polls(cursor, follow=True):
            async for chunk in self._read(cursor, to_the_end=is_last):
                yield chunk

    async def lines(self, *, last: int | None, follow: bool) -> AsyncGenerator[LogLine, None]:
        """The lines; with *last*, of those that are there at first only so many."""
        cursor, parser = TraceCursor(), LogParser()
        backlog = None if last is None else deque[LogLine](maxlen=last)
        async for is_last in self._polls(cursor, follow=follow):
            async for chunk in self._read(cursor, to_the_end=is_last):
                if chunk.offset == 0:
                    parser = LogParser()
                lines = parser.feed(chunk.data)
                if backlog is not None:
                    backlog.extend(lines)
                    continue
                for line in lines:
                    yield line
            ending = parser.close() if is_last else []
            if backlog is not None:
                backlog.extend(ending)
                ending, backlog = list(backlog), None
            for line in ending:
                yield line

    async def _polls(self, cursor: TraceCursor, *, follow: bool) -> AsyncGenerator[bool, None]:
        """One turn for each look at the trace, true for the last; quick again after it grew."""
        wait = _SHORTEST_WAIT
        while True:
            is_last = not follow or (await self._job()).status.is_finished
            before = cursor.offset
            yield is_last
            if is_last:
                return
            grew = cursor.offset != before
            wait = _SHORTEST_WAIT if grew else min(_LONGEST_WAIT, wait * _SLOWER)
            await self.transport.settings.clock.sleep(wait)

    async def _job(self) -> Job:
        request = endpoints.get_job(self.project, self.job_id)
        return decode(await self.transport.send(request, Lane.BACKGROUND), Job)

    async def _read(
        self, cursor: TraceCursor, *, to_the_end: bool
    ) -> AsyncGenerator[TraceChunk, None]:
        """What is there now and was not told yet; *to_the_end*, until an answer adds nothing.

        The last look cannot trust an answer's length: a server may give less than it was asked.
        """
        restarts = 0
        is_behind = True
        while is_behind:
            before = cursor.offset
            request = self._request(cursor.ask())
            answer = await self.transport.send(request, Lane.BACKGROUND)
            chunk = cursor.take(check_trace(answer, conditional=bool(request.headers)))
            restarts += cursor.offset < before
            grew = to_the_end and chunk is not None and cursor.honours_ranges is not False
            is_behind = (cursor.has_more or grew) and restarts < _MOST_RESTARTS
            if chunk is not None:
                yield chunk

    def _request(self, wanted: TraceRange) -> Request:
        if wanted.limit is None:
            whole = endpoints.get_trace(self.project, self.job_id)
            known = () if wanted.etag is None else (("If-None-Match", wanted.etag),)
            return evolve(whole, headers=known)
        return endpoints.get_trace_range(
            self.project, self.job_id, offset=wanted.offset, limit=wanted.limit
        )
