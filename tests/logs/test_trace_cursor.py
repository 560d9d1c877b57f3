"""Every byte of a growing trace is emitted once, in order, by any kind of server."""

import itertools
import tracemalloc
from contextlib import contextmanager

import pytest
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async import DecodeError, Response
from gitlab_jobs_async.api.capabilities import TraceSupport
from gitlab_jobs_async.logs import trace_cursor as trace_module
from gitlab_jobs_async.logs.trace_cursor import TraceCursor, TraceRange, check_trace
from tests.support.traces import KINDS, etag_of, response, serve

OVERLAP = 128


@define
class Reader:
    """Reads a trace by a cursor, and keeps the emitted bytes."""

    cursor: TraceCursor
    emitted: bytearray = field(factory=bytearray)
    replaced: int = 0
    received: int = 0

    def take(self, chunk):
        if chunk is None:
            return
        if not chunk.data:
            assert chunk.offset == 0
            self.replaced += 1
            self.emitted.clear()
        assert chunk.offset == len(self.emitted)
        self.emitted += chunk.data
        assert chunk.end == len(self.emitted) == self.cursor.offset

    def respond(self, sent, cuts=(), *, lost=False):
        """Take one response, its body cut at these places; a *lost* one never ends."""
        self.cursor.begin_response(sent)
        self.received += len(sent.body)
        places = sorted({min(cut, len(sent.body)) for cut in cuts} | {0, len(sent.body)})
        for start, stop in itertools.pairwise(places):
            self.take(self.cursor.receive_data(sent.body[start:stop]))
        if not lost:
            self.take(self.cursor.end_response())

    def poll(self, log, kinds, *, is_archived=False):
        """Send requests until the cursor has caught up; return their number."""
        number, is_behind = 0, True
        while is_behind:
            self.respond(serve(log, self.cursor.next_request(is_archived=is_archived), next(kinds)))
            number, is_behind = number + 1, self.cursor.has_more or self.cursor.mismatch_pending
            assert number < 2000
        return number


UPLOADS = st.lists(
    st.one_of(
        st.binary(max_size=300),
        st.sampled_from([b"a\n", b"a\n" * 40, b"a" * 200, b"a" * 999, b"ab" * 64]),
    ),
    max_size=12,
)
MANY_KINDS = st.lists(st.sampled_from(KINDS), min_size=1, max_size=9)


@contextmanager
def small_ranges(longest):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trace_module, "LONGEST_RANGE", longest)
        yield


@given(UPLOADS, MANY_KINDS, st.integers(300, 900), st.booleans())
def test_mixed_servers_give_every_byte_once(uploads, kinds, longest, ended):
    with small_ranges(longest):
        reader, log, served = Reader(TraceCursor()), b"", itertools.cycle(kinds)
        for upload in uploads:
            log += upload
            reader.poll(log, served, is_archived=ended)
            assert reader.emitted == log
    assert reader.replaced == 0


@given(UPLOADS, MANY_KINDS, st.data())
def test_lost_responses_lose_and_repeat_nothing(uploads, kinds, data):
    reader, log, served = Reader(TraceCursor()), b"", itertools.cycle(kinds)
    cuts = st.lists(st.integers(0, 3000), max_size=3)
    for upload in uploads:
        log += upload
        for _ in range(data.draw(st.integers(0, 2))):
            sent = serve(log, reader.cursor.next_request(), next(served))
            stop = data.draw(st.integers(0, len(sent.body)))
            part = Response(sent.status, sent.headers, sent.body[:stop], sent.method, sent.url)
            reader.respond(part, data.draw(cuts), lost=True)
            assert log.startswith(reader.emitted)
        reader.poll(log, served)
        assert reader.emitted == log
    assert reader.replaced == 0


@given(UPLOADS, st.integers(300, 900))
def test_range_has_new_bytes_and_overlap_only(uploads, longest):
    with small_ranges(longest):
        reader, log = Reader(TraceCursor()), b""
        for upload in uploads:
            log += upload
            before = reader.received
            asked = reader.poll(log, itertools.repeat("ranged"))
            most = len(upload) + asked * 2 * OVERLAP
            assert reader.received - before <= most
    if len(log) > 4 * OVERLAP:
        assert reader.cursor.kind in {None, TraceSupport.RANGE}


@given(UPLOADS, MANY_KINDS, st.integers(0, 3000))
def test_trace_is_resumed_at_an_offset(uploads, kinds, left_at):
    log = b"".join(uploads)
    offset = min(left_at, len(log))
    reader = Reader(TraceCursor(offset), bytearray(log[:offset]))
    served = itertools.cycle(kinds)
    for _ in range(2):
        reader.poll(log, served)
        assert reader.emitted == log
        log += b"and more of it\n" * 20


