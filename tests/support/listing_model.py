"""A model of a listing on a server, which may change between two responses."""

import base64
import json
import math
import random
from bisect import bisect_left

from attrs import frozen

from gitlab_jobs_async import (
    BadRequestError,
    MethodNotAllowedError,
    Request,
    Response,
    ResponseError,
    ServerError,
)
from gitlab_jobs_async.api.capabilities import NextPageHeaders
from gitlab_jobs_async.api.urls import ServerUrl
from gitlab_jobs_async.listing.id_ranges import ID_LIMIT
from gitlab_jobs_async.listing.keyset import KeysetStrategy

HERE = ServerUrl("https://gitlab.example.com")
JOBS = Request(
    "GET",
    "/projects/7/jobs",
    [("pagination", "keyset"), ("order_by", "id"), ("sort", "desc"), ("per_page", "100")],
)
PIPELINES = Request("GET", "/projects/7/pipelines", [("per_page", "100")])


KINDS = ["dense", "even", "uniform", "bursty", "heavy-tailed", "growing", "islands", "two ages"]
"""Spreads of ids over all ids of a server, see `spread_out`."""

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
"""Ways of reading synthetic cursors: `{"_kd":"p"}` and those for the rows above an id."""


@frozen
class Row:
    id: int


def strategy(window=16, headers=None):
    return KeysetStrategy(HERE, JOBS, window, headers=headers or NextPageHeaders())


def cursor(last_id):
    written = json.dumps({"id": str(last_id), "_kd": "n"}, separators=(",", ":"))
    return base64.urlsafe_b64encode(written.encode()).decode()


