"""Rows of a listing come newest first, each id once."""

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.listing.strategy import is_newest_first


@frozen
class Row:
    id: int


@pytest.mark.parametrize(
    ("ids", "is_so"),
    [
        ([], True),
        ([5], True),
        ([5, 4, 1], True),
        ([5, 5], False),
        ([4, 5], False),
        ([9, 1, 2], False),
    ],
)
def test_newest_first_is_strict(ids, is_so):
    assert is_newest_first([Row(number) for number in ids]) is is_so


@given(st.lists(st.integers(1, 50), max_size=8))
def test_newest_first_is_sorted_without_repeats(ids):
    assert is_newest_first([Row(n) for n in ids]) == (ids == sorted(set(ids), reverse=True))
