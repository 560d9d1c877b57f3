"""The order of rows, and the guard against endless pagination."""

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async import DecodeError, Response
from gitlab_jobs_async.listing.strategy import ProgressGuard, is_newest_first


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


def test_guard_fails_after_20_pages_without_rows():
    guard, response = ProgressGuard(), Response(200, {}, b"", "GET", "https://h")
    for _ in range(2):
        for _ in range(20):
            guard.stall(response)
        guard.advance()
    for _ in range(20):
        guard.stall(response)
    with pytest.raises(DecodeError, match="pagination does not advance"):
        guard.stall(response)
