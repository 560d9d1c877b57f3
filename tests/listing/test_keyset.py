"""Keyset listings in concurrent id ranges: exact whatever changes."""

import base64
import json
import math
import random

import pytest
from hypothesis import example, given, settings
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
from gitlab_jobs_async.listing.cursors import Direction
from gitlab_jobs_async.listing.id_ranges import ID_LIMIT
from tests.support.listing_model import (
    KINDS,
    ODD,
    Listing,
    Row,
    check_exact,
    cursor,
    read,
    respond,
    spread_out,
    strategy,
)

SPREADS = st.sampled_from(KINDS)


CLAMPED_SIZES = {20, 25, 30, 40, 50}
"""Page sizes that a gateway may impose; a page of one may have lost its headers."""


@given(
    kind=SPREADS,
    count=st.integers(0, 400),
    page_size=st.integers(1, 20),
    window=st.integers(1, 16),
    churn=st.integers(0, 6),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=300)
def test_rows_present_throughout_are_emitted_once(kind, count, page_size, window, churn, seed):
    ids = spread_out(kind, count, random.Random(seed))
    listing = Listing(ids, page_size=page_size)
    emitted = read(strategy(window), listing, window=window, seed=seed, churn=churn)
    check_exact(emitted, listing)


@given(
    keyset=st.sampled_from(["opaque", None]),
    offset_limit=st.sampled_from([None, 150]),
    counted=st.booleans(),
    count=st.integers(0, 400),
    page_size=st.integers(20, 60),
    churn=st.integers(0, 2),
    seed=st.integers(0, 2**32),
)
def test_exact_without_keyset(keyset, offset_limit, counted, count, page_size, churn, seed):
    ids = spread_out("uniform", count, random.Random(seed))
    listing = Listing(
        ids, page_size=page_size, keyset=keyset, counted=counted, offset_limit=offset_limit
    )
    try:
        emitted = read(strategy(), listing, seed=seed, churn=churn)
    except MethodNotAllowedError:
        # A full last page proves no end, and neither offsets nor an opaque cursor can show one.
        assert keyset is None or page_size in CLAMPED_SIZES
        assert offset_limit is not None
        assert len(listing.ever) > offset_limit - page_size
    except ListingChangedError:
        assert keyset == "opaque"
        assert page_size in CLAMPED_SIZES
    except ServerError:
        # Without a last page, rows that vanish below a link are an error.
        assert keyset == "opaque"
        assert churn
    else:
        check_exact(emitted, listing)


@pytest.mark.parametrize("counted", [True, False])
def test_ambiguous_end_beyond_the_offset_limit(counted):
    """Neither opaque cursors nor refused offsets can show that a full page is the last."""
    listing = Listing(
        range(5, 285), page_size=20, keyset="opaque", counted=counted, offset_limit=150
    )
    with pytest.raises((ListingChangedError, MethodNotAllowedError)):
        read(strategy(), listing)
    assert listing.requests < 80


@given(count=st.integers(0, 300), page_size=st.integers(1, 20), seed=st.integers(0, 2**32))
def test_window_of_one_is_newest_first(count, page_size, seed):
    ids = spread_out("uniform", count, random.Random(seed))
    listing = Listing(ids, page_size=page_size)
    assert read(strategy(1), listing, window=1, guesses=False) == ids[::-1]
    # A full last page of 20 could be a gateway's that drops headers, so one more is requested.
    is_doubted = page_size == 20 and count > 0 and count % 20 == 0
    assert listing.requests == max(1, math.ceil(count / page_size)) + is_doubted


@pytest.mark.parametrize(("count", "requests"), [(0, 1), (99, 1), (100, 2), (101, 2)])
def test_single_page_costs_one_request(count, requests):
    """A full first page without Link may have lost it: page=2 shows, until a Link was seen."""
    listing = Listing(range(5, count + 5))
    headers = NextPageHeaders()
    assert len(read(strategy(headers=headers), listing, guesses=False)) == count
    assert listing.requests == requests
    headers.is_seen = True
    assert len(read(strategy(headers=headers), listing, guesses=False)) == count
    assert listing.requests == requests + (2 if count > 100 else 1)


class Refusing(Listing):
    """A server that accepts only cursors of its own."""

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
    emitted = read(strategy(), listing)
    check_exact(emitted, listing)
    assert 1 <= listing.refused <= 4
    assert listing.requests <= 30 + listing.refused


def test_forbidden_first_page_is_raised():
    going = strategy()
    request = going.next_requests(1, 0)[0]
    with pytest.raises(PermissionDeniedError):
        going.on_error(request, PermissionDeniedError(403, "no", "GET", "u"))


