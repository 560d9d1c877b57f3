"""Tables of responses and their effect on a budget, and simulated clients of a server."""

import heapq
import math
from email.utils import formatdate
from itertools import count, pairwise

import pytest
from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlab_jobs_async import BudgetSnapshot, RequestBudget, Response
from gitlab_jobs_async.ratelimit.budget import not_sent_reason
from gitlab_jobs_async.ratelimit.fair_queue import Priority
from gitlab_jobs_async.ratelimit.limits import JOBS_INDEX

START = 1_750_000_000.0
JOB = "GET /projects/:id/jobs/:id"


def answer(status=200, *, json=False, date=START, **headers):
    kind = "application/json" if json else "text/plain"
    named = {name.replace("_", "-"): str(value) for name, value in headers.items()}
    dated = {} if date is None else {"date": formatdate(date, usegmt=True)}
    return Response(status, {"content-type": kind} | dated | named, b"", "GET", "u")


def limits(remaining, reset=START + 20, **others):
    emitted = {
        "ratelimit_limit": 100,
        "ratelimit_remaining": remaining,
        "ratelimit_reset": int(reset),
    }
    return emitted | others


def asked(budget, said=None, *, at=START, kind=JOB):
    """Send one request; a response of `None` is lost."""
    sent = budget.sent(kind)
    if said is None:
        budget.lost(sent, at)
    else:
        budget.answered(sent, said, at)


def room(budget, at=START, priority=Priority.DIRECT, kind=JOB):
    """Return the number of requests that may go at once."""
    sent = []
    while len(sent) < 1000 and is_open(budget, at, priority, kind):
        sent.append(budget.sent(kind))
    for one in sent:
        budget.cancelled(one)
    return len(sent)


def is_open(budget, at, priority=Priority.DIRECT, kind=JOB):
    own = budget.available_at(priority, at, kind) if budget.bucket_of(kind) else at
    return max(budget.available_at(priority, at), own) <= at


# Responses


def test_unknown_limits_allow_everything():
    budget = RequestBudget()
    assert room(budget) == 1000
    assert room(budget, kind=JOBS_INDEX) == 600
    assert budget.snapshot() == BudgetSnapshot(
        limit=None, used=0, remaining=None, reset=None, waiting=0
    )


def test_callers_limit_holds_in_any_minute():
    budget = RequestBudget(per_minute=10)
    for n in range(10):
        asked(budget, answer(), at=START + n)
    assert room(budget, START + 9) == 0
    assert budget.available_at(Priority.DIRECT, START + 9) == START + 60
    assert budget.blocked_for(Priority.DIRECT, START + 9) <= 0
    assert room(budget, START + 59.9) == 0
    assert room(budget, START + 63) == 4


def test_request_counts_a_minute_after_response():
    budget = RequestBudget(per_minute=1)
    sent = budget.sent(JOB)
    assert budget.available_at(Priority.DIRECT, START + 500) == float("inf")
    budget.answered(sent, answer(), START + 500)
    assert budget.available_at(Priority.DIRECT, START + 500) == START + 560
    assert room(budget, START + 560) == 1


def test_a_tenth_is_reserved_for_foreground():
    for budget in (RequestBudget(per_minute=100), RequestBudget()):
        if budget.per_minute is None:
            asked(budget, answer(**limits(99)))
        assert room(budget, priority=Priority.DIRECT) in {99, 100}
        assert room(budget, priority=Priority.LISTING) in {89, 90}
        assert room(budget, priority=Priority.BACKGROUND) in {89, 90}
    budget = RequestBudget()
    assert room(budget, priority=Priority.LISTING, kind=JOBS_INDEX) == 540


