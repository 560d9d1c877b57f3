"""How much of one trace we have, what to ask next, and what an answer adds.

A server of 19.x honours `byte_offset` and `byte_limit` with a plain 200, an older one ignores them
and sends the whole trace. All are asked the same: for what follows, and a few bytes before it. What
kind of answer came is read from the answer itself, never from memory, so that servers may be
upgraded, downgraded or mixed behind one address: a range begins with the bytes before the next, a
whole trace with the trace's own beginning. Where those two are alike, as in a log of one repeated
line, only so much is asked for that a whole trace would have to be longer.
"""

import re
from collections.abc import Mapping

from attrs import define, field, frozen

from gitlab_jobs_async.api.capabilities import TraceSupport
from gitlab_jobs_async.api.endpoints import LONGEST_RANGE
from gitlab_jobs_async.api.responses import Response, check_whole, reject_html
from gitlab_jobs_async.errors import DecodeError
from gitlab_jobs_async.models.jobs import TraceChunk

_OVERLAP = 128
"""Bytes asked for again: fewer are too easily alike by chance, more are waste."""

_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-\d{1,18}/(?:\d{1,18}|\*)", re.ASCII)
_ENDINGS = re.compile(rb"Job succeeded|ERROR: Job failed")


@frozen
class TraceRange:
    """What to ask for: *limit* bytes from *offset*, or the whole trace where that is `None`.

    With an *etag* only if it has changed; *is_archived* asks by a `Range` header too, which servers
    honour for the logs of jobs that ended a while ago.
    """

    offset: int = 0
    limit: int | None = None
    etag: str | None = None
    is_archived: bool = False

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """The headers that go with the question."""
        headers = [] if self.etag is None else [("If-None-Match", self.etag)]
        if self.is_archived:
            # A part of a compressed body could not be read.
            headers += [("Range", f"bytes={self.offset}-"), ("Accept-Encoding", "identity")]
        return tuple(headers)


@define
class TraceCursor:
    """The bytes of one trace told so far; the next one stands at `offset`.

    For each answer: `ask`, `open` with its head, `feed` with its body as it comes, `close` at its
    end. An answer that is lost on the way is just not closed. `has_more` is whether the last answer
    calls for another question at once; `is_in_doubt` whether it contradicted what was told: when
    the next one does too, the trace was replaced, which an empty chunk at 0 tells, and `restarts`
    counts.
    """

    offset: int = 0
    kind: TraceSupport | None = None
    has_more: bool = False
    is_in_doubt: bool = False
    restarts: int = 0
    _head: bytes | None = None
    _tail: bytes = b""
    _etag: str | None = None
    _asked: TraceRange = field(factory=TraceRange)
    _answer: "_Answer | None" = None

    def __attrs_post_init__(self) -> None:
        if self.offset == 0:
            self._head = b""

    @property
    def says_end(self) -> bool:
        """Whether the trace so far ends with what a runner writes last: common/build.go."""
        return _ENDINGS.search(self._tail) is not None

    def ask(self, *, is_archived: bool = False) -> TraceRange:
        """What to ask next; *is_archived* if the job has ended, so that its log may be archived."""
        self._answer = None
        self._asked = self._question(is_archived=is_archived)
        return self._asked

    def _question(self, *, is_archived: bool) -> TraceRange:
        start = self.offset - _OVERLAP
        if start <= 0:
            return TraceRange(0, LONGEST_RANGE, self._etag)
        if not self._tail:
            return TraceRange(start, _OVERLAP)
        by_header = is_archived and self.kind not in {None, TraceSupport.RANGE}
        if self._head is not None and self._head != self._tail:
            return TraceRange(start, LONGEST_RANGE, self._etag, by_header)
        if self.kind in {TraceSupport.CHANGED, TraceSupport.WHOLE}:
            return TraceRange(0, None, self._etag)
        if self.offset <= 2 * _OVERLAP:
            return TraceRange(0, LONGEST_RANGE)
        return TraceRange(start, min(LONGEST_RANGE, self.offset - 1))

    def open(self, head: Response) -> None:
        """Begin an answer with this status and these headers."""
        self.has_more = False
        self._answer = _Answer(head.status, head.headers)
        if head.status == 206:
            self._answer.place(_start_of(head))
        elif self._asked.limit is None:
            self._answer.place(0)

    def feed(self, piece: bytes) -> TraceChunk | None:
        """What the next *piece* of the body adds, as soon as that is certain."""
        answer = self._opened()
        limit = self._asked.limit
        if answer.start is None:
            answer.unplaced += piece
            if limit is None or len(answer.unplaced) <= limit:
                return None
            answer.is_whole = True
            piece = bytes(answer.unplaced)
            answer.place(0)
        return self._absorb(answer, piece)

    def close(self) -> TraceChunk | None:
        """What the end of the answer adds, which has come whole."""
        answer, self._answer = self._opened(), None
        if answer.status == 304:
            self.is_in_doubt = False
            return None
        chunk = self._decide(answer) if answer.start is None else None
        if not answer.fits(self.offset, self._head, self._tail):
            return self._doubt()
        self.is_in_doubt = False
        self._remember(answer, has_grown=chunk is not None)
        return chunk

    def _opened(self) -> "_Answer":
        if self._answer is None:
            raise RuntimeError("no answer is open")
        return self._answer

    def _decide(self, answer: "_Answer") -> TraceChunk | None:
        """Place a body that is not longer than was asked for, now that it is there."""
        asked, body = self._asked, bytes(answer.unplaced)
        is_range = asked.offset == 0 or body.startswith(self._tail)
        answer.place(asked.offset if is_range else 0)
        answer.is_whole = not is_range
        self.has_more = is_range and len(body) == asked.limit
        return self._absorb(answer, body)

    def _absorb(self, answer: "_Answer", piece: bytes) -> TraceChunk | None:
        known = answer.skip(piece, self.offset)
        if known == len(piece) or not answer.fits(self.offset, self._head, self._tail):
            return None
        self._learn(answer)
        chunk = TraceChunk(self.offset, piece[known:] if known else piece)
        self.offset = chunk.end
        self._tail = (self._tail + chunk.data[-_OVERLAP:])[-_OVERLAP:]
        if self._head is not None and len(self._head) < _OVERLAP:
            self._head = (self._head + chunk.data[:_OVERLAP])[:_OVERLAP]
        return chunk

    def _learn(self, answer: "_Answer") -> None:
        """What is not known yet of a trace that is followed from an offset."""
        if not self._tail:
            self._tail = answer.tail
        if self._head is None and answer.start == 0:
            self._head = answer.head

    def _remember(self, answer: "_Answer", *, has_grown: bool) -> None:
        self._learn(answer)
        etag = answer.headers.get("etag")
        is_all = answer.start == 0 and not self.has_more and answer.status == 200
        if is_all:
            self._etag = etag
        elif has_grown:
            self._etag = None
        if answer.is_whole:
            self.kind = TraceSupport.WHOLE if etag is None else TraceSupport.CHANGED
        elif self._asked.offset and answer.status == 200:
            self.kind = TraceSupport.RANGE

    def _doubt(self) -> TraceChunk | None:
        self.has_more = False
        self.is_in_doubt = not self.is_in_doubt
        if self.is_in_doubt:
            return None
        self.has_more = True
        self.restarts += 1
        self.offset, self._head, self._tail, self._etag = 0, b"", b"", None
        return TraceChunk(0, b"")