class Ignoring(Listing):
    """A server that ignores cursors which are not its own, and sends its newest rows."""

    def _read(self, given):
        _, last_id = super()._read(given)
        return "down", last_id if last_id in self.known else ID_LIMIT

    def _write(self, last_id):
        self.known = getattr(self, "known", set()) | {last_id}
        return super()._write(last_id)


def test_ignored_synthetic_cursors_lose_no_row():
    listing = Ignoring([3 * n for n in range(1, 3001)])
    check_exact(read(strategy(), listing), listing)


@pytest.mark.parametrize(
    ("rows", "link", "message"),
    [
        ([1, 2], None, "not newest first"),
        ([2, 2], None, "not newest first"),
        ([], "cursor=a", "does not advance"),
        ([9], f"cursor={cursor(9)}", "not below their cursor"),
    ],
)
def test_invalid_pages_are_errors(rows, link, message):
    headers = {} if link is None else {"link": f'<https://h/api/v4/x?{link}&n=%d>; rel="next"'}

    def go_on(going):
        for n in range(30):
            request = going.next_requests(1, 0)[0]
            shown = {name: value % n for name, value in headers.items()}
            answer = Response(200, shown, b"", "GET", "https://h")
            going.on_page(request, answer, [Row(row) for row in rows])

    with pytest.raises(DecodeError, match=message):
        go_on(strategy())


def test_invalid_synthetic_page_ends_guesses_only():
    listing = Listing(range(1, 1001))
    going = strategy()
    request = going.next_requests(1, 0)[0]
    going.on_page(request, *listing.answer(request.request))
    own, *made = going.next_requests(16, 16)
    assert made
    strange = Response(200, {"link": "garbage"}, b"", "GET", "https://h")
    emitted = going.on_page(made[0], strange, [Row(1)])
    assert emitted == ()
    emitted = going.on_page(own, *listing.answer(own.request))
    assert len(emitted) == 100
    assert len(going.next_requests(16, 16)) <= 2


def test_offset_page_after_keyset_is_an_error():
    """The first page's rows are deleted, so a node without keyset repeats the second page."""
    listing = Listing(range(1, 201), page_size=50)
    going = strategy()
    request = going.next_requests(1, 0)[0]
    going.on_page(request, *listing.answer(request.request))
    listing.rows, listing.keyset = listing.rows[:150], None
    request = going.next_requests(1, 0)[0]
    with pytest.raises(DecodeError, match="sent an offset page"):
        going.on_page(request, *listing.answer(request.request))


def test_mixed_cluster_returns_to_keyset():
    """One node has no keyset, another one has; no row is emitted twice."""
    listing = Listing(range(1, 1001), page_size=50, keyset=None, offset_limit=300)
    going, emitted, pending = strategy(), [], []
    while True:
        pending += going.next_requests(4 - len(pending), 0)
        if not pending:
            break
        if going.refusal is not None:
            listing.keyset = "json"
        emitted += respond(going, listing, pending.pop(0))
    check_exact(emitted, listing)
    assert listing.requests < 2 * 20 + 10


class LateKeyset(Listing):
    """A server without keyset until an offset exceeds its limit."""

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
def test_gaps_left_by_offset_are_read_by_keyset(later, counted, count, churn, seed):
    ids = spread_out("uniform", count, random.Random(seed))
    listing = LateKeyset(ids, later=later, page_size=50, counted=counted, offset_limit=300)
    try:
        emitted = read(strategy(), listing, seed=seed, churn=churn)
    except (ListingChangedError, MethodNotAllowedError):
        # A full last page proves no end, and neither offsets nor an opaque cursor can show one.
        assert later == "opaque"
        assert len(listing.ever) > 300 - 50
    else:
        check_exact(emitted, listing)


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
def test_exact_however_synthetic_cursors_are_read(odd, kind, count, page_size, window, churn, seed):
    listing = Listing(spread_out(kind, count, random.Random(seed)), page_size=page_size, **odd)
    guesses = window > 1
    try:
        emitted = read(
            strategy(window), listing, window=window, guesses=guesses, seed=seed, churn=churn
        )
    except ServerError:
        # Without a last page, rows that vanish below a link are an error.
        assert odd.get("last", "last") != "last"
        assert churn
    else:
        check_exact(emitted, listing)


def read_while_rows_vanish(kind, count, window, churn, moments, seed):
    """Read a listing whose old pipelines are deleted at some moments; return it and its rows."""
    rnd = random.Random(seed)
    listing = Listing(spread_out(kind, count, rnd))
    # The newest rows stay: without them a cursor to newer rows fails, too.
    cuts = sorted((1 + int(at * count / 60), rnd.choice(listing.rows[:-50])) for at in moments)

    def vanish(requests):
        while cuts and cuts[0][0] <= requests:
            listing.vanish(cuts.pop(0)[1])

    emitted = read(
        strategy(window), listing, window=window, guesses=window > 1, seed=seed, churn=churn,
        event=vanish,
    )  # fmt: skip
    return listing, emitted


