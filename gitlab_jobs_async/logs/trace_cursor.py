"""Cursor of one trace: which range to request next, and which bytes of a response are new.

Servers of GitLab 19 honour `byte_offset` and `byte_limit` with a plain 200; older ones ignore them
and send the whole trace. All get the same request: for what follows the cursor, and a few bytes
before it. The response itself shows its kind, so that servers may be upgraded, downgraded or mixed
behind one address: a range begins with the bytes before the cursor, a whole trace with the trace's
own beginning. Where these are alike, as in a log of one repeated line, the requested range is so
short that a whole trace would exceed it.
"""

import re
from collections.abc import Mapping

from attrs import define, field, frozen

from gitlab_jobs_async.api.capabilities import TraceSupport
from gitlab_jobs_async.api.endpoints import LONGEST_RANGE
from gitlab_jobs_async.api.responses import Response, check_complete, reject_html
from gitlab_jobs_async.errors import DecodeError
from gitlab_jobs_async.models.logs import TraceChunk

_OVERLAP = 128
"""Known bytes that are requested again: fewer are too easily alike by chance, more are waste."""

_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-\d{1,18}/(?:\d{1,18}|\*)", re.ASCII)

# The last lines of a runner: common/build.go.
_ENDINGS = re.compile(rb"Job succeeded|ERROR: Job failed")


@frozen
class TraceRange:
    """A request for *limit* bytes from *offset*, or for the whole trace without a limit.

    *etag* makes it conditional. *is_archived* adds a `Range` header, which servers honour for the
    logs of jobs that ended a while ago.
    """

    offset: int = 0
    limit: int | None = None
    etag: str | None = None
    is_archived: bool = False

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """The request headers."""
        headers = [] if self.etag is None else [("If-None-Match", self.etag)]
        if self.is_archived:
            # A part of a compressed body could not be decompressed.
            headers += [("Range", f"bytes={self.offset}-"), ("Accept-Encoding", "identity")]
        return tuple(headers)


@define(eq=False, repr=False)
class TraceCursor:
    """The bytes of one trace that were received; the next one is at `offset`.

    For each response, call `next_request`, `begin_response`, `receive_data` for each piece of the
    body, and `end_response`; a response that was lost is not ended. `has_more` is whether to send
    another request at once. `mismatch_pending` is whether the last response contradicts the bytes
    before. If the next one does, too, the trace was replaced: an empty chunk at 0 is returned, and
    counted in `restarts`.
    """

    offset: int = 0
    kind: TraceSupport | None = None
    has_more: bool = False
    mismatch_pending: bool = False
    restarts: int = 0
    _head: bytes | None = None
    _tail: bytes = b""
    _etag: str | None = None
    _requested: TraceRange = field(factory=TraceRange)
    _response: "_TraceResponse | None" = None

    def __attrs_post_init__(self) -> None:
        if self.offset == 0:
            self._head = b""

    @property
    def says_end(self) -> bool:
        """Whether the trace ends with the last line of a runner."""
        return _ENDINGS.search(self._tail) is not None

    def next_request(self, *, is_archived: bool = False) -> TraceRange:
        """Return the next range; *is_archived* if the job has ended, so that a `Range` may do."""
        self._response = None
        self._requested = self._next_range(is_archived=is_archived)
        return self._requested

    def _next_range(self, *, is_archived: bool) -> TraceRange:
        start = self.offset - _OVERLAP
        # A short trace is requested from its beginning: all servers answer that alike.
        if start <= 0:
            return TraceRange(0, LONGEST_RANGE, self._etag)
        if not self._tail:
            return TraceRange(start, _OVERLAP)
        by_header = is_archived and self.kind not in {None, TraceSupport.RANGE}
        if self._head is not None and self._head != self._tail:
            return TraceRange(start, LONGEST_RANGE, self._etag, by_header)
        if self.kind in {TraceSupport.CHANGED, TraceSupport.WHOLE}:
            return TraceRange(0, None, self._etag)
        # Head and tail are alike: a range could be taken for a whole trace.
        if self.offset <= 2 * _OVERLAP:
            return TraceRange(0, LONGEST_RANGE)
        return TraceRange(start, min(LONGEST_RANGE, self.offset - 1))

    def begin_response(self, head: Response) -> None:
        """Begin a response with this status and these headers."""
        self.has_more = False
        self._response = _TraceResponse(head.status, head.headers)
        if head.status == 206:
            self._response.place(_range_start(head))
        elif self._requested.offset == 0:
            self._response.place(0)

    def receive_data(self, piece: bytes) -> TraceChunk | None:
        """Return the new bytes that *piece* of the body adds, as soon as they are certain."""
        response = self._current()
        limit = self._requested.limit
        if response.start is None:
            response.unplaced += piece
            response.is_whole = limit is not None and len(response.unplaced) > limit
            # The bytes of a range that is certain are not lost with the connection.
            response.is_range = not response.is_whole and self._is_range(response.unplaced)
            if not (response.is_whole or response.is_range):
                return None
            piece = bytes(response.unplaced)
            response.place(0 if response.is_whole else self._requested.offset)
        return self._absorb(response, piece)

    def end_response(self) -> TraceChunk | None:
        """Return the new bytes that the end of a complete response adds."""
        response, self._response = self._current(), None
        if response.status == 304:
            self.mismatch_pending = False
            return None
        chunk = self._place_and_absorb(response) if response.start is None else None
        if not response.fits(self.offset, self._head, self._tail):
            return self._reject()
        self._learn_extent(response)
        self.mismatch_pending = False
        self._remember(response)
        return chunk

    def _current(self) -> "_TraceResponse":
        if self._response is None:
            raise RuntimeError("no response is open: expected begin_response first")
        return self._response

    def _place_and_absorb(self, response: "_TraceResponse") -> TraceChunk | None:
        """Place a complete body that is no longer than the requested range."""
        requested, body = self._requested, bytes(response.unplaced)
        is_range = requested.offset == 0 or body.startswith(self._tail)
        response.place(requested.offset if is_range else 0)
        response.is_range, response.is_whole = is_range, not is_range
        return self._absorb(response, body)

    def _is_range(self, body: bytearray) -> bool:
        """Return whether the beginning of a *body* shows that it is the requested range."""
        # A whole trace begins with its head, which must differ from the tail to tell them apart.
        is_distinct = self._head is not None and self._head != self._tail
        return self._requested.offset > 0 and is_distinct and body.startswith(self._tail)

    def _absorb(self, response: "_TraceResponse", piece: bytes) -> TraceChunk | None:
        known = response.skip(piece, self.offset)
        if known == len(piece) or not response.fits(self.offset, self._head, self._tail):
            return None
        self._learn(response)
        response.has_grown = True
        chunk = TraceChunk(self.offset, piece[known:] if known else piece)
        self.offset = chunk.end
        self._tail = (self._tail + chunk.data[-_OVERLAP:])[-_OVERLAP:]
        if self._head is not None and len(self._head) < _OVERLAP:
            self._head = (self._head + chunk.data[:_OVERLAP])[:_OVERLAP]
        return chunk

    def _learn_extent(self, response: "_TraceResponse") -> None:
        """Find out from its length whether *response* is whole, and whether more follows."""
        offset, limit = self._requested.offset, self._requested.limit
        length = response.position - offset
        if offset == 0 and limit is not None:
            response.is_whole, response.is_range = length > limit, length <= limit
        self.has_more = response.is_range and length == limit

    def _learn(self, response: "_TraceResponse") -> None:
        """Keep both ends of the known part, if the trace is followed from an offset."""
        if not self._tail:
            self._tail = response.tail
        if self._head is None and response.start == 0:
            self._head = response.head

    def _remember(self, response: "_TraceResponse") -> None:
        self._learn(response)
        etag = response.headers.get("etag")
        is_all = response.start == 0 and not self.has_more and response.status == 200
        if is_all:
            self._etag = etag
        elif response.has_grown:
            # The log may be replaced by an older state, for which a 304 would be wrong.
            self._etag = None
        if response.is_whole:
            self.kind = TraceSupport.WHOLE if etag is None else TraceSupport.CHANGED
        elif self._requested.offset and response.status == 200:
            self.kind = TraceSupport.RANGE

    def _reject(self) -> TraceChunk | None:
        """Note a response that does not fit; start over after the second in a row."""
        self.has_more = False
        self.mismatch_pending = not self.mismatch_pending
        if self.mismatch_pending:
            return None
        self.has_more = True
        self.restarts += 1
        self.offset, self._head, self._tail, self._etag = 0, b"", b"", None
        return TraceChunk(0, b"")


