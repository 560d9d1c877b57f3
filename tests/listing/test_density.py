"""Guesses where more rows stand: in the unread ids only, never twice, and worth a page."""

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.listing.density import IdDensity
from gitlab_jobs_async.listing.id_ranges import TOP, Gap


@frozen
class Row:
    id: int


def rows(newest, count, apart=1):
    return [Row(newest - number * apart) for number in range(count)]


def learned(newest=10_000, count=100, apart=1):
    """What the first page of a listing tells, and its oldest id."""
    spread = IdDensity()
    page = rows(newest, count, apart)
    spread.learn(TOP - 1, page[-1].id, page)
    return spread, page[-1].id


def test_the_page_size_is_the_largest_seen():
    spread, oldest = learned(count=100)
    spread.learn(oldest - 1, 1, rows(50, 20))
    assert spread.page_size == 100


def test_an_even_listing_is_not_uneven():
    spread, oldest = learned()
    spread.learn(oldest - 1, oldest - 400, rows(oldest - 1, 100, 4))
    assert not spread.is_uneven
    spread.learn(oldest - 500, oldest - 1000, rows(oldest - 501, 100, 5))
    assert spread.is_uneven


def test_short_pages_say_nothing_of_evenness():
    spread, oldest = learned()
    spread.learn(oldest - 1, 1, [Row(oldest - 1), Row(2)])
    assert not spread.is_uneven


def test_a_gap_too_small_is_worth_no_guess():
    spread, oldest = learned()
    assert spread.best_guess([Gap(oldest, oldest - 250)], []) is None
    assert spread.best_guess([Gap(oldest, oldest - 300)], []) == oldest - 150


def test_the_middle_of_the_widest_part_is_guessed():
    spread, oldest = learned()
    narrow, wide = Gap(oldest, oldest - 1000), Gap(oldest - 2000, oldest - 8000)
    assert spread.best_guess([narrow, wide], []) == oldest - 5000
    asked = [oldest - 3000]
    assert spread.best_guess([narrow, wide], asked) == oldest - 5500


def test_the_end_is_not_guessed():
    spread, oldest = learned()
    assert spread.best_guess([Gap(oldest, 0)], []) is None


@pytest.mark.parametrize(
    ("pages", "even", "uneven"), [(0, 4, 4), (5, 4, 4), (5.5, 34, 7.375), (100, 34, 59)]
)
def test_guesses_are_allowed_by_pages(pages, even, uneven):
    spread, oldest = learned()
    assert spread.allowance(pages, 16) == even
    spread.learn(oldest - 1, oldest - 900, rows(oldest - 1, 100, 9))
    assert spread.allowance(pages, 16) == uneven


def test_nothing_is_measured_beyond_the_ends():
    spread, oldest = learned(apart=10)
    assert spread._spacing[oldest] == pytest.approx(10, rel=0.01)
    spread.learn(oldest - 1, 1, rows(oldest - 10, 10, 10))
    assert spread._spacing[1] == pytest.approx(10, rel=0.01)


def test_ids_without_rows_beside_a_page_are_sparse():
    """The page read up from 9,001 begins far above it: nothing stands between."""
    spread = IdDensity()
    spread.learn(100, 1, rows(100, 100))
    spread.learn(20_000, 9001, rows(20_000, 100))
    assert spread.is_sparser_above(Gap(9001, 100))
    assert not spread.is_sparser_above(Gap(30_000, 20_000))


def test_a_page_without_rows_teaches_nothing():
    spread, _ = learned()
    before = repr(spread)
    spread.learn(500, 1, [])
    assert repr(spread) == before


def test_only_the_edges_of_gaps_are_remembered():
    spread, oldest = learned()
    spread.learn(4999, 4901, rows(4999, 99))
    spread.forget([Gap(oldest, 4999)])
    assert set(spread._spacing) == {oldest, 4999}


@given(
    st.lists(st.integers(1, 100_000), min_size=2, max_size=8, unique=True),
    st.sets(st.integers(1, 100_000), max_size=8),
    st.integers(1, 50),
)
def test_a_guess_lies_in_a_gap_and_is_new(edges, asked, apart):
    edges = sorted(edges, reverse=True)
    gaps = [Gap(above, below) for above, below in zip(edges[::2], edges[1::2], strict=False)]
    gaps.append(Gap(edges[-1], 0))
    spread, _ = learned(100_000, 100, apart)
    guess = spread.best_guess(gaps, asked)
    if guess is not None:
        assert guess not in asked
        assert any(gap.below < guess < gap.above for gap in gaps)
