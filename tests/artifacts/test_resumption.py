"""Requests that continue a download, and the responses that do."""

import pytest

from gitlab_jobs_async import DecodeError, Response
from gitlab_jobs_async.artifacts.resumption import Resumption

DATE = "Fri, 27 Nov 2026 06:00:00 GMT"
WHOLE = {"content-length": "10", "etag": '"a"', "date": DATE}
PLAIN = (("Accept-Encoding", "identity"),)


def answer(status, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, named, b"", "GET", "/artifacts")


def lost_at(received, **headers):
    state = Resumption()
    assert not state.accept(answer(200, **headers))
    state.received = received
    return state


def headers_of(state):
    return dict(state.request_headers())


def test_first_request_asks_for_the_whole_archive():
    assert Resumption().request_headers() == PLAIN


@pytest.mark.parametrize(
    ("validator", "expected"),
    [
        ({"etag": '"a"'}, '"a"'),
        ({"last-modified": "Fri, 27 Nov 2026 05:59:00 GMT"}, "Fri, 27 Nov 2026 05:59:00 GMT"),
        ({"etag": 'W/"a"'}, None),
        ({"etag": 'W/"a"', "last-modified": "Fri, 27 Nov 2026 05:59:00 GMT"}, None),
        ({"last-modified": "Fri, 27 Nov 2026 05:59:30 GMT"}, None),
        ({"last-modified": "yesterday"}, None),
        ({"etag": '"a"', "content-encoding": "gzip"}, None),
        ({}, None),
    ],
)
def test_only_strong_validators_resume(validator, expected):
    state = lost_at(4, **{"content-length": "10", "date": DATE} | validator)
    assert headers_of(state).get("If-Range") == expected
    assert headers_of(state).get("Range") == (expected and "bytes=4-")


@pytest.mark.parametrize("length", [{}, {"content-length": "x"}, {"content-length": "²"}])
def test_unknown_length_is_not_resumed(length):
    assert lost_at(4, etag='"a"', **length).request_headers() == PLAIN


def test_nothing_received_is_not_resumed():
    assert lost_at(0, **WHOLE).request_headers() == PLAIN


@pytest.mark.parametrize(
    ("ranged", "etag", "expected"),
    [
        ("bytes 4-9/10", '"a"', True),
        ("bytes 4-9/10", '"b"', False),
        ("bytes 4-9/10", 'W/"a"', False),
        ("bytes 4-8/10", '"a"', False),
        ("bytes 3-9/10", '"a"', False),
        ("bytes 4-10/11", '"a"', False),
        ("bytes 4-9/*", '"a"', False),
        ("bytes */10", '"a"', False),
        ("", '"a"', False),
    ],
)
def test_only_the_exact_rest_continues(ranged, etag, expected):
    state = lost_at(4, **WHOLE)
    partial = answer(206, content_range=ranged, etag=etag, date=DATE)
    assert state.accept(partial) is expected
    assert state.received == 4


def test_whole_archive_starts_again():
    state = lost_at(4, **WHOLE)
    assert not state.accept(answer(200, **WHOLE | {"etag": '"b"'}))
    state.received = 2
    assert headers_of(state)["If-Range"] == '"b"'


def test_refused_ranges_are_not_requested_again():
    state = lost_at(4, **WHOLE)
    state.refuse()
    assert state.request_headers() == PLAIN


@pytest.mark.parametrize("status", [202, 204, 206])
def test_unrequested_part_is_refused(status):
    with pytest.raises(DecodeError, match=f"got HTTP {status}"):
        Resumption().accept(answer(status, content_range="bytes 4-9/10"))


@pytest.mark.parametrize("status", [200, 206])
def test_web_page_is_refused(status):
    state = lost_at(4, **WHOLE)
    with pytest.raises(DecodeError, match="HTML page"):
        state.accept(answer(status, content_type="text/html", content_range="bytes 4-9/10"))