@given(UPLOADS, st.sampled_from(KINDS), UPLOADS, st.integers(2, 4))
def test_replaced_trace_starts_over_once(uploads, kind, others, polls):
    first = b"the first log\n" + b"".join(uploads) + b"the first log's end\n"
    second = b"another log!\n" + b"".join(others)
    reader = Reader(TraceCursor())
    reader.poll(first[:-1], itertools.repeat(kind))
    reader.poll(first, itertools.repeat(kind))
    for _ in range(polls):
        reader.poll(second, itertools.repeat(kind))
        assert reader.emitted == second
        assert reader.replaced == 1
        second += b"more\n"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("left", [0, 1, 100, 5_000])
def test_shorter_trace_starts_over_once(kind, left):
    log = b"".join(b"line %d\n" % number for number in range(2_000))
    reader = Reader(TraceCursor())
    for size in (9_000, 10_000):
        reader.poll(log[:size], itertools.repeat(kind))
    for _ in range(3):
        reader.poll(log[:left], itertools.repeat(kind), is_archived=True)
        assert (reader.emitted, reader.replaced) == (log[:left], 1)


@pytest.mark.parametrize("kind", KINDS)
def test_one_mismatch_is_not_a_replacement(kind):
    log = b"".join(b"line %d\n" % number for number in range(2_000))
    reader = Reader(TraceCursor())
    reader.poll(log[:9_000], itertools.repeat(kind))
    reader.respond(serve(log[:500], reader.cursor.next_request(), kind))
    assert reader.cursor.mismatch_pending
    reader.poll(log, itertools.repeat(kind))
    assert (reader.emitted, reader.replaced) == (log, 0)


@pytest.mark.parametrize("kind", KINDS[:3])
@pytest.mark.parametrize("beyond", [1, 2, 100, 5000])
def test_offset_beyond_the_trace_starts_over(kind, beyond):
    log = b"a line of a shorter log\n" * 100
    reader = Reader(TraceCursor(len(log) + beyond), bytearray(len(log) + beyond))
    reader.poll(log, itertools.repeat(kind))
    assert (reader.emitted, reader.replaced) == (log, 1)


def test_ranges_cost_little_more_than_new_bytes():
    reader, log, asked = Reader(TraceCursor()), b"", 0
    for number in range(200):
        log += b"line %d\n" % number * 700
        asked += reader.poll(log, itertools.repeat("ranged"))
    assert reader.emitted == log
    assert reader.cursor.kind is TraceSupport.RANGE
    assert asked == 200
    assert reader.received <= len(log) + 200 * OVERLAP


@pytest.mark.parametrize(
    ("kind", "seen"), [("conditional", TraceSupport.CHANGED), ("whole", TraceSupport.WHOLE)]
)
def test_old_server_is_known_by_its_response(kind, seen):
    reader, log = Reader(TraceCursor()), b"".join(b"line %d\n" % n for n in range(99))
    reader.poll(log, itertools.repeat(kind))
    assert reader.cursor.kind is None
    reader.poll(log + b"more\n", itertools.repeat(kind))
    assert reader.cursor.kind is seen
    assert reader.cursor.next_request().etag == (
        etag_of(log + b"more\n") if kind != "whole" else None
    )


@pytest.mark.parametrize("kind", KINDS)
def test_repeated_line_hides_no_kind_of_server(kind):
    reader, log = Reader(TraceCursor()), b""
    for _ in range(50):
        log += b"same\n" * 40
        reader.poll(log, itertools.repeat(kind))
        assert reader.emitted == log
    seen = {"ranged": TraceSupport.RANGE, "conditional": TraceSupport.CHANGED}
    assert reader.cursor.kind is seen.get(kind, TraceSupport.WHOLE)


@pytest.mark.parametrize("size", [130, 256, 257, 258, 300, 400, 5000])
@pytest.mark.parametrize("line", [b"x", b"a\n", b"same line\n"])
def test_repeated_line_is_not_emitted_again(line, size):
    """An older server sends the whole log, which begins like the requested part."""
    log = (line * size)[:size]
    reader = Reader(TraceCursor())
    for _ in range(3):
        reader.poll(log, itertools.repeat("whole"))
        assert reader.emitted == log
    assert reader.replaced == 0


def test_etag_of_an_older_state_is_not_sent():
    """The log may be replaced by an earlier one."""
    with small_ranges(300):
        reader = Reader(TraceCursor())
        reader.respond(serve(b"old", reader.cursor.next_request(), "ranged"))
        assert reader.cursor.next_request().etag == etag_of(b"old")
        reader.respond(serve(b"old" + b"new" * 300, reader.cursor.next_request(), "ranged"))
        assert reader.cursor.has_more
        assert reader.cursor.next_request().etag is None


