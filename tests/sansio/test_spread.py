"""Guesses where more rows stand: in the unread ids only, never twice, and worth a page."""

from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.sansio.coverage import TOP, Gap
from gitlab_jobs_async.sansio.spread import Spread


@frozen
class Row:
    id: int


def rows(newest, count, apart=1):
    return [Row(newest - number * apart) for number in range(count)]


def learned(newest=10_000, count=100, apart=1):
    spread = Spread()
    page = rows(newest, count, apart)
    spread.learn(TOP, page[-1].id, page)
    return spread, page[-1].id


def test_the_page_size_is_the_largest_seen():
    spread, oldest = learned(count=100)
    spread.learn(oldest, 1, rows(50, 20))
    assert spread.page_size == 100


def test_an_even_listing_is_not_uneven():
    spread, oldest = learned()
    assert not spread.is_uneven
    spread.learn(oldest, oldest - 400, rows(oldest - 1, 100, 4))
    assert not spread.is_uneven
    spread.learn(oldest - 500, oldest - 1000, rows(oldest - 501, 100, 5))
    assert spread.is_uneven


def test_short_pages_say_nothing_of_evenness():
    spread, oldest = learned()
    spread.learn(oldest, 1, [Row(oldest - 1), Row(2)])
    assert not spread.is_uneven


def test_the_end_is_looked_for_deeper_each_time():
    spread, oldest = learned()
    gap, asked, guesses = Gap(oldest, 0), [], []
    while (guess := spread.best_guess([gap], asked)) is not None and len(guesses) < 3:
        guesses.append(guess)
        asked.append(guess)
    assert guesses == sorted(guesses, reverse=True)
    assert oldest - guesses[0] >= 100
    assert guesses[0] - guesses[1] > oldest - guesses[0]


def test_a_gap_too_small_is_worth_no_guess():
    spread, oldest = learned()
    assert spread.best_guess([Gap(oldest, oldest - 250)], []) is None
    assert spread.best_guess([Gap(oldest, oldest - 5000)], []) == oldest - 2500


def test_the_widest_gap_is_guessed_first():
    spread, oldest = learned()
    narrow, wide = Gap(oldest, oldest - 1000), Gap(oldest - 2000, oldest - 8000)
    assert spread.best_guess([narrow, wide], []) == oldest - 5000


def test_a_page_without_rows_teaches_nothing():
    spread, _ = learned()
    before = repr(spread)
    spread.learn(500, 1, [])
    assert repr(spread) == before


def test_only_the_edges_of_gaps_are_remembered():
    spread, oldest = learned()
    spread.learn(5000, 4901, rows(4999, 99))
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
        assert any(gap.below < guess < max(gap.above, 2) for gap in gaps)
