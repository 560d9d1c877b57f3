"""Splits lie in unread ids only, are never repeated, and leave whole pages."""

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.listing.density import IdDensity
from gitlab_jobs_async.listing.id_ranges import ID_LIMIT, Gap


@frozen
class Row:
    id: int


def rows(newest, count, apart=1):
    return [Row(newest - number * apart) for number in range(count)]


def learned(newest=10_000, count=100, apart=1):
    """Return the density after a first page, and its oldest id."""
    density = IdDensity()
    page = rows(newest, count, apart)
    density.learn(ID_LIMIT - 1, page[-1].id, page)
    return density, page[-1].id


def test_page_size_is_the_largest_seen():
    density, oldest = learned(count=100)
    density.learn(oldest - 1, 1, rows(50, 20))
    assert density.page_size == 100


def test_uneven_widths_differ_by_a_factor_of_four():
    density, oldest = learned()
    density.learn(oldest - 1, oldest - 400, rows(oldest - 1, 100, 4))
    assert not density.is_uneven
    density.learn(oldest - 500, oldest - 1000, rows(oldest - 501, 100, 5))
    assert density.is_uneven


def test_short_page_does_not_make_it_uneven():
    density, oldest = learned()
    density.learn(oldest - 1, 1, [Row(oldest - 1), Row(2)])
    assert not density.is_uneven


def test_hole_beside_a_page_makes_it_uneven():
    density, oldest = learned()
    density.learn(oldest - 1, oldest - 500, rows(oldest - 1, 100))
    assert density.is_uneven


def test_ids_beyond_the_ends_are_not_uneven():
    density, _ = learned(10**9)
    density.learn(99_999, 1, rows(99_999, 100))
    assert not density.is_uneven


def test_gap_under_two_pages_is_not_split():
    density, oldest = learned()
    assert density.best_split([Gap(oldest, oldest - 199)], []) is None
    assert density.best_split([Gap(oldest, oldest - 200)], []) == oldest - 200


def test_split_starts_at_the_oldest_end():
    density, oldest = learned()
    narrow, wide = Gap(oldest, oldest - 1000), Gap(oldest - 2000, oldest - 8000)
    assert density.best_split([narrow, wide], []) == oldest - 8000


def test_split_halves_the_widest_part():
    density, oldest = learned()
    narrow, wide = Gap(oldest, oldest - 1000), Gap(oldest - 2000, oldest - 8030)
    requested = [narrow.below, wide.below]
    assert density.best_split([narrow, wide], requested) == wide.below + 3000
    requested.append(wide.below + 2500)
    assert density.best_split([narrow, wide], requested) == wide.below + 2500 + 1800


def test_gap_at_the_end_is_not_split():
    density, oldest = learned()
    assert density.best_split([Gap(oldest, 0)], []) is None


@pytest.mark.parametrize(
    ("pages", "even", "uneven"), [(0, 4, 4), (5, 4, 4), (5.5, 34, 7.375), (100, 34, 59)]
)
def test_allowance_grows_with_pages(pages, even, uneven):
    density, oldest = learned()
    assert density.allowance(pages, 16) == even
    density.learn(oldest - 1, oldest - 900, rows(oldest - 1, 100, 9))
    assert density.allowance(pages, 16) == uneven


def test_spacing_ignores_ids_beyond_the_ends():
    density, oldest = learned(apart=10)
    assert density._spacing[oldest] == pytest.approx(10, rel=0.01)
    density.learn(oldest - 1, 1, rows(oldest - 10, 10, 10))
    assert density._spacing[1] == pytest.approx(10, rel=0.01)


def test_empty_ids_beside_a_page_are_sparse():
    """The page read up from 9,001 starts far above it: no row lies between."""
    density = IdDensity()
    density.learn(100, 1, rows(100, 100))
    density.learn(20_000, 9001, rows(20_000, 100))
    assert density.is_sparser_above(Gap(9001, 100))
    assert not density.is_sparser_above(Gap(30_000, 20_000))


def test_empty_page_is_ignored():
    density, _ = learned()
    before = repr(density)
    density.learn(500, 1, [])
    assert repr(density) == before


def test_keep_forgets_other_edges():
    density, oldest = learned()
    density.learn(4999, 4901, rows(4999, 99))
    density.keep([Gap(oldest, 4999)])
    assert set(density._spacing) == {oldest, 4999}


@given(
    st.lists(st.integers(1, 100_000), min_size=2, max_size=8, unique=True),
    st.sets(st.integers(1, 100_000), max_size=8),
    st.integers(1, 50),
)
def test_split_lies_in_a_gap_and_is_new(edges, requested, apart):
    edges = sorted(edges, reverse=True)
    gaps = [Gap(above, below) for above, below in zip(edges[::2], edges[1::2], strict=False)]
    gaps.append(Gap(edges[-1], 0))
    density, _ = learned(100_000, 100, apart)
    guess = density.best_split(gaps, requested)
    if guess is not None:
        assert guess not in requested
        assert any(0 < gap.below <= guess < gap.above for gap in gaps)


@given(pages=st.integers(2, 2000), apart=st.integers(1, 1000), window=st.integers(2, 32))
def test_splits_of_even_ids_leave_whole_pages(pages, apart, window):
    """So that 100 pages cost 100 requests."""
    density, oldest = learned(10**9, 100, apart)
    gap = Gap(oldest, oldest - pages * 100 * apart)
    density.learn(gap.below, 1, rows(gap.below, 100, apart))
    requested = set()
    while len(requested) < window and (split := density.best_split([gap], requested)) is not None:
        assert (split - gap.below) % (100 * apart) == 0
        requested.add(split)
    assert len(requested) == min(window, pages)