def spread_out(kind, count, rnd):
    """Return *count* ids with gaps of the *kind*."""
    if kind == "two ages":
        return [*range(1, 1 + count // 2), *range(10**9, 10**9 + count - count // 2)]
    if kind == "islands":
        return _islands(count, rnd)
    gap = {
        "dense": lambda: 1,
        "even": lambda: 37,
        "uniform": lambda: rnd.randint(1, 2000),
        "bursty": lambda: 1 if rnd.random() < 0.98 else rnd.randint(10_000, 1_000_000),
        "heavy-tailed": lambda: min(10**12, int(rnd.paretovariate(0.5))),
        "growing": lambda: 1 + int(1.01 ** rnd.randint(0, 2000)),
    }[kind]
    ids, last = [], rnd.choice([0, 10**9])
    for _ in range(count):
        last += gap()
        ids.append(last)
    return ids


def _islands(count, rnd):
    """Return runs of 1 to 1,000 rows with 1 to a million foreign ids between them."""
    ids, last = [], 0
    while len(ids) < count:
        last += int(math.exp(rnd.uniform(0, math.log(1e6))))
        run = int(math.exp(rnd.uniform(0, math.log(1e3))))
        ids += range(last, last + run)
        last = ids[-1]
    return ids[:count]


class Listing:
    """A listing with pages of at most `page_size` rows; each response is one snapshot.

    By default as today's GitLab: a cursor without rows beyond it is a 500. With `is_older` a
    forward one returns no rows. `last` and `up` choose how the cursors `{"_kd":"p"}` and, with an
    id, the one for the rows above it are read. `links` chooses for each page that has a next one
    whether its `Link` arrives.
    """

    def __init__(
        self, ids, *, page_size=100, keyset="json", counted=True, offset_limit=None,
        is_older=False, last="last", up="up", links=lambda: True, cursor_headers=False,
        offset_headers=True,
    ):  # fmt: skip
        self.rows = sorted(ids)
        self.hidden = set()
        self.always = set(ids)
        self.ever = set(ids)
        self.page_size = page_size
        self.keyset = keyset
        self.counted = counted
        self.offset_limit = offset_limit
        self.is_older = is_older
        self.last, self.up = last, up
        self.links, self.cursor_headers = links, cursor_headers
        self.offset_headers = offset_headers
        self.requests = 0
        self.failures = 0
        self.lowest_asked = ID_LIMIT

    def change(self, rnd, churn):
        """Create and delete rows, and move some out of or into the scope."""
        for _ in range(churn):
            what = rnd.randrange(4)
            if what == 0:
                self._insert((self.rows[-1] if self.rows else 0) + rnd.randint(1, 5))
            elif what == 1 and self.rows:
                self._remove(rnd.choice(self.rows))
            elif what == 2 and self.rows:
                row = rnd.choice(self.rows)
                self._remove(row)
                self.hidden.add(row)
            elif self.hidden:
                self._insert(self.hidden.pop())

    def _insert(self, row):
        if row not in self.rows:
            self.rows.insert(bisect_left(self.rows, row), row)
            self.ever.add(row)

    def _remove(self, row):
        self.rows.remove(row)
        self.always.discard(row)

    def answer(self, request):
        self.requests += 1
        params = dict(request.params)
        size = min(int(params["per_page"]), self.page_size)
        if self.keyset and params.get("pagination") == "keyset":
            return self._by_keyset(params.get("cursor"), size)
        return self._by_offset(int(params.get("page", 1)), size)

    def vanish(self, below):
        """Delete all rows under *below* at once."""
        for row in [row for row in self.rows if row < below]:
            self._remove(row)

    def _by_keyset(self, given, size):
        way, number = ("down", ID_LIMIT) if given is None else self._read(given)
        way = {"last": self.last, "up": self.up}.get(way, way)
        if way == "refused":
            raise self._failed()
        if way == "first":
            way, number = "down", ID_LIMIT
        elif way == "last":
            way, number = "up", 0
        elif given is not None:
            self.lowest_asked = min(self.lowest_asked, number)
        start, stop = self._range(way, number, size)
        rows = self.rows[start:stop][::-1]
        if given is not None and not rows and number and not (self.is_older and way == "down"):
            raise self._failed()
        is_more = bool(rows and (start if way == "down" else number))
        return self._page(self._keyset_headers(rows, stop, size, is_more=is_more), rows)

    def _range(self, way, number, size):
        if way == "down":
            stop = bisect_left(self.rows, number)
            return max(0, stop - size), stop
        start = bisect_left(self.rows, number + 1)
        return start, min(len(self.rows), start + size)

    def _keyset_headers(self, rows, stop, size, *, is_more):
        headers = {}
        if is_more:
            following = self._write(rows[-1])
            if self.links():
                link = f"<https://x/api/v4{JOBS.path}?cursor={following}&pagination=keyset"
                headers["link"] = f'{link}&per_page={size}>; rel="next"'
            if self.cursor_headers:
                headers["x-next-cursor"] = following
        if self.cursor_headers and stop < len(self.rows):
            headers["x-prev-cursor"] = "any"
        return headers

    def _failed(self):
        self.failures += 1
        return ServerError(500, "500 Internal Server Error", "GET", "u")

    def _write(self, last_id):
        return cursor(last_id) if self.keyset == "json" else f"{self.keyset}-{last_id * 7 + 3}"

    def _read(self, given):
        """Return the direction of the cursor and its id."""
        if self.keyset == "json":
            value = json.loads(base64.urlsafe_b64decode(given))
            if "id" not in value:
                return "last", 0
            return "up" if value["_kd"] == "p" else "down", int(value["id"])
        name, _, number = given.partition("-")
        if name != self.keyset:
            raise BadRequestError(400, "cursor is invalid", "GET", "u")
        return "down", (int(number) - 3) // 7

    def _by_offset(self, page, size):
        if self.offset_limit is not None and page * size > self.offset_limit:
            raise MethodNotAllowedError(405, "Offset pagination has a maximum", "GET", "u")
        newest_first = self.rows[::-1]
        rows = newest_first[(page - 1) * size : page * size]
        more = len(newest_first) > page * size
        headers = {
            "x-page": str(page),
            "x-per-page": str(size),
            "x-next-page": str(page + 1) if more else "",
        }
        if self.counted:
            headers["x-total"] = str(len(newest_first))
            headers["x-total-pages"] = str(max(1, -(-len(newest_first) // size)))
        if not self.offset_headers:
            headers = {}
        return self._page(headers, rows)

    def _page(self, headers, rows):
        return Response(200, headers, b"", "GET", "https://u"), [Row(row) for row in rows]


def read(strategy, listing, *, window=16, guesses=True, seed=0, churn=0, event=None):
    """Return all ids that *strategy* emits; respond in a random order, with changes in between.

    *event* is called before each response with the number of requests.
    """
    rnd = random.Random(seed)
    emitted, pending = [], []
    while True:
        pending += strategy.next_requests(window - len(pending), 0)
        if guesses:
            pending += strategy.next_requests(window - len(pending), window)
        assert len(pending) <= window
        assert len({one.request.params for one in pending}) == len(pending), "requested twice"
        if strategy.is_complete:
            return emitted
        assert pending, "nothing is requested although rows are unread"
        request = pending.pop(rnd.randrange(len(pending)))
        listing.change(rnd, rnd.randint(0, churn))
        if event is not None:
            event(listing.requests)
        emitted += respond(strategy, listing, request)


def respond(strategy, listing, request):
    """Answer *request* from *listing* and return the ids that are emitted."""
    try:
        response, rows = listing.answer(request.request)
    except ResponseError as error:
        strategy.on_error(request, error)
        return []
    return [row.id for row in strategy.on_page(request, response, rows)]


def check_exact(emitted, listing):
    """Assert that each row present all the time was emitted once, and none that never existed."""
    assert len(emitted) == len(set(emitted))
    assert listing.always <= set(emitted) <= listing.ever


def rounds(strategy, listing, *, window=16, jitter=0.0, seed=0):
    """Return the emitted ids and the number of round trips, if each response takes one.

    With *jitter* a response takes up to that much longer.
    """
    rnd = random.Random(seed)
    emitted, pending, now, sent = [], [], 0.0, 0
    while not strategy.is_complete:
        requests = strategy.next_requests(window - len(pending), 0)
        requests += strategy.next_requests(window - len(pending) - len(requests), window)
        for request in requests:
            pending.append((now + 1 + jitter * rnd.random(), sent, request))
            sent += 1
        pending.sort(key=lambda one: one[:2])
        now, _, request = pending.pop(0)
        emitted += respond(strategy, listing, request)
    return emitted, now
