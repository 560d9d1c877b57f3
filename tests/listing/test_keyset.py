"""Id ranges read side by side: exact whatever changes, and at most so many requests."""

import base64
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlab_jobs_async import (
    DecodeError,
    ListingChangedError,
    MethodNotAllowedError,
    NotFoundError,
    PermissionDeniedError,
    Response,
    ServerError,
)
from gitlab_jobs_async.api.capabilities import NextPageHeaders
from gitlab_jobs_async.listing.id_ranges import TOP
from gitlab_jobs_async.listing.keyset import KeysetStrategy
from gitlab_jobs_async.listing.synthetic_cursors import Direction
from tests.support.listing_model import (
    HERE,
    JOBS,
    Listing,
    Row,
    check_exact,
    cursor,
    read,
    rounds,
    spread_out,
)

KINDS = ["dense", "even", "uniform", "bursty", "heavy-tailed", "growing", "two ages"]
SPREADS = st.sampled_from(KINDS)


def walk(window=16, headers=None):
    return KeysetStrategy(HERE, JOBS, window, headers=headers or NextPageHeaders())


@given(
    kind=SPREADS,
    count=st.integers(0, 400),
    page_size=st.integers(1, 20),
    window=st.integers(1, 16),
    churn=st.integers(0, 6),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=300)
def test_what_was_there_all_the_time_is_told_once(kind, count, page_size, window, churn, seed):
    ids = spread_out(kind, count, random.Random(seed))
    listing = Listing(ids, page_size=page_size)
    told = read(walk(window), listing, window=window, seed=seed, churn=churn)
    check_exact(told, listing)


@given(
    keyset=st.sampled_from(["opaque", None]),
    offset_limit=st.sampled_from([None, 150]),
    counted=st.booleans(),
    count=st.integers(0, 400),
    page_size=st.integers(20, 60),
    churn=st.integers(0, 2),
    seed=st.integers(0, 2**32),
)
def test_so_it_is_with_other_kinds_of_servers(
    keyset, offset_limit, counted, count, page_size, churn, seed
):
    ids = spread_out("uniform", count, random.Random(seed))
    listing = Listing(
        ids, page_size=page_size, keyset=keyset, counted=counted, offset_limit=offset_limit
    )
    try:
        told = read(walk(), listing, seed=seed, churn=churn)
    except MethodNotAllowedError:
        assert keyset is None
        assert offset_limit is not None
        assert len(listing.ever) > offset_limit - page_size
    else:
        check_exact(told, listing)


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
def test_it_asks_for_few_pages_more_than_there_are(kind, count, page_size, window, seed):
    ids = spread_out(kind, count, random.Random(seed))
    listing = Listing(ids, page_size=page_size)
    assert sorted(read(walk(window), listing, window=window, seed=seed)) == ids
    pages = max(1, math.ceil(count / page_size))
    is_even = kind in {"dense", "even"}
    assert listing.requests <= bound(pages, window, is_even=is_even)


@pytest.mark.parametrize("kind", KINDS)
def test_1500_pages_side_by_side(kind):
    ids = spread_out(kind, 150_000, random.Random(1))
    listing = Listing(ids)
    assert sorted(read(walk(), listing)) == ids
    assert listing.requests <= bound(1500, 16, is_even=kind in {"dense", "even", "uniform"})


@given(count=st.integers(0, 300), page_size=st.integers(1, 20), seed=st.integers(0, 2**32))
def test_one_after_another_it_is_newest_first_and_asks_for_each_page_once(count, page_size, seed):
    ids = spread_out("uniform", count, random.Random(seed))
    listing = Listing(ids, page_size=page_size)
    assert read(walk(1), listing, window=1, guesses=False) == ids[::-1]
    # A full last page of 20 could be a gateway's that loses headers: the server is asked once more.
    is_doubted = page_size == 20 and count > 0 and count % 20 == 0
    assert listing.requests == max(1, math.ceil(count / page_size)) + is_doubted


@pytest.mark.parametrize(("count", "requests"), [(0, 1), (99, 1), (100, 2), (101, 2)])
def test_a_single_page_costs_one_request(count, requests):
    """A full first page without Link may have lost it: page=2 tells, until a Link was seen."""
    listing = Listing(range(5, count + 5))
    headers = NextPageHeaders()
    assert len(read(walk(headers=headers), listing, guesses=False)) == count
    assert listing.requests == requests
    headers.is_seen = True
    assert len(read(walk(headers=headers), listing, guesses=False)) == count
    assert listing.requests == requests + (2 if count > 100 else 1)


