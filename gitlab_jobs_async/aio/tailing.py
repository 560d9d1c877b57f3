"""Follow one trace to the job's end; the end and a failure are never the same outcome.

The job's status is read before its trace, so that the read after a final status has every byte.
Between two polls nothing is held.
"""

from collections import deque
from collections.abc import AsyncIterator

from attrs import evolve, frozen

from gitlab_jobs_async.aio.transport import Transport
from gitlab_jobs_async.models import Job, LogLine, TraceChunk
from gitlab_jobs_async.sansio import endpoints
from gitlab_jobs_async.sansio.arguments import ProjectId
from gitlab_jobs_async.sansio.decoding import decode
from gitlab_jobs_async.sansio.logs import LogParser
from gitlab_jobs_async.sansio.requests import Request
from gitlab_jobs_async.sansio.trace import TraceCursor, TraceRange, check_trace

_SHORTEST_WAIT = 3.0
_LONGEST_WAIT = 30.0
_SLOWER = 1.5


@frozen
class JobTrace:
    """One job's trace, on the network."""

    transport: Transport
    project: ProjectId
    job_id: int

    async def follow(self, offset: int) -> AsyncIterator[TraceChunk]:
        """The bytes from *offset* on as they come, until the job has ended."""
        cursor = TraceCursor(offset)
        async for _ in self._polls(cursor, follow=True):
            async for chunk in self._read(cursor):
                yield chunk

    async def lines(self, *, last: int | None, follow: bool) -> AsyncIterator[LogLine]:
        """The lines; with *last*, of those that are there at first only so many."""
        cursor, parser = TraceCursor(), LogParser()
        backlog = None if last is None else deque[LogLine](maxlen=last)
        async for is_last in self._polls(cursor, follow=follow):
            async for chunk in self._read(cursor):
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

    async def _polls(self, cursor: TraceCursor, *, follow: bool) -> AsyncIterator[bool]:
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
        return decode(await self.transport.send(request), Job)

    async def _read(self, cursor: TraceCursor) -> AsyncIterator[TraceChunk]:
        """What is there now and was not told yet."""
        is_behind = True
        while is_behind:
            request = self._request(cursor.ask())
            chunk = cursor.take(check_trace(await self.transport.send(request)))
            is_behind = cursor.has_more
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
