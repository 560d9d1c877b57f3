"""Overlapping offset pages: exact although rows move, or an error."""

import random

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlab_jobs_async import DecodeError, ListingChangedError, Response, ServerError
from gitlab_jobs_async.listing.offset import OffsetStrategy, is_by_offset, window_at, without_keyset
from gitlab_jobs_async.listing.rescan import RescanStrategy
from tests.support.cpu_time import cpu_seconds
from tests.support.listing_model import HERE, JOBS, PIPELINES, Listing, Row, check_exact, read


def strategy(*, in_order=False):
    return OffsetStrategy(HERE, PIPELINES, in_order=in_order)


def pages(count, size=100):
    return max(1, -(-count // size))


@given(
    counted=st.booleans(),
    count=st.integers(0, 300),
    page_size=st.integers(20, 100),
    window=st.integers(1, 16),
    churn=st.integers(0, 5),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=300)
def test_rows_present_throughout_are_emitted_once(counted, count, page_size, window, churn, seed):
    listing = Listing(range(5, 5 + count), page_size=page_size, keyset=None, counted=counted)
    try:
        emitted = read(strategy(), listing, window=window, seed=seed, churn=churn)
    except ListingChangedError:
        assert churn > 1
    else:
        check_exact(emitted, listing)


@given(count=st.integers(0, 2000), counted=st.booleans(), seed=st.integers(0, 2**32))
def test_unchanging_listing_costs_about_its_pages(count, counted, seed):
    listing = Listing(range(1, count + 1), keyset=None, counted=counted)
    assert sorted(read(strategy(), listing, seed=seed)) == list(range(1, count + 1))
    assert listing.requests <= pages(count) * 1.2 + 1


@given(
    counted=st.booleans(),
    count=st.integers(0, 300),
    page_size=st.integers(20, 100),
    churn=st.integers(0, 5),
    seed=st.integers(0, 2**32),
)
def test_in_order_is_newest_first_and_exact(counted, count, page_size, churn, seed):
    listing = Listing(range(5, 5 + count), page_size=page_size, keyset=None, counted=counted)
    try:
        emitted = read(
            strategy(in_order=True), listing, window=1, guesses=False, seed=seed, churn=churn
        )
    except ListingChangedError:
        assert churn > 1
    else:
        check_exact(emitted, listing)
        assert emitted == sorted(emitted, reverse=True)


def test_in_order_costs_about_its_pages():
    listing = Listing(range(1, 1001), keyset=None)
    emitted = read(strategy(in_order=True), listing, window=1, guesses=False)
    assert emitted == list(range(1000, 0, -1))
    assert listing.requests <= 12


def test_counted_pages_are_requested_concurrently():
    going = strategy()
    request = going.next_requests(16, 16)[0]
    going.on_page(request, *Listing(range(1, 951), keyset=None).answer(request.request))
    assert len(going.next_requests(16, 16)) == 10
    assert going.next_requests(16, 16) == []


def test_1500_pages():
    listing = Listing(range(1, 150_001), keyset=None)
    assert sorted(read(strategy(), listing)) == list(range(1, 150_001))
    assert listing.requests <= 1500 * 1.2


@given(st.integers(0, 300), st.integers(0, 200), st.integers(0, 2**32))
def test_low_total_hides_no_row(count, total, seed):
    class Low(Listing):
        def answer(self, request):
            response, rows = super().answer(request)
            response.headers["x-total"] = str(min(total, count))
            return response, rows

    listing = Low(range(1, count + 1), page_size=50, keyset=None)
    assert sorted(read(strategy(), listing, seed=seed)) == list(range(1, count + 1))
    assert listing.requests <= pages(count, 50) * 1.5 + 1


@given(st.integers(1, 20_000), st.integers(1, 64))
def test_window_overlaps_the_rows_before_it(index, overlap):
    window = window_at(index, overlap, 100)
    size = window.stop - window.start
    assert (window.number - 1) * size == window.start
    assert window.start < index < window.stop
    assert size <= 100


def test_first_window_is_the_first_page():
    assert window_at(0, 2, 100) == window_at(0, 64, 100)
    assert (window_at(0, 2, 100).start, window_at(0, 2, 100).stop) == (0, 100)


class Restless(Listing):
    """A listing whose rows are all replaced between two responses, so that no pages overlap."""

    def answer(self, request):
        self.rows = list(range(self.rows[-1] + 1, self.rows[-1] + 1001))
        return super().answer(request)


def test_replaced_rows_are_not_missed():
    listing = Restless(range(1, 1001), keyset=None, counted=False)
    listing.always.clear()
    read(strategy(), listing, window=1)


@pytest.mark.parametrize("counted", [True, False])
def test_repeated_page_is_an_error(counted):
    class Same(Listing):
        def answer(self, request):
            params = [pair for pair in request.params if pair[0] != "page"]
            return super().answer(evolve(request, params=params))

    listing = Same(range(1, 1001), keyset=None, counted=counted)
    with pytest.raises(ListingChangedError, match="faster than they could be read"):
        read(strategy(), listing)
    assert listing.requests < 70


def test_error_is_raised_unchanged():
    going = strategy()
    request = going.next_requests(1, 0)[0]
    with pytest.raises(ServerError):
        going.on_error(request, ServerError(502, "no", "GET", "u"))


def test_other_order_is_scanned_until_stable():
    class Oldest(Listing):
        def answer(self, request):
            response, rows = super().answer(request)
            return response, rows[::-1]

    for count in (3, 250):
        listing = Oldest(range(1, count + 1), keyset=None)
        assert sorted(read(strategy(), listing)) == list(range(1, count + 1))
        assert listing.requests == (1 if count == 3 else 6)


def test_later_page_in_another_order_is_rescanned():
    class Late(Listing):
        def answer(self, request):
            response, rows = super().answer(request)
            return response, rows if response.headers["x-page"] == "1" else rows[::-1]

    listing = Late(range(1, 251), keyset=None, counted=False)
    emitted = read(strategy(), listing)
    assert sorted(emitted) == list(range(1, 251))


@pytest.mark.parametrize("start", [OffsetStrategy, RescanStrategy])
def test_full_page_without_headers_is_an_error(start):
    going = start(HERE, PIPELINES)
    request = going.next_requests(1, 0)[0]
    answer = Response(200, {}, b"", "GET", "https://h")
    with pytest.raises(DecodeError, match="full page without pagination headers"):
        going.on_page(request, answer, [Row(n) for n in range(100, 0, -1)])


@given(
    counted=st.booleans(),
    count=st.integers(0, 60),
    page_size=st.integers(1, 20),
    seed=st.integers(0, 2**32),
    window=st.integers(1, 16),
)
def test_rescan_emits_each_row_once(counted, count, page_size, seed, window):
    listing = Listing(range(1, count + 1), page_size=page_size, keyset=None, counted=counted)
    emitted = read(RescanStrategy(HERE, PIPELINES), listing, seed=seed, window=window)
    assert emitted == list(range(count, 0, -1))
    several = pages(count, page_size) > 1
    assert listing.requests == pages(count, page_size) * (2 if several else 1)


def test_changed_scan_is_repeated():
    listing = Listing(range(1, 31), page_size=10, keyset=None)
    rnd = random.Random(1)
    going, emitted, answered = RescanStrategy(HERE, PIPELINES), [], 0
    while requests := going.next_requests(1, 0):
        answered += 1
        if answered in {3, 7}:
            listing.change(rnd, 3)
        new = going.on_page(requests[0], *listing.answer(requests[0].request))
        emitted += [row.id for row in new]
    check_exact(emitted, listing)
    assert answered > 9


def test_rescan_that_never_settles_is_an_error():
    with pytest.raises(ListingChangedError):
        read(RescanStrategy(HERE, PIPELINES), Restless(range(1, 301), keyset=None))


def test_keyset_and_offset_are_distinguished():
    assert dict(without_keyset(JOBS).params) == {"per_page": "100"}
    assert is_by_offset(Response(200, {"x-page": "1"}, b"", "GET", "u"))
    assert not is_by_offset(Response(200, {"link": ""}, b"", "GET", "u"))


def test_small_pages_are_scanned_twice():
    listing = Listing(range(1, 101), page_size=10, keyset=None)
    assert sorted(read(strategy(), listing)) == list(range(1, 101))
    assert listing.requests == 20


@given(count=st.integers(0, 450), churn=st.integers(0, 4), seed=st.integers(0, 2**32))
def test_silent_server_is_read_to_its_end(count, churn, seed):
    """A gateway drops all headers, so a full page is followed by another, maybe empty."""
    listing = Listing(range(5, 5 + count), keyset=None, offset_headers=False)
    going = OffsetStrategy(HERE, PIPELINES, is_silent=True)
    try:
        emitted = read(going, listing, seed=seed, churn=churn)
    except ListingChangedError:
        assert churn > 1
    else:
        check_exact(emitted, listing)


def test_absurd_page_count_is_bounded():
    """A list of 10^17 pages would block the loop forever."""
    headers = {"x-total-pages": "1" + 17 * "0", "x-next-page": "2"}

    def read():
        going = RescanStrategy(HERE, PIPELINES)
        request = going.next_requests(1, 0)[0]
        going.on_page(request, Response(200, headers, b"", "GET", "u"), [Row(2), Row(1)])
        assert len(going.next_requests(16, 16)) == 16

    assert cpu_seconds(read) < 0.5


def test_page_size_above_the_requested_is_no_end():
    going = RescanStrategy(HERE, PIPELINES)
    request = going.next_requests(1, 0)[0]
    answer = Response(200, {"x-per-page": "500"}, b"", "GET", "https://h")
    with pytest.raises(DecodeError, match="full page without pagination headers"):
        going.on_page(request, answer, [Row(n) for n in range(100, 0, -1)])


@pytest.mark.parametrize("number", [2**63, 2**64 - 1, -(2**63) - 1])
def test_id_beyond_a_bigint_is_an_error(number):
    ids = strategy()
    response = Response(200, {"x-next-page": ""}, b"", "GET", "/projects/7/pipelines")
    with pytest.raises(DecodeError, match="id out of range"):
        ids.on_page(ids.next_requests(1, 0)[0], response, [Row(number)])