@define
class _Answer:
    """One answer as it comes: where its next byte stands, and what it holds of the known part."""

    status: int
    headers: Mapping[str, str]
    start: int | None = None
    is_whole: bool = False
    is_proven: bool = False
    unplaced: bytearray = field(factory=bytearray)
    position: int = 0
    head: bytes = b""
    tail: bytes = b""

    def place(self, start: int) -> None:
        """The body begins at *start* of the trace."""
        self.start = self.position = start
        self.unplaced = bytearray()

    def skip(self, piece: bytes, offset: int) -> int:
        """How many bytes of *piece* stand before *offset*; the ends of all of them are kept."""
        known = min(len(piece), max(0, offset - self.position))
        self.position += len(piece)
        if known:
            self.tail = (self.tail + piece[max(0, known - _OVERLAP) : known])[-_OVERLAP:]
            if len(self.head) < _OVERLAP:
                self.head = (self.head + piece[: min(known, _OVERLAP)])[:_OVERLAP]
        return known

    def fits(self, offset: int, head: bytes | None, tail: bytes) -> bool:
        """Whether it goes on where what was told before it ends, as far as it has come."""
        if not self.is_proven:
            overlap = min(len(self.tail), len(tail))
            self.is_proven = (
                self.start is not None
                and self.start <= offset <= self.position
                and (self.start > 0 or head is None or self.head == head)
                and self.tail[len(self.tail) - overlap :] == tail[len(tail) - overlap :]
            )
        return self.is_proven


def _start_of(head: Response) -> int:
    match = _CONTENT_RANGE.fullmatch(head.headers.get("content-range", ""))
    if match is None:
        raise DecodeError("a part that does not say which", head.method, head.url)
    return int(match[1])


def check_trace(answer: Response, *, conditional: bool = False, partial: bool = False) -> Response:
    """*answer* if it is a whole trace or the range asked for.

    A 304 is one only if it was *conditional*, a 206 only if *partial* was asked for.

    Raises:
        DecodeError: it is a web page, as sign-in pages send with status 200, or a part.
    """
    reject_html(answer, "a trace")
    if (conditional and answer.status == 304) or (partial and answer.status == 206):
        return answer
    return check_whole(answer, "a trace")
