"""How much of one trace we have, what to ask next, and what an answer adds.

A server of 19.x honours `byte_offset` and `byte_limit` with a plain 200, an older one ignores them
and sends the whole trace. While it is unknown which one this is, the limit asked for is below what
is known to be there, so that only the older one exceeds it. Each range overlaps the bytes before
it, which proves that the trace is still the same one.
"""

from attrs import define, field, frozen

from gitlab_jobs_async.errors import DecodeError
from gitlab_jobs_async.models import TraceChunk
from gitlab_jobs_async.sansio.endpoints import LONGEST_RANGE
from gitlab_jobs_async.sansio.responses import Response

_LONGEST_OVERLAP = 64
"""Bytes asked for again: fewer are too easily alike by chance, more are waste."""


@frozen
class TraceRange:
    """What to ask for: *limit* bytes from *offset*, or the whole trace where that is `None`."""

    offset: int = 0
    limit: int | None = None
    etag: str | None = None


@define
class TraceCursor:
    """The bytes of one trace told so far; the next one stands at `offset`.

    `honours_ranges` is `None` until the server has shown it; `has_more` is whether the last answer
    calls for another question at once.
    """

    offset: int = 0
    honours_ranges: bool | None = None
    has_more: bool = False
    _overlap: bytes = b""
    _etag: str | None = None
    _asked: TraceRange = field(factory=TraceRange)

    def ask(self) -> TraceRange:
        """What to ask next."""
        if self.honours_ranges is False:
            self._asked = TraceRange(etag=self._etag)
        elif self.honours_ranges is None and self.offset < 2:
            self._asked = TraceRange(0, LONGEST_RANGE)
        else:
            limit = LONGEST_RANGE
            if self.honours_ranges is None:
                limit = min(limit, self.offset - 1)
            self._asked = TraceRange(self.offset - min(len(self._overlap), limit), limit)
        return self._asked

    def take(self, answer: Response) -> TraceChunk | None:
        """What *answer* adds; `None` if nothing, or if the trace was replaced and begins anew."""
        self.has_more = False
        if answer.status == 304:
            return None
        asked, body = self._asked, answer.body
        if asked.limit is not None:
            self._learn_kind(asked.limit, len(body))
            self.has_more = self.honours_ranges is not False and len(body) == asked.limit
        start = 0 if self.honours_ranges is False else asked.offset
        told = self.offset - start
        overlap = self._overlap[-told:] if told else b""
        if len(body) < told or not body.endswith(overlap, 0, told):
            self._begin_anew()
            return None
        self._etag = answer.headers.get("etag")
        return self._add(body[told:])

    def _learn_kind(self, limit: int, length: int) -> None:
        if length > limit:
            self.honours_ranges = False
        elif limit < self.offset:
            self.honours_ranges = True

    def _begin_anew(self) -> None:
        self.has_more = self.offset > 0
        self.offset, self.honours_ranges = 0, None
        self._overlap, self._etag = b"", None

    def _add(self, data: bytes) -> TraceChunk | None:
        if not data:
            return None
        chunk = TraceChunk(self.offset, data)
        self.offset = chunk.end
        self._overlap = (self._overlap + data[-_LONGEST_OVERLAP:])[-_LONGEST_OVERLAP:]
        return chunk


def check_trace(answer: Response) -> Response:
    """*answer* if it is a trace.

    Raises:
        DecodeError: it is a web page, as proxies and sign-in pages send with status 200.
    """
    if answer.headers.get("content-type", "").lower().startswith("text/html"):
        raise DecodeError("an HTML page where a trace was due", answer.method, answer.url)
    return answer