class Refusing(Listing):
    """Takes only cursors that it has given out."""

    def __init__(self, ids, error):
        super().__init__(ids)
        self.given = set()
        self.error = error
        self.refused = 0

    def _write(self, last_id):
        self.given.add(cursor(last_id))
        return cursor(last_id)

    def _read(self, given):
        if given not in self.given:
            self.refused += 1
            raise self.error
        return super()._read(given)


@pytest.mark.parametrize(
    "error",
    [
        MethodNotAllowedError(405, "no", "GET", "u"),
        NotFoundError(404, "no", "GET", "u"),
        ServerError(500, "no", "GET", "u"),
    ],
)
def test_refused_cursors_leave_the_servers_own(error):
    listing = Refusing(range(1, 3001), error)
    told = read(walk(), listing)
    check_exact(told, listing)
    assert 1 <= listing.refused <= 4
    assert listing.requests <= 30 + listing.refused


def test_a_refused_range_of_another_kind_is_the_end():
    going = walk()
    ask = going.asks(1, 0)[0]
    with pytest.raises(PermissionDeniedError):
        going.refused(ask, PermissionDeniedError(403, "no", "GET", "u"))


class Ignoring(Listing):
    """Answers with its newest rows whatever the cursor, unless it has given it out."""

    def _read(self, given):
        _, last_id = super()._read(given)
        return "down", last_id if last_id in self.known else TOP

    def _write(self, last_id):
        self.known = getattr(self, "known", set()) | {last_id}
        return super()._write(last_id)


def test_a_server_that_ignores_made_cursors_is_noticed():
    listing = Ignoring([3 * n for n in range(1, 3001)])
    check_exact(read(walk(), listing), listing)


@pytest.mark.parametrize(
    ("rows", "link", "said"),
    [
        ([1, 2], None, "not newest first"),
        ([2, 2], None, "not newest first"),
        ([], "cursor=a", "pages that lead nowhere"),
        ([9], f"cursor={cursor(9)}", "not below their cursor"),
    ],
)
def test_answers_that_are_no_pages_of_it_are_errors(rows, link, said):
    headers = {} if link is None else {"link": f'<https://h/api/v4/x?{link}&n=%d>; rel="next"'}

    def go_on(going):
        for n in range(30):
            ask = going.asks(1, 0)[0]
            shown = {name: value % n for name, value in headers.items()}
            answer = Response(200, shown, b"", "GET", "https://h")
            going, _ = going.take(ask, answer, [Row(row) for row in rows])

    with pytest.raises(DecodeError, match=said):
        go_on(walk())


def test_a_made_answer_that_is_no_page_of_it_ends_the_guessing_only():
    listing = Listing(range(1, 1001))
    going = walk()
    ask = going.asks(1, 0)[0]
    going, _ = going.take(ask, *listing.answer(ask.wanted))
    own, *made = going.asks(16, 16)
    assert made
    strange = Response(200, {"link": "garbage"}, b"", "GET", "https://h")
    going, told = going.take(made[0], strange, [Row(1)])
    assert told == ()
    going, told = going.take(own, *listing.answer(own.wanted))
    assert len(told) == 100
    assert len(going.asks(16, 16)) <= 2


def test_a_node_that_reads_a_cursor_as_an_offset_loses_no_row_unseen():
    """The rows of the first page are gone, so that its own first page looks like the second."""
    listing = Listing(range(1, 201), page_size=50)
    going = walk()
    ask = going.asks(1, 0)[0]
    going, _ = going.take(ask, *listing.answer(ask.wanted))
    listing.rows, listing.keyset = listing.rows[:150], None
    ask = going.asks(1, 0)[0]
    with pytest.raises(DecodeError, match="by offset"):
        going.take(ask, *listing.answer(ask.wanted))


def test_a_mixed_cluster_that_falls_back_to_offset_and_meets_its_limit_goes_on_by_keyset():
    """One node has no keyset, another one has; the rows told so far are not told again."""
    listing = Listing(range(1, 1001), page_size=50, keyset=None, offset_limit=300)
    going, told, flight = walk(), [], []
    while True:
        flight += going.asks(4 - len(flight), 0)
        if not flight:
            break
        ask = flight.pop(0)
        try:
            response, rows = listing.answer(ask.wanted)
        except MethodNotAllowedError as error:
            listing.keyset = "json"
            going, flight = going.refused(ask, error), []
            continue
        going, new = going.take(ask, response, rows)
        told += [row.id for row in new]
    check_exact(told, listing)
    assert listing.requests < 2 * 20 + 10


class LateKeyset(Listing):
    """Has no keyset before an offset went past the limit."""

    def __init__(self, ids, *, later, **settings):
        super().__init__(ids, keyset=None, **settings)
        self.later = later

    def _by_offset(self, page, size):
        try:
            return super()._by_offset(page, size)
        except MethodNotAllowedError:
            self.keyset = self.later
            raise


