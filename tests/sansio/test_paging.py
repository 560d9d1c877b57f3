"""Which page comes next, for both kinds of pagination; none is lost or told twice."""

import pytest
from attrs import evolve, frozen
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async import DecodeError, Request, Response
from gitlab_jobs_async.sansio.paging import (
    by_offset,
    is_newest_first,
    next_link,
    next_page,
    rows_below,
)
from gitlab_jobs_async.sansio.urls import ServerUrl

HERE = ServerUrl("https://gitlab.example.com")
FIRST = Request("GET", "/projects/7/jobs", [("pagination", "keyset"), ("per_page", "100")])


@frozen
class Row:
    id: int


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
    ],
)  # fmt: skip
def test_the_next_link_is_found(header, url):
    assert next_link(header) == url


def test_a_keyset_page_leads_on_by_its_link_to_this_server():
    link = '<http://other:1/api/v4/projects/7/jobs?cursor=abc&id=7&per_page=100>; rel="next"'
    following = next_page(HERE, FIRST, page(link=link))
    assert following == Request(
        "GET", "/projects/7/jobs", [("cursor", "abc"), ("id", "7"), ("per_page", "100")]
    )


def test_an_offset_page_without_link_leads_on_by_its_number():
    following = next_page(HERE, FIRST, page(x_next_page="2"))
    assert following.params == (*FIRST.params, ("page", "2"))
    third = next_page(HERE, following, page(x_next_page="3"))
    assert third.params == (*FIRST.params, ("page", "3"))


@pytest.mark.parametrize("headers", [{}, {"x_next_page": ""}, {"link": '<https://h>; rel="first"'}])
def test_a_page_that_names_no_next_is_the_last(headers):
    assert next_page(HERE, FIRST, page(**headers)) is None


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("https://gitlab.example.com/explore", "nothing of this API"),
        (f"https://gitlab.example.com/api/v4{FIRST.target}", "the page it stands on"),
        ("http://[::1/api/v4/x", "nothing of this API"),
    ],
)
def test_a_next_page_that_cannot_be_one_is_an_error_not_an_end(link, said):
    with pytest.raises(DecodeError, match=said):
        next_page(HERE, FIRST, page(link=f'<{link}>; rel="next"'))


def test_a_link_header_that_cannot_be_read_is_an_error_not_an_end():
    with pytest.raises(DecodeError, match="the Link header cannot be read"):
        next_page(HERE, FIRST, page(link="garbage"))


def test_rows_are_newest_first_or_they_are_not():
    assert is_newest_first([Row(3), Row(1)])
    assert not is_newest_first([Row(1), Row(3)])
    assert not is_newest_first([Row(3), Row(3)])


def test_a_listing_by_offset_asks_for_the_same_rows():
    assert by_offset(evolve(FIRST, params=[("sort", "asc")])) is None
    assert by_offset(FIRST) == evolve(FIRST, params=[("per_page", "100")])


@given(
    st.lists(st.integers(0, 400), unique=True, min_size=1),
    st.lists(st.integers(0, 7), max_size=30),
    st.integers(1, 9),
)
def test_rows_pushed_onto_the_next_page_are_not_told_twice(ids, created, size):
    """Jobs created between two reads by offset shift rows towards the end."""
    rows = sorted(ids, reverse=True)
    told, last, offset, newest = [], None, 0, max(rows)
    births = iter(created)
    while offset < len(rows):
        for row in rows_below([Row(i) for i in rows[offset : offset + size]], last):
            told.append(row.id)
            last = row.id
        offset += size
        for _ in range(min(next(births, 0), size - 1)):
            newest += 1
            rows.insert(0, newest)
    assert told == sorted(ids, reverse=True)
