"""Keyset listings cost few requests and few round trips, however the ids are spread."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlab_jobs_async.listing.cursors import Direction
from tests.support.listing_model import (
    KINDS,
    ODD,
    Listing,
    check_exact,
    read,
    respond,
    rounds,
    spread_out,
    strategy,
)

SPREADS = st.sampled_from(KINDS)

TRIALS = {Direction.UP, Direction.DOWN}


def bound(pages, window, *, is_even):
    if pages <= 5:
        return pages + 4
    return pages + 2 * window + 2 + (0 if is_even else pages)


@given(
    kind=SPREADS,
    count=st.integers(0, 3000),
    page_size=st.integers(5, 100),
    window=st.sampled_from([1, 2, 4, 16]),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=200)
def test_requests_are_bounded_by_pages(kind, count, page_size, window, seed):
    ids = spread_out(kind, count, random.Random(seed))
    listing = Listing(ids, page_size=page_size)
    assert sorted(read(strategy(window), listing, window=window, seed=seed)) == ids
    pages = max(1, math.ceil(count / page_size))
    is_even = kind in {"dense", "even"}
    assert listing.requests <= bound(pages, window, is_even=is_even)


@pytest.mark.parametrize("kind", KINDS)
def test_1500_pages_concurrently(kind):
    ids = spread_out(kind, 150_000, random.Random(1))
    listing = Listing(ids)
    assert sorted(read(strategy(), listing)) == ids
    assert listing.requests <= bound(1500, 16, is_even=kind in {"dense", "even", "uniform"})


@pytest.mark.parametrize("odd", [{}, *ODD])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pages", [1, 2, 3, 4, 5, 8, 25])
def test_never_slower_than_sequential(pages, kind, odd):
    for seed, jitter in ((0, 0.0), (1, 0.0), (2, 0.3)):
        ids = spread_out(kind, pages * 100 - 37, random.Random(seed))
        emitted, took = rounds(strategy(), Listing(ids, **odd), jitter=jitter, seed=seed)
        assert sorted(emitted) == ids
        assert took <= (pages + 1) * (1 + jitter)


@pytest.mark.parametrize(
    ("kind", "most"),
    [
        ("dense", (3, 4, 5, 9, 11)),
        ("even", (3, 5, 5, 9, 11)),
        ("uniform", (5, 6, 6, 11, 12)),
        ("growing", (5, 6, 6, 11, 13)),
        ("two ages", (3, 5, 7, 11, 13)),
        ("bursty", (5, 6, 9, 16, 18)),
        ("islands", (4, 8, 11, 18, 20)),
        ("heavy-tailed", (5, 9, 11, 21, 23)),
    ],
)
def test_long_listing_takes_few_round_trips(kind, most):
    """With a window of 16, 100 pages take at least 9: 1, 2 and 3 pages, and then 16 at once."""
    for pages, trips in zip((5, 10, 25, 100, 125), most, strict=True):
        for seed, server in ((1, {}), (1, {"is_older": True}), (2, {}), (3, {})):
            ids = spread_out(kind, pages * 100, random.Random(seed))
            emitted, took = rounds(strategy(), Listing(ids, **server), seed=seed)
            assert sorted(emitted) == ids
            assert took <= trips


@given(
    kind=SPREADS,
    count=st.integers(0, 6000),
    window=st.sampled_from([2, 4, 16]),
    jitter=st.sampled_from([0.0, 0.5, 3.0]),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=100)
def test_few_requests_and_no_500_in_any_order(kind, count, window, jitter, seed):
    """At no latency, at one, and where responses overtake each other."""
    ids = spread_out(kind, count, random.Random(seed))
    listing = Listing(ids)
    emitted, _ = rounds(strategy(window), listing, window=window, jitter=jitter, seed=seed)
    assert sorted(emitted) == ids
    assert listing.failures == 0
    assert not ids or listing.lowest_asked > ids[0]
    pages = max(1, math.ceil(count / 100))
    assert listing.requests <= bound(pages, window, is_even=kind in {"dense", "even"})


def test_trial_without_answer_delays_nothing():
    """A cursor that the server has not accepted yet may take its time, up to the timeout."""
    listing = Listing(range(1, 3001))
    going = strategy()
    pending, emitted = going.next_requests(16, 16), []
    while not going.is_complete:
        request = next(one for one in pending if going._plan._pending[one].direction not in TRIALS)
        pending.remove(request)
        emitted += respond(going, listing, request)
        pending += going.next_requests(16 - len(pending), 16)
    check_exact(emitted, listing)
    assert len(pending) == 2


@pytest.mark.parametrize("up", ["down", "first", "last"])
def test_server_that_misreads_up_is_as_quick(up):
    ids = spread_out("uniform", 10_000, random.Random(1))
    emitted, took = rounds(strategy(), Listing(ids, up=up))
    assert sorted(emitted) == ids
    assert took <= 14