def test_remaining_limits_requests_in_flight():
    budget = RequestBudget()
    asked(budget, answer(**limits(5)))
    assert room(budget) == 5
    flying = [budget.sent(JOB) for _ in range(3)]
    assert room(budget) == 2
    budget.lost(flying[0], START)
    assert room(budget) == 2
    budget.answered(flying[1], answer(**limits(3)), START)
    budget.answered(flying[2], answer(**limits(4)), START)
    assert room(budget) == 2
    assert budget.available_at(Priority.DIRECT, START) <= START
    for _ in range(2):
        asked(budget, answer())
    assert budget.available_at(Priority.DIRECT, START) == START + 20
    assert budget.blocked_for(Priority.DIRECT, START) == 20
    assert room(budget, START + 19.9) == 0
    assert room(budget, START + 20) == 5
    asked(budget, answer(date=START + 20, **limits(99, START + 80)), at=START + 20)
    assert room(budget, START + 20) == 98
    asked(budget, answer(date=START + 80, **limits(99, START + 140)), at=START + 80)
    assert room(budget, START + 80) == 99


def test_late_response_of_old_window_is_ignored():
    budget = RequestBudget()
    flying = [budget.sent(JOB) for _ in range(3)]
    budget.answered(flying[0], answer(date=START + 21, **limits(50, START + 80)), START + 21)
    budget.answered(flying[1], answer(date=START + 19, **limits(0)), START + 22)
    assert room(budget, START + 22) == 49
    asked(budget, answer(date=START + 81, **limits(99, START + 140)), at=START + 81)
    assert room(budget, START + 81) == 98


def test_clock_skew_does_not_shift_the_reset():
    for skew in (-5000, 5000):
        budget = RequestBudget()
        asked(budget, answer(date=START + skew, **limits(0, START + skew + 20)))
        assert budget.available_at(Priority.DIRECT, START) == START + 20


def test_two_windows_are_tracked_by_name():
    budget = RequestBudget()
    asked(budget, answer(**limits(3, START + 3000, ratelimit_name="sustained")))
    asked(budget, answer(**limits(3, ratelimit_name="burst")))
    assert room(budget) == 2
    assert budget.snapshot().remaining == 2
    assert room(budget, START + 21) == 2


def test_unnamed_narrow_window_did_not_count():
    budget = RequestBudget()
    asked(budget, answer(**limits(3, START + 3000, ratelimit_name="files")))
    for _ in range(9):
        asked(budget, answer(**limits(1900, ratelimit_name="api")))
    assert room(budget) == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"ratelimit_remaining": "-1"},
        {"ratelimit_remaining": "many"},
        {"ratelimit_remaining": ""},
        {"ratelimit_remaining": "1, 2"},
        {"ratelimit_remaining": "9" * 5000},
        {"ratelimit_reset": "0"},
        {"ratelimit_reset": "20"},
        {"ratelimit_reset": int(START)},
        {"ratelimit_reset": int(START) + 10**8},
        {"ratelimit_reset": "1e3"},
        {"date_": "x"},
    ],
)
def test_invalid_headers_are_ignored(wrong):
    budget = RequestBudget()
    asked(budget, answer(**(limits(0) | wrong)))
    assert room(budget) == (0 if "date_" in wrong else 1000)


def test_unstated_window_is_forgotten():
    budget = RequestBudget()
    asked(budget, answer(**limits(1)))
    for minute in range(1, 4):
        asked(budget, answer(), at=START + 61 * minute)
        room(budget, START + 61 * minute)
    assert room(budget, START + 250) == 1000


# 429


def test_text_429_pauses_all_requests():
    budget = RequestBudget()
    asked(budget, answer(429, retry_after=20))
    for kind in (JOB, JOBS_INDEX):
        assert room(budget, START + 19.9, kind=kind) == 0
        assert room(budget, START + 20, kind=kind) == 1
    assert budget.blocked_for(Priority.DIRECT, START) == 20