def test_known_part_of_a_response_is_not_kept():
    cursor = TraceCursor()
    pieces = [b"%07d\n" % number * 8192 for number in range(40)]
    reader = Reader(cursor)
    reader.poll(b"".join(pieces[:20]), itertools.repeat("whole"))
    cursor.next_request()
    cursor.begin_response(response(b""))
    tracemalloc.start()
    for piece in pieces[:20]:
        assert cursor.receive_data(piece) is None
        assert tracemalloc.get_traced_memory()[0] < 1.5 * trace_module.LONGEST_RANGE
    tracemalloc.stop()
    for piece in pieces[20:]:
        reader.take(cursor.receive_data(piece))
    reader.take(cursor.end_response())
    assert reader.emitted == b"".join(pieces)


def test_archived_log_is_requested_by_range():
    reader, log = Reader(TraceCursor()), b"".join(b"line %d\n" % n for n in range(999))
    reader.poll(log[:5_000], itertools.repeat("whole"))
    reader.poll(log[:6_000], itertools.repeat("whole"))
    asked = reader.cursor.next_request(is_archived=True)
    assert dict(asked.headers) == {"Range": "bytes=5872-", "Accept-Encoding": "identity"}
    received = reader.received
    reader.poll(log, itertools.repeat("archived"), is_archived=True)
    assert reader.emitted == log
    assert reader.received - received == len(log) - 5_872


@pytest.mark.parametrize("before", [b"", b"a", b"line\n" * 99])
def test_last_line_of_a_runner_is_seen(before):
    ending = b"\x1b[32;1mJob succeeded\x1b[0;m\n"
    reader = Reader(TraceCursor())
    reader.poll(before, itertools.repeat("ranged"))
    assert not reader.cursor.says_end
    reader.poll(before + ending, itertools.repeat("ranged"))
    assert reader.cursor.says_end


def test_range_has_its_headers():
    assert TraceRange(5, 10).headers == ()
    assert TraceRange(0, 10, 'W/"1"').headers == (("If-None-Match", 'W/"1"'),)
    with pytest.raises(RuntimeError, match="no response is open"):
        TraceCursor().receive_data(b"")


def test_part_needs_a_content_range():
    with pytest.raises(DecodeError, match="without a valid Content-Range"):
        TraceCursor().begin_response(response(b"", 206))


def test_web_page_is_refused():
    plain = response(b"<html>", **{"content-type": "text/plain"})
    with pytest.raises(DecodeError, match="expected a trace, got HTTP 206"):
        check_trace(response(b"part", 206))
    with pytest.raises(DecodeError, match="expected a trace, got HTTP 304"):
        check_trace(response(b"", 304))
    assert check_trace(response(b"", 304), conditional=True)
    assert check_trace(response(b"", 206), partial=True)
    assert check_trace(plain) is plain
    with pytest.raises(DecodeError, match="expected a trace, got an HTML page"):
        check_trace(response(b"<html>", **{"content-type": "text/html; charset=utf-8"}))


@pytest.mark.parametrize("kind", KINDS[:3])
def test_cut_first_response_keeps_its_bytes(kind):
    log = b"".join(b"line %d\n" % number for number in range(1000))
    reader = Reader(TraceCursor())
    sent = serve(log, reader.cursor.next_request(), kind)
    reader.respond(response(sent.body[:500]), lost=True)
    assert reader.emitted == log[:500]
    reader.poll(log, itertools.repeat(kind))
    assert reader.emitted == log


@pytest.mark.parametrize("size", [1, 100, 1000])
def test_cut_range_keeps_its_bytes(size):
    """A body that begins with the bytes before the cursor is the range, before it has ended."""
    log = b"".join(b"line %d\n" % number for number in range(1000))
    reader = Reader(TraceCursor())
    reader.poll(log[:2000], itertools.repeat("ranged"))
    sent = serve(log, reader.cursor.next_request(), "ranged")
    cut = response(sent.body[: OVERLAP + size])
    reader.respond(cut, range(0, 2000, 7), lost=True)
    assert reader.emitted == log[: 2000 + size]
    reader.poll(log, itertools.repeat("ranged"))
    assert reader.emitted == log
    assert reader.replaced == 0


def test_cut_repeated_line_is_no_certain_range():
    """Where head and tail are alike, only the length of a complete body tells them apart."""
    reader = Reader(TraceCursor())
    reader.poll(b"x\n" * 1000, itertools.repeat("ranged"))
    sent = serve(b"x\n" * 2000, reader.cursor.next_request(), "ranged")
    reader.respond(response(sent.body[:500]), lost=True)
    assert len(reader.emitted) == 2000
