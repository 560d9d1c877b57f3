"""A listing on a server, as values, that anything may happen to between two answers."""

import base64
import json
import random
from bisect import bisect_left

from attrs import frozen

from gitlab_jobs_async import (
    BadRequestError,
    MethodNotAllowedError,
    Request,
    Response,
    ResponseError,
)
from gitlab_jobs_async.sansio.urls import ServerUrl

HERE = ServerUrl("https://gitlab.example.com")
JOBS = Request(
    "GET",
    "/projects/7/jobs",
    [("pagination", "keyset"), ("order_by", "id"), ("sort", "desc"), ("per_page", "100")],
)
PIPELINES = Request("GET", "/projects/7/pipelines", [("per_page", "100")])


@frozen
class Row:
    id: int


def cursor(last_id):
    written = json.dumps({"id": str(last_id), "_kd": "n"}, separators=(",", ":"))
    return base64.urlsafe_b64encode(written.encode()).decode()


def spread_out(kind, count, rnd):
    """So many ids, spread as `kind` says."""
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


class Listing:
    """`page_size` is the server's largest; `answer` is one snapshot, as its database gives."""

    def __init__(self, ids, *, page_size=100, keyset="json", counted=True, offset_limit=None):
        self.rows = sorted(ids)
        self.hidden = set()
        self.always = set(ids)
        self.ever = set(ids)
        self.page_size = page_size
        self.keyset = keyset
        self.counted = counted
        self.offset_limit = offset_limit
        self.requests = 0

    def change(self, rnd, churn):
        """Rows are created, deleted, and leave or enter the scope."""
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

    def _by_keyset(self, given, size):
        stop = len(self.rows) if given is None else bisect_left(self.rows, self._read(given))
        rows = self.rows[max(0, stop - size) : stop][::-1]
        headers = {}
        if stop > size:
            following = self._write(rows[-1])
            headers["link"] = f"<https://x/api/v4{JOBS.path}?cursor={following}&pagination=keyset"
            headers["link"] += f'&per_page={size}>; rel="next"'
        return self._page(headers, rows)

    def _write(self, last_id):
        return cursor(last_id) if self.keyset == "json" else f"{self.keyset}-{last_id * 7 + 3}"

    def _read(self, given):
        if self.keyset == "json":
            return int(json.loads(base64.urlsafe_b64decode(given))["id"])
        name, _, number = given.partition("-")
        if name != self.keyset:
            raise BadRequestError(400, "cursor is invalid", "GET", "u")
        return (int(number) - 3) // 7

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
        return self._page(headers, rows)

    def _page(self, headers, rows):
        return Response(200, headers, b"", "GET", "https://u"), [Row(row) for row in rows]


def read(walk, listing, *, window=16, guesses=True, seed=0, churn=0):
    """All that *walk* tells, its asks answered in a random order; anything changes in between."""
    rnd = random.Random(seed)
    told, flight = [], []
    while True:
        flight += [(walk, ask) for ask in walk.asks(window - len(flight), 0)]
        if guesses:
            flight += [(walk, ask) for ask in walk.asks(window - len(flight), window)]
        assert len(flight) <= window
        if not flight:
            return told
        owner, ask = flight.pop(rnd.randrange(len(flight)))
        listing.change(rnd, rnd.randint(0, churn))
        if owner is not walk:
            continue
        try:
            response, rows = listing.answer(ask.wanted)
        except ResponseError as error:
            walk = walk.refused(ask, error)
            continue
        walk, new = walk.take(ask, response, rows)
        told += [row.id for row in new]


def check_exact(told, listing):
    """Each row that was there all the time, once; nothing that never was."""
    assert len(told) == len(set(told))
    assert listing.always <= set(told) <= listing.ever