@define(eq=False, repr=False)
class _TraceResponse:
    """A response as it arrives: the offset of its next byte, and both ends of its known part."""

    status: int
    headers: Mapping[str, str]
    start: int | None = None
    is_whole: bool = False
    is_range: bool = False
    has_grown: bool = False
    is_proven: bool = False
    unplaced: bytearray = field(factory=bytearray)
    position: int = 0
    head: bytes = b""
    tail: bytes = b""

    def place(self, start: int) -> None:
        """Set the offset at which the body begins."""
        self.start = self.position = start
        self.unplaced = bytearray()

    def skip(self, piece: bytes, offset: int) -> int:
        """Return how many bytes of *piece* are before *offset*, and keep the ends of them all."""
        known = min(len(piece), max(0, offset - self.position))
        self.position += len(piece)
        if known:
            self.tail = (self.tail + piece[max(0, known - _OVERLAP) : known])[-_OVERLAP:]
            if len(self.head) < _OVERLAP:
                self.head = (self.head + piece[: min(known, _OVERLAP)])[:_OVERLAP]
        return known

    def fits(self, offset: int, head: bytes | None, tail: bytes) -> bool:
        """Return whether the response so far continues the bytes up to *offset*."""
        if not self.is_proven:
            overlap = min(len(self.tail), len(tail))
            self.is_proven = (
                self.start is not None
                and self.start <= offset <= self.position
                and (self.start > 0 or head is None or self.head == head)
                and self.tail[len(self.tail) - overlap :] == tail[len(tail) - overlap :]
            )
        return self.is_proven


def _range_start(head: Response) -> int:
    match = _CONTENT_RANGE.fullmatch(head.headers.get("content-range", ""))
    if match is None:
        raise DecodeError("206 response without a valid Content-Range", head.method, head.url)
    return int(match[1])


def check_trace(
    response: Response, *, conditional: bool = False, partial: bool = False
) -> Response:
    """Return *response* if it is a whole trace or the range that was requested.

    A 304 is valid only after a *conditional* request, a 206 only after one for a *partial* trace.

    Raises:
        DecodeError: it is a web page, as sign-in pages with status 200 are, or an unwanted part.
    """
    reject_html(response, "a trace")
    if (conditional and response.status == 304) or (partial and response.status == 206):
        return response
    return check_complete(response, "a trace")
