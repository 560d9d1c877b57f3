"""How much of one trace we have, what to ask next, and what an answer adds.

A server of 19.x honours `byte_offset` and `byte_limit` with a plain 200, an older one ignores them
and sends the whole trace. Which one this is, is found out by asking for the one byte before the
next: only the older one sends more. Each range overlaps the bytes before it, which proves that the
trace is still the same one.
"""

from attrs import define, field, frozen

from gitlab_jobs_async.models import TraceChunk
from gitlab_jobs_async.sansio.endpoints import LONGEST_RANGE
from gitlab_jobs_async.sansio.responses import Response, check_no_page, check_whole

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
        elif self.offset == 0:
            self._asked = TraceRange(0, LONGEST_RANGE)
        elif self.honours_ranges is None or not self._overlap:
            self._asked = TraceRange(self.offset - 1, 1)
        else:
            self._asked = TraceRange(self.offset - len(self._overlap), LONGEST_RANGE)
        return self._asked

    def take(self, answer: Response) -> TraceChunk | None:
        """What *answer* adds; `None` if nothing, or if the trace was replaced and begins anew."""
        self.has_more = False
        if answer.status == 304:
            return None
        asked, body = self._asked, answer.body
        is_whole = asked.limit is None or len(body) > asked.limit
        if is_whole:
            self.honours_ranges = False
        start = 0 if is_whole else asked.offset
        told = self.offset - start
        overlap = self._overlap[-told:] if told else b""
        if len(body) < told or not body.endswith(overlap, 0, told):
            self._begin_anew()
            return None
        if not is_whole and self.offset:
            self.honours_ranges = True
            self._overlap = self._overlap or body[:told]
        self.has_more = len(body) == asked.limit
        self._etag = answer.headers.get("etag")
        return self._add(body[told:])

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


def check_trace(answer: Response, *, conditional: bool = False) -> Response:
    """*answer* if it is a whole trace or the range asked for; a 304 only if it was *conditional*.

    Raises:
        DecodeError: it is a web page, as sign-in pages send with status 200, or a part.
    """
    check_no_page(answer, "a trace")
    return answer if conditional and answer.status == 304 else check_whole(answer, "a trace")