@pytest.mark.parametrize("json", [True, False])
@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ({}, 60),
        ({"retry_after": "soon"}, 60),
        ({"retry_after": "-5"}, 60),
        ({"retry_after": "60"}, 60),
        ({"retry_after": "0"}, 0),
        ({"retry_after": "7"}, 7),
        ({"retry_after": formatdate(START + 30, usegmt=True)}, 30),
        ({"retry_after": formatdate(START - 30, usegmt=True)}, 0),
        ({"retry_after": "3600"}, 3600),
    ],
)
def test_429_without_retry_after_waits_a_minute(json, said, seconds):
    budget = RequestBudget()
    asked(budget, answer(429, json=json, **said))
    kind = JOB if json else ""
    if json and seconds == 60:
        # GitLab's limiter of single endpoints resets at whole minutes; START is 40 s into one.
        seconds = 20
    assert budget.blocked_for(Priority.DIRECT, START, kind) == seconds
    assert room(budget, START + seconds - 0.1) == 0
    assert room(budget, START + seconds) == 1


def test_429_with_reset_only_waits_until_reset():
    budget = RequestBudget()
    asked(budget, answer(429, **limits(0)))
    assert budget.blocked_for(Priority.DIRECT, START) == 20


@pytest.mark.parametrize(("asked_for", "held"), [("5", 20), ("20", 20), ("300", 300)])
def test_longer_wait_of_a_429_applies(asked_for, held):
    """Rack::Attack states both: a window may end sooner than a ban."""
    budget = RequestBudget()
    asked(budget, answer(429, **limits(0), **{"retry-after": asked_for}))
    assert budget.blocked_for(Priority.DIRECT, START) == held


def test_json_429_pauses_its_kind_only():
    budget = RequestBudget()
    asked(budget, answer(429, json=True), kind=JOB)
    assert room(budget, kind=JOB) == 0
    assert room(budget, kind="GET /version") == 1000
    assert room(budget, kind=JOBS_INDEX) == 600
    assert budget.bucket_of(JOB) == JOB
    assert budget.bucket_of("GET /version") == ""
    assert budget.available_at(Priority.DIRECT, START, "GET /version") == START
    assert budget.blocked_for(Priority.DIRECT, START, "GET /version") <= 0


def test_recovery_is_a_slow_start():
    budget = RequestBudget()
    asked(budget, answer(429, retry_after=20))
    seen = []
    for step in range(5):
        seen.append(room(budget, START + 20 + step))
        flying = [budget.sent(JOB) for _ in range(seen[-1])]
        for sent in flying:
            budget.answered(sent, answer(), START + 20 + step)
    assert seen == [1, 2, 4, 8, 16]


def test_limit_is_inferred_and_raised():
    budget = RequestBudget()
    for _ in range(50):
        asked(budget, answer())
    asked(budget, answer(429))
    assert budget.snapshot().limit == 50
    at = START + 60
    assert room(budget, at) == 1
    for n in range(50):
        asked(budget, answer(), at=at)
        assert room(budget, at) == min(n + 2, 49 - n)
    assert budget.available_at(Priority.DIRECT, at) == at + 60
    at += 60
    for _ in range(50):
        asked(budget, answer(), at=at)
    assert room(budget, at) == 5
    assert budget.snapshot().limit == 55


@pytest.mark.parametrize("priority", Priority)
def test_failed_raises_back_off(priority):
    budget, at, minutes = RequestBudget(), START, []
    for minute in range(200):
        at += 60
        for n in range(1000):
            if not is_open(budget, at, priority):
                break
            if n == 50:
                minutes.append(minute)
                asked(budget, answer(429), at=at)
            else:
                asked(budget, answer(), at=at)
    gaps = [later - earlier for earlier, later in pairwise(minutes)]
    assert gaps == sorted(gaps)
    assert len(minutes) <= 9


def test_stated_remaining_replaces_inferred_limit():
    budget = RequestBudget()
    asked(budget, answer(429, **limits(0), retry_after=20))
    assert budget.snapshot().limit == 100
    asked(budget, answer(date=START + 20, **limits(4000, START + 3000)), at=START + 20)
    asked(budget, answer(date=START + 20, **limits(3999, START + 3000)), at=START + 20)
    for _ in range(500):
        asked(budget, answer(date=START + 20, **limits(3000, START + 3000)), at=START + 20)
    assert is_open(budget, START + 20)