@given(
    later=st.sampled_from(["json", "opaque"]),
    counted=st.booleans(),
    count=st.integers(0, 600),
    churn=st.integers(0, 3),
    seed=st.integers(0, 2**32),
)
def test_ranges_left_open_by_offset_are_walked_on_by_keyset(later, counted, count, churn, seed):
    ids = spread_out("uniform", count, random.Random(seed))
    listing = LateKeyset(ids, later=later, page_size=50, counted=counted, offset_limit=300)
    check_exact(read(walk(), listing, seed=seed, churn=churn), listing)


ODD = [
    {"is_older": True},
    {"last": "refused"},
    {"last": "first"},
    {"last": "down"},
    {"up": "refused"},
    {"up": "first"},
    {"up": "last"},
    {"up": "down"},
    {"cursor_headers": True},
    {"is_older": True, "keyset": "opaque"},
]
"""Ways of reading made cursors; `{"_kd":"p"}` and the ones for the rows above an id."""


@given(
    odd=st.sampled_from([{}, *ODD]),
    kind=SPREADS,
    count=st.integers(0, 700),
    page_size=st.sampled_from([7, 20, 100]),
    window=st.sampled_from([1, 2, 4, 16]),
    churn=st.integers(0, 5),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=400)
def test_exact_however_made_cursors_are_read(odd, kind, count, page_size, window, churn, seed):
    listing = Listing(spread_out(kind, count, random.Random(seed)), page_size=page_size, **odd)
    guesses = window > 1
    try:
        told = read(walk(window), listing, window=window, guesses=guesses, seed=seed, churn=churn)
    except ServerError:
        # Where the last page cannot be asked for, rows that vanish below a link are a failure.
        assert odd.get("last", "last") != "last"
        assert churn
    else:
        check_exact(told, listing)


@given(
    kind=SPREADS,
    count=st.integers(0, 4000),
    window=st.sampled_from([2, 4, 16]),
    jitter=st.sampled_from([0.0, 0.5, 3.0]),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=60)
def test_a_listing_at_rest_provokes_no_500(kind, count, window, jitter, seed):
    ids = spread_out(kind, count, random.Random(seed))
    listing = Listing(ids)
    told, _ = rounds(walk(window), listing, window=window, jitter=jitter, seed=seed)
    assert sorted(told) == ids
    assert listing.failures == 0
    assert not ids or listing.lowest_asked > ids[0]


@given(
    kind=SPREADS,
    count=st.integers(100, 3000),
    window=st.sampled_from([1, 2, 4, 16]),
    churn=st.sampled_from([0, 0, 3]),
    at=st.floats(0, 1),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=300)
def test_old_rows_that_vanish_cost_at_most_two_500(kind, count, window, churn, at, seed):
    """Old pipelines are deleted, all at once, while up to 16 pages are asked for."""
    rnd = random.Random(seed)
    listing = Listing(spread_out(kind, count, rnd))
    when, cut = 1 + int(at * count / 60), rnd.choice(listing.rows)
    told = read(
        walk(window), listing, window=window, guesses=window > 1, seed=seed, churn=churn,
        event=lambda requests: listing.vanish(cut) if requests >= when else None,
    )  # fmt: skip
    check_exact(told, listing)
    assert listing.failures <= 2
    if window == 1:
        assert told == sorted(told, reverse=True)


@given(
    count=st.integers(100, 3000),
    window=st.sampled_from([1, 2, 16]),
    when=st.integers(1, 40),
    seed=st.integers(0, 2**32),
)
def test_all_rows_vanish_while_they_are_listed(count, window, when, seed):
    """Then each cursor under way is a 500, and the last page says that nothing is left."""
    listing = Listing(range(1, count + 1))
    told = read(
        walk(window), listing, window=window, guesses=window > 1, seed=seed,
        event=lambda requests: listing.vanish(2**62) if requests >= when else None,
    )  # fmt: skip
    check_exact(told, listing)
    assert listing.failures <= window + 2


def test_a_link_that_fails_for_good_is_raised():
    """The last page shows rows below: then the 500 is no end but a failure."""

    class Broken(Listing):
        def _by_keyset(self, given, size):
            if given == cursor(251):
                raise self._failed()
            return super()._by_keyset(given, size)

    listing = Broken(range(1, 351))
    with pytest.raises(ServerError):
        read(walk(1), listing, window=1, guesses=False)
    assert listing.failures == 3


