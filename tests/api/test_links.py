"""The next page of a response; an unreadable name is an error, not the end."""

import pytest

from gitlab_jobs_async import DecodeError, Request, Response
from gitlab_jobs_async.api.capabilities import NextPageHeaders
from gitlab_jobs_async.api.links import (
    is_last_page,
    next_link,
    next_page,
    number_in,
)
from gitlab_jobs_async.api.urls import ServerUrl
from tests.support.cpu_time import cpu_seconds

HERE = ServerUrl("https://gitlab.example.com")
FIRST = Request("GET", "/projects/7/jobs", [("pagination", "keyset"), ("per_page", "100")])


def page(**headers):
    lower = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(200, lower, b"[]", "GET", HERE.shown(FIRST))


@pytest.mark.parametrize(
    ("header", "url"),
    [
        ("", None),
        ('<https://h/a?x=1>; rel="next"', "https://h/a?x=1"),
        ('<https://h/p>; rel="prev", <https://h/n>; rel="next", <https://h/f>; rel="first"',
         "https://h/n"),
        ("<https://h/n>; rel=next", "https://h/n"),
        ('<https://h/n?scope[]=a,b&y=>; title="a, b"; rel="next"', "https://h/n?scope[]=a,b&y="),
        ('<https://h/n>; rel="last next"', "https://h/n"),
        ('<https://h/n>; rel="nextish"', None),
        ("<https://h/n>; REL=Next", "https://h/n"),
        ("<https://h/n>; rel='next'", "https://h/n"),
        ('<https://h/n>; crossorigin; rel="next"', "https://h/n"),
        ('<https://h/n>;;rel="next"', "https://h/n"),
        (r'<https://h/n>; title="x\"y"; rel="next"', "https://h/n"),
        ('<https://h/f>; rel="first", <https://h/l>; rel="last"', None),
        ("garbage; rel=next", None),
        ('<a>; rel="prev",, <b>; rel="next"', "b"),
        ("<a>; rel='up next'", "a"),
        ('<a>; rel = "next"', "a"),
    ],
)  # fmt: skip
def test_next_link_is_found(header, url):
    assert next_link(header) == url


def test_keyset_page_is_followed_by_link():
    link = '<http://other:1/api/v4/projects/7/jobs?cursor=abc&id=7&per_page=100>; rel="next"'
    following = next_page(HERE, FIRST, page(link=link))
    assert following == Request(
        "GET", "/projects/7/jobs", [("cursor", "abc"), ("id", "7"), ("per_page", "100")]
    )


def test_offset_page_is_followed_by_number():
    following = next_page(HERE, FIRST, page(x_next_page="2"))
    assert following.params == (*FIRST.params, ("page", "2"))
    third = next_page(HERE, following, page(x_next_page="3"))
    assert third.params == (*FIRST.params, ("page", "3"))


@pytest.mark.parametrize("headers", [{}, {"x_next_page": ""}, {"link": '<https://h>; rel="first"'}])
def test_page_without_a_next_one_is_the_last(headers):
    assert next_page(HERE, FIRST, page(**headers)) is None


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("https://gitlab.example.com/explore", "outside this API"),
        (f"https://gitlab.example.com/api/v4{FIRST.target}", "to the same page"),
        ("http://[::1/api/v4/x", "outside this API"),
    ],
)
def test_invalid_next_page_is_an_error(link, said):
    with pytest.raises(DecodeError, match=said):
        next_page(HERE, FIRST, page(link=f'<{link}>; rel="next"'))


@pytest.mark.parametrize(
    "link",
    [
        "garbage",
        '<https://h/p>; rel="prev", <https://h/api/v4/projects/7/jobs?curs',
        '<https://h/p>; rel="prev", <https://h/n>; rel="ne',
        '<https://h/p>; rel="prev"; <https://h/n>; rel="next',
        "<" * 8000,
    ],
)
def test_unreadable_link_header_is_an_error(link):
    with pytest.raises(DecodeError, match="unreadable Link header"):
        next_page(HERE, FIRST, page(link=link))


HOSTILE = [
    "<", "<>", "<a>;", ";", '<a>;a="', '<a>;a="\\', "<a>;x='", ',"', "\\", "> ;", '<a>;a="\\" ',
    "<a> ",
]  # fmt: skip


@pytest.mark.parametrize("start", ["", "<a>", '<a>; rel="', "<a>; x=", "<a>; rel='"])
@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.no_cover("measures time")
def test_hostile_link_header_takes_linear_time(start, piece):
    header = (start + piece * 65536)[:65536]
    assert cpu_seconds(lambda: next_link(header)) < 0.5


def test_next_cursor_replaces_a_lost_link():
    following = next_page(HERE, FIRST, page(x_next_cursor="abc"))
    assert following.params == (*FIRST.params, ("cursor", "abc"))
    assert next_page(HERE, following, page(x_prev_cursor="abc")) is None


@pytest.mark.parametrize("number", ["9" * 5000, "two", "-1", "1.5"])
def test_next_page_must_be_a_number(number):
    with pytest.raises(DecodeError, match="X-Next-Page"):
        next_page(HERE, FIRST, page(x_next_page=number))


def test_seen_headers_are_reliable_until_dropped():
    headers = NextPageHeaders()
    headers.learn(page(x_next_page="2"))
    assert not headers.are_reliable
    headers.learn(page(link='<https://h/f>; rel="first"'))
    assert headers.are_reliable
    headers.learn_dropped()
    headers.learn(page(link='<https://h/f>; rel="first"'))
    assert not headers.are_reliable


@pytest.mark.parametrize(
    ("headers", "rows", "is_last"),
    [
        ({"x_next_page": "2"}, 100, False),
        ({"x_next_page": ""}, 100, True),
        ({"link": '<https://h/p>; rel="prev"'}, 100, True),
        ({"link": '<https://h/f>; rel="first"'}, 100, True),
        ({}, 99, True),
        ({}, 0, True),
    ],
)
def test_last_offset_page_is_detected(headers, rows, is_last):
    assert is_last_page(HERE, FIRST, page(**headers), [None] * rows, 100) is is_last


@pytest.mark.parametrize("headers", [{}, {"link": ""}])
def test_full_page_without_headers_is_an_error(headers):
    with pytest.raises(DecodeError, match="full page without pagination headers"):
        is_last_page(HERE, FIRST, page(**headers), [None] * 100, 100)


def test_full_page_of_a_silent_server_is_followed():
    assert not is_last_page(HERE, FIRST, page(), [None] * 100, 100, is_silent=True)
    assert is_last_page(HERE, FIRST, page(), [None] * 99, 100, is_silent=True)


@pytest.mark.parametrize(
    ("value", "number"),
    [("12", 12), ("", None), ("-1", None), ("1e3", None), ("٣", None), ("9" * 5000, None)],
)
def test_number_in_a_header_is_parsed(value, number):
    assert number_in(page(x_total=value), "x-total") == number
    assert number_in(page(), "x-total") is None
