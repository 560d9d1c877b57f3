"""A trace grows; every byte is told once, in order, whatever kind of server sends it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async import DecodeError, Response
from gitlab_jobs_async.sansio import trace as trace_module
from gitlab_jobs_async.sansio.trace import TraceCursor, check_trace


def answer(body, status=200, **headers):
    return Response(status, headers, body, "GET", "https://gitlab.example.com/api/v4/trace")


def serve(log, asked, *, ranged, etags):
    """What a server with or without byte ranges and ETags answers."""
    if ranged and asked.limit is not None:
        start = min(asked.offset, len(log))
        return answer(log[start : start + asked.limit])
    etag = f'W/"{len(log)}"'
    if etags and asked.etag == etag:
        return answer(b"", 304, etag=etag)
    return answer(log, etag=etag) if etags else answer(log)


def read(cursor, log, **kind):
    """All that one look at *log* tells, and the questions it took."""
    told, questions = b"", 0
    while True:
        chunk = cursor.take(serve(log, cursor.ask(), **kind))
        questions += 1
        if chunk is not None:
            assert chunk.offset + len(chunk.data) == chunk.end == cursor.offset
            told += chunk.data
        if not cursor.has_more:
            return told, questions


UPLOADS = st.lists(
    st.one_of(st.binary(max_size=80), st.sampled_from([b"a\n", b"a\n" * 40, b"a" * 200])),
    max_size=12,
)


@given(UPLOADS, st.booleans(), st.booleans(), st.integers(129, 600))
def test_every_byte_is_told_once_by_every_kind_of_server(uploads, ranged, etags, longest):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trace_module, "LONGEST_RANGE", longest)
        cursor, log, told = TraceCursor(), b"", b""
        for upload in uploads:
            log += upload
            new, questions = read(cursor, log, ranged=ranged, etags=etags)
            told += new
            assert told == log
            assert questions <= 3 + len(new) / (longest - 64)
    assert cursor.offset == len(log)


@given(UPLOADS, st.integers(0, 500), st.booleans())
def test_a_trace_is_resumed_where_it_was_left(uploads, left_at, ranged):
    log = b"".join(uploads)
    offset = min(left_at, len(log))
    told, _ = read(TraceCursor(offset), log, ranged=ranged, etags=False)
    assert told == log[offset:]


@pytest.mark.parametrize("ranged", [True, False])
@pytest.mark.parametrize("beyond", [1, 2, 100, 5000])
def test_an_offset_beyond_the_trace_begins_anew(ranged, beyond):
    log = b"a line of a shorter log\n" * 100
    cursor = TraceCursor(len(log) + beyond)
    told, _ = read(cursor, log, ranged=ranged, etags=False)
    assert told == log
    assert cursor.offset == len(log)


def test_a_ranged_server_sends_little_more_than_what_is_new():
    cursor, log, received = TraceCursor(), b"", 0
    for number in range(200):
        log += b"line %d\n" % number * 700
        more = True
        while more:
            sent = serve(log, cursor.ask(), ranged=True, etags=False)
            received += len(sent.body)
            cursor.take(sent)
            more = cursor.has_more
    assert cursor.honours_ranges
    assert cursor.offset == len(log)
    assert received <= len(log) + 201 * 65


def test_a_log_of_one_repeated_line_does_not_hide_an_old_server():
    cursor = TraceCursor()
    read(cursor, b"same\n" * 10, ranged=False, etags=True)
    assert cursor.honours_ranges is None
    told, _ = read(cursor, b"same\n" * 11, ranged=False, etags=True)
    assert told == b"same\n"
    assert cursor.honours_ranges is False
    assert cursor.ask().etag == 'W/"55"'


@pytest.mark.parametrize("ranged", [True, False])
@pytest.mark.parametrize("second", [b"", b"new", b"another log, and a longer one\n" * 9])
def test_a_trace_that_was_replaced_begins_anew(ranged, second):
    cursor = TraceCursor()
    for size in (5, 9):
        read(cursor, b"the first log\n" * size, ranged=ranged, etags=False)
    told, _ = read(cursor, second, ranged=ranged, etags=False)
    assert told == second
    assert cursor.offset == len(second)


def test_a_web_page_is_no_trace():
    plain = answer(b"<html>", **{"content-type": "text/plain"})
    with pytest.raises(DecodeError, match="HTTP 206 where a trace was due"):
        check_trace(answer(b"part", 206))
    with pytest.raises(DecodeError, match="HTTP 304 where a trace was due"):
        check_trace(answer(b"", 304))
    assert check_trace(answer(b"", 304), conditional=True)
    assert check_trace(plain) is plain
    with pytest.raises(DecodeError, match="an HTML page where a trace was due"):
        check_trace(answer(b"<html>", **{"content-type": "text/html; charset=utf-8"}))