def test_number_of_limited_kinds_is_bounded():
    budget = RequestBudget()
    for n in range(1000):
        asked(budget, answer(429, json=True, retry_after=1), at=START + 2 * n, kind=f"GET /{n}")
    assert sum(budget.bucket_of(f"GET /{n}") != "" for n in range(1000)) <= 100
    assert budget.bucket_of(JOBS_INDEX) == JOBS_INDEX


# Snapshot and ownership


def test_snapshot_shows_the_state():
    budget = RequestBudget(per_minute=80)
    asked(budget, answer(**limits(60)))
    budget.sent(JOB)
    budget.usage.responses.waiting = 3
    assert budget.snapshot() == BudgetSnapshot(
        limit=80, used=2, remaining=59, reset=START + 20, waiting=3
    )
    later = budget.snapshot(START + 70)
    assert (later.used, later.remaining, later.reset) == (1, 60, None)


@pytest.mark.parametrize("name", ["per_minute", "jobs_index_per_minute"])
@pytest.mark.parametrize(
    ("wrong", "kind"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), (True, TypeError)]
)
def test_invalid_limit_is_rejected(name, wrong, kind):
    with pytest.raises(kind, match=f"{name} must be a whole number above 0, not {wrong}"):
        RequestBudget(**{name: wrong})
    assert RequestBudget(**{name: None})


def test_budget_is_reused_and_keeps_its_state():
    budget = RequestBudget(per_minute=2)
    budget.attach()
    with pytest.raises(RuntimeError, match="in use by another open GitLab"):
        budget.attach()
    budget.sent(JOB)
    budget.detach(START)
    budget.attach()
    assert room(budget) == 1
    assert room(budget, START + 60) == 2


def test_reason_names_the_end_of_the_pause():
    assert not_sent_reason(3600, START).endswith("until 2025-06-15 16:06:40 UTC")


# A client and a server