@given(
    kind=SPREADS,
    count=st.sampled_from([99, 100, 101, 150, 200, 230, 300, 400, 850]),
    dropped=st.sampled_from([1.0, 0.5, 0.1]),
    server=st.sampled_from(
        [
            {},
            {"is_older": True},
            {"cursor_headers": True},
            {"offset_headers": False},
            {"last": "refused", "offset_headers": False},
            {"keyset": "opaque"},
            {"keyset": "opaque", "offset_headers": False},
            {"keyset": None, "offset_headers": False},
            {"up": "down", "offset_headers": False},
        ]
    ),
    window=st.sampled_from([1, 2, 16]),
    churn=st.sampled_from([0, 0, 3]),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=400)
def test_lost_headers_lose_no_row(kind, count, dropped, server, window, churn, seed):
    """A gateway lets Link through never, or at times; and none of the headers of an offset page."""
    rnd = random.Random(seed)
    ids = spread_out(kind, count, rnd)
    listing = Listing(ids, links=lambda: rnd.random() >= dropped, **server)
    try:
        told = read(
            walk(window), listing, window=window, guesses=window > 1, seed=seed, churn=churn
        )
    except ListingChangedError:
        assert churn
        return
    check_exact(told, listing)
    if window == 1:
        assert told == sorted(told, reverse=True)


def test_only_link_comes_through_from_an_old_server():
    """A server before 15.9 whose X- headers a gateway keeps back."""
    first = Response(200, {"link": '<https://h/api/v4/x?page=2>; rel="next"'}, b"", "GET", "u")
    going = walk()
    ask = going.asks(1, 0)[0]
    going, told = going.take(ask, first, [Row(n) for n in range(150, 50, -1)])
    assert len(told) == 100
    assert dict(going.asks(1, 0)[0].wanted.params)["page"] == "2"


@pytest.mark.parametrize("odd", [{}, *ODD])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pages", [1, 2, 3, 4, 5, 8, 25])
def test_never_slower_than_one_after_another(pages, kind, odd):
    for seed, jitter in ((0, 0.0), (1, 0.0), (2, 0.3)):
        ids = spread_out(kind, pages * 100 - 37, random.Random(seed))
        told, took = rounds(walk(), Listing(ids, **odd), jitter=jitter, seed=seed)
        assert sorted(told) == ids
        assert took <= (pages + 1) * (1 + jitter)


@pytest.mark.parametrize("kind", ["dense", "even", "uniform", "two ages"])
@pytest.mark.parametrize(("pages", "most"), [(3, 3), (10, 7), (25, 8), (100, 12), (125, 14)])
def test_a_long_listing_takes_few_round_trips(pages, most, kind):
    ids = spread_out(kind, pages * 100, random.Random(1))
    for server in ({}, {"is_older": True}):
        told, took = rounds(walk(), Listing(ids, **server))
        assert sorted(told) == ids
        assert took <= most + (kind == "two ages")


@pytest.mark.parametrize("up", ["down", "first", "last"])
def test_a_server_that_reads_up_otherwise_is_as_quick(up):
    ids = spread_out("uniform", 10_000, random.Random(1))
    told, took = rounds(walk(), Listing(ids, up=up))
    assert sorted(told) == ids
    assert took <= 14


@pytest.mark.parametrize("cut_at", [0, 1])
def test_overtaken_answer_proves_nothing(cut_at):
    """It would change the direction, and then each cursor under way fail where old rows vanish."""
    listing = Listing(range(1, 1501))
    going, told = walk(), []

    def take(ask):
        nonlocal going
        going, new = going.take(ask, *listing.answer(ask.wanted))
        told.extend(row.id for row in new)

    take(going.asks(1, 0)[0])
    own, last = going.asks(16, 16)
    take(own)
    take(last)
    own, *trials = going.asks(16, 16)
    assert len(trials) == 2
    late = listing.answer(trials[cut_at].wanted)
    while going.coverage.unread_above(going._asked[trials[cut_at].place].start) < 2**63:
        take(own)
        own = going.asks(1, 0)[0]
    before = list(going.coverage.gaps())
    going, new = going.take(trials[cut_at], *late)
    assert (list(new), list(going.coverage.gaps())) == ([], before)
    assert not going._made.is_taking(Direction.UP)


def test_a_made_cursor_is_asked_for_once():
    """A 500 of it is final: the same again gives the same (cursor_pager.rb)."""
    listing = Listing(range(1, 2001))
    going = walk()
    ask = going.asks(1, 0)[0]
    assert ask.final == frozenset()
    going, _ = going.take(ask, *listing.answer(ask.wanted))
    own, last = going.asks(16, 16)
    assert own.final == {500}
    assert {500, 502, 503, 504} == last.final
    assert base64.urlsafe_b64decode(dict(last.wanted.params)["cursor"]) == b'{"_kd":"p"}'