@given(
    kind=SPREADS,
    count=st.integers(100, 3000),
    window=st.sampled_from([1, 2, 4, 16]),
    churn=st.sampled_from([0, 0, 3]),
    moments=st.lists(st.floats(0, 1), min_size=1, max_size=4),
    seed=st.integers(0, 2**32),
)
@example("dense", 1500, 4, 0, [0.25], 460).via("pages look like those of a misread cursor")
@settings(max_examples=300)
def test_vanished_old_rows_cost_two_500s(kind, count, window, churn, moments, seed):
    listing, emitted = read_while_rows_vanish(kind, count, window, churn, moments, seed)
    check_exact(emitted, listing)
    assert listing.failures <= 2
    if window == 1:
        assert emitted == sorted(emitted, reverse=True)


@given(
    count=st.integers(100, 3000),
    window=st.sampled_from([1, 2, 16]),
    when=st.integers(1, 40),
    seed=st.integers(0, 2**32),
)
def test_all_rows_vanish_during_the_listing(count, window, when, seed):
    """Then each pending cursor is a 500, and the last page shows that no row is left."""
    listing = Listing(range(1, count + 1))
    emitted = read(
        strategy(window), listing, window=window, guesses=window > 1, seed=seed,
        event=lambda requests: listing.vanish(2**62) if requests >= when else None,
    )  # fmt: skip
    check_exact(emitted, listing)
    assert listing.failures <= window + 2


def test_persistent_500_of_a_link_is_raised():
    """The last page shows rows below, so the 500 is an error."""

    class Broken(Listing):
        def _by_keyset(self, given, size):
            if given == cursor(251):
                raise self._failed()
            return super()._by_keyset(given, size)

    listing = Broken(range(1, 351))
    with pytest.raises(ServerError):
        read(strategy(1), listing, window=1, guesses=False)
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
    """A gateway drops Link always or at times, and all headers of an offset page."""
    rnd = random.Random(seed)
    ids = spread_out(kind, count, rnd)
    listing = Listing(ids, links=lambda: rnd.random() >= dropped, **server)
    try:
        emitted = read(
            strategy(window), listing, window=window, guesses=window > 1, seed=seed, churn=churn
        )
    except ListingChangedError:
        assert churn
        return
    except ServerError:
        # GitLab answers 500 below the last row, and here nothing tells which row is the last.
        assert churn
        assert server.get("last") == "refused"
        return
    check_exact(emitted, listing)
    if window == 1:
        assert emitted == sorted(emitted, reverse=True)


def test_old_server_behind_a_gateway_is_detected():
    """A server before 15.9 whose X- headers a gateway drops."""
    first = Response(200, {"link": '<https://h/api/v4/x?page=2>; rel="next"'}, b"", "GET", "u")
    going = strategy()
    request = going.next_requests(1, 0)[0]
    emitted = going.on_page(request, first, [Row(n) for n in range(150, 50, -1)])
    assert len(emitted) == 100
    assert dict(going.next_requests(1, 0)[0].request.params)["page"] == "2"


@pytest.mark.parametrize("count", [700, 1500, 9000])
def test_overtaken_response_proves_nothing(count):
    """It would change the direction, and each pending cursor would fail if old rows vanish."""
    listing = Listing(range(1, count + 1))
    going = strategy()

    def take(request):
        respond(going, listing, request)

    def start_of(request):
        written = dict(request.request.params)["cursor"]
        return int(json.loads(base64.urlsafe_b64decode(written))["id"])

    take(going.next_requests(1, 0)[0])
    own, last = going.next_requests(16, 16)
    take(own)
    take(last)
    own, *trials = going.next_requests(16, 16)
    assert len(trials) == 2
    trial = max(trials, key=start_of)
    late = listing.answer(trial.request)
    while going.unread.end_above(start_of(trial)) < ID_LIMIT:
        take(own)
        own = going.next_requests(1, 0)[0]
    before = list(going.unread.gaps)
    new = going.on_page(trial, *late)
    assert (list(new), list(going.unread.gaps)) == ([], before)
    assert not going._cursors.is_accepted(Direction.UP)


def test_synthetic_cursor_is_requested_once():
    """A 500 for it is final: a retry gives the same (cursor_pager.rb)."""
    listing = Listing(range(1, 2001))
    going = strategy()
    request = going.next_requests(1, 0)[0]
    assert request.final == frozenset()
    going.on_page(request, *listing.answer(request.request))
    own, last = going.next_requests(16, 16)
    assert own.final == {500}
    assert {500, 502, 503, 504} == last.final
    assert base64.urlsafe_b64decode(dict(last.request.params)["cursor"]) == b'{"_kd":"p"}'