@define
class Server:
    """A server with a fixed window, as Rack::Attack counts; *mode* selects its headers.

    *others* is the number of requests of other clients of the user before each request.
    """

    limit: int
    period: int
    mode: str
    skew: float
    others: list[int]
    counts: dict[int, int] = field(factory=dict)
    seen: list[float] = field(factory=list)

    def answer(self, now):
        self.seen.append(now)
        here = now + self.skew
        window = int(here // self.period)
        foreign = self.others[len(self.seen) % len(self.others)]
        self.counts[window] = self.counts.get(window, 0) + 1 + foreign
        remaining = max(0, self.limit - self.counts[window])
        refused = self.counts[window] > self.limit
        reset = (window + 1) * self.period
        said = {}
        if self.mode == "always" or (self.mode == "throttled" and refused):
            per_minute = math.ceil(self.limit * 60 / self.period)
            said = limits(remaining, reset, ratelimit_limit=per_minute)
        if refused and self.mode != "silent":
            said["retry_after"] = int(self.period - int(here) % self.period)
        status = 429 if refused else 200
        return window, answer(status, json=self.mode == "silent", date=here, **said)


def serving(limit, mode, period, skew, others=(0,)):
    if mode == "silent":
        period = min(period, 60)  # without headers a client assumes a minute
    return Server(10**9 if mode == "unlimited" else limit, period, mode, skew, others)


@define
class Client:
    """Sends *wanted* requests as its budget allows, each again if it is refused."""

    budget: RequestBudget
    server: Server
    concurrency: int
    delays: list[float]
    losses: set[int]
    refused: list = field(factory=list)
    learned_at: float | None = None
    got: int = 0

    def run(self, wanted):
        now, numbers, events, flying = START, count(), [], 0
        last_refusal = {}
        while self.got < wanted:
            while flying < self.concurrency and self.got + flying < wanted:
                opens = max(
                    self.budget.available_at(Priority.DIRECT, now),
                    self.budget.available_at(Priority.DIRECT, now, JOB),
                )
                if opens > now:
                    heapq.heappush(events, (opens, next(numbers), None))
                    break
                number, flying = next(numbers), flying + 1
                there = now + self.delays[number % len(self.delays)]
                heapq.heappush(events, (there, number, ("arrives", now, self.budget.sent(JOB))))
            now, number, event = heapq.heappop(events)
            if event is None or now == float("inf"):
                continue
            what, sent_at, sent, *said = event
            if what == "arrives":
                said = self.server.answer(now)
                back = now + self.delays[(number * 7 + 3) % len(self.delays)]
                heapq.heappush(events, (back, number, ("answered", sent_at, sent, *said)))
                continue
            flying -= 1
            window, said = said
            if number in self.losses:
                self.budget.lost(sent, now)
                continue
            self.budget.answered(sent, said, now)
            if self.learned_at is None and said.status != 429:
                self.learned_at = now  # a 429 states only when to return
            self.got += said.status == 200
            if said.status == 429:
                first = last_refusal.setdefault(window, now)
                self.refused.append((sent_at, first))
        return now


CLIENTS = {
    "limit": st.integers(1, 40),
    "mode": st.sampled_from(["always", "throttled", "silent", "unlimited"]),
    "period": st.sampled_from([10, 60, 3600]),
    "skew": st.floats(-1000, 1000),
    "concurrency": st.integers(1, 50),
    "delays": st.lists(st.floats(0, 5), min_size=1, max_size=20),
    "losses": st.sets(st.integers(0, 100)),
    "wanted": st.integers(1, 120),
}


@settings(max_examples=30, deadline=None)
@given(**CLIENTS, others=st.lists(st.integers(0, 2), min_size=1, max_size=9))
def test_one_refusal_a_window_for_any_client(
    limit, mode, period, skew, concurrency, delays, losses, wanted, others
):
    others = [min(foreign, limit - 1) for foreign in others]
    server = serving(limit, mode, period, skew, others)
    client = Client(RequestBudget(), server, concurrency, delays, losses)
    minutes = (client.run(wanted) - START) / 60
    assert all(sent <= first for sent, first in client.refused)
    if mode != "silent":
        share = limit / (1 + max(others))
        assert minutes <= 12 + 8 * (wanted + len(losses)) / share * max(1, period / 60)


@settings(max_examples=30, deadline=None)
@given(**{name: drawn for name, drawn in CLIENTS.items() if name != "mode"})
def test_stated_remaining_prevents_refusals(
    limit, period, skew, concurrency, delays, losses, wanted
):
    server = serving(limit, "always", min(period, 60), skew)
    client = Client(RequestBudget(), server, concurrency, delays, losses)
    client.run(wanted)
    assert all(sent <= client.learned_at for sent, _ in client.refused)


@settings(max_examples=30, deadline=None)
@given(**CLIENTS, per_minute=st.integers(1, 60))
def test_server_sees_at_most_the_callers_limit(
    limit, mode, period, skew, concurrency, delays, losses, wanted, per_minute
):
    server = serving(limit, mode, period, skew)
    budget = RequestBudget(per_minute=per_minute)
    Client(budget, server, concurrency, delays, losses).run(wanted)
    for begin in server.seen:
        assert sum(begin <= at < begin + 60 for at in server.seen) <= per_minute


def test_polls_are_spaced_only_if_scarce():
    budget = RequestBudget(per_minute=100)
    assert budget.min_poll_spacing(JOBS_INDEX, 90, 0.0) == 0.0
    assert budget.min_poll_spacing(JOBS_INDEX, 91, 0.0) == 60 / 90
    assert RequestBudget().min_poll_spacing(JOBS_INDEX, 541, 0.0) == 60 / 540
    assert (
        RequestBudget(jobs_index_per_minute=None).min_poll_spacing(JOBS_INDEX, 10_000, 0.0) == 0.0
    )
