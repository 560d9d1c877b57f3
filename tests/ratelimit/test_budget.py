"""What may go, and when: tables of what servers say, and clients of every kind beside a server."""

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
    told = {"ratelimit_limit": 100, "ratelimit_remaining": remaining, "ratelimit_reset": int(reset)}
    return told | others


def asked(budget, said=None, *, at=START, kind=JOB):
    """One request and its answer, or None for a lost one."""
    sent = budget.sent(kind)
    if said is None:
        budget.lost(sent, at)
    else:
        budget.answered(sent, said, at)


def room(budget, at=START, priority=Priority.DIRECT, kind=JOB):
    """How many may go at once."""
    sent = []
    while len(sent) < 1000 and is_open(budget, at, priority, kind):
        sent.append(budget.sent(kind))
    for one in sent:
        budget.cancelled(one)
    return len(sent)


def is_open(budget, at, priority=Priority.DIRECT, kind=JOB):
    own = budget.available_at(priority, at, kind) if budget.bucket_of(kind) else at
    return max(budget.available_at(priority, at), own) <= at


# What is said


def test_nothing_is_held_back_while_nothing_is_known():
    budget = RequestBudget()
    assert room(budget) == 1000
    assert room(budget, kind=JOBS_INDEX) == 600
    assert budget.snapshot() == BudgetSnapshot(
        limit=None, used=0, remaining=None, reset=None, waiting=0
    )


def test_a_limit_of_the_callers_holds_in_any_minute():
    budget = RequestBudget(per_minute=10)
    for n in range(10):
        asked(budget, answer(), at=START + n)
    assert room(budget, START + 9) == 0
    assert budget.available_at(Priority.DIRECT, START + 9) == START + 60
    assert budget.blocked_for(Priority.DIRECT, START + 9) <= 0
    assert room(budget, START + 59.9) == 0
    assert room(budget, START + 63) == 4


def test_one_in_flight_counts_until_a_minute_after_its_answer():
    budget = RequestBudget(per_minute=1)
    sent = budget.sent(JOB)
    assert budget.available_at(Priority.DIRECT, START + 500) == float("inf")
    budget.answered(sent, answer(), START + 500)
    assert budget.available_at(Priority.DIRECT, START + 500) == START + 560
    assert room(budget, START + 560) == 1


def test_a_tenth_is_kept_for_the_callers_own_calls():
    for budget in (RequestBudget(per_minute=100), RequestBudget()):
        if budget.per_minute is None:
            asked(budget, answer(**limits(99)))
        assert room(budget, priority=Priority.DIRECT) in {99, 100}
        assert room(budget, priority=Priority.LISTING) in {89, 90}
        assert room(budget, priority=Priority.BACKGROUND) in {89, 90}
    budget = RequestBudget()
    assert room(budget, priority=Priority.LISTING, kind=JOBS_INDEX) == 540


def test_what_the_server_says_remains_is_what_may_be_in_flight():
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


def test_an_old_window_says_nothing_of_the_new_one():
    budget = RequestBudget()
    flying = [budget.sent(JOB) for _ in range(3)]
    budget.answered(flying[0], answer(date=START + 21, **limits(50, START + 80)), START + 21)
    budget.answered(flying[1], answer(date=START + 19, **limits(0)), START + 22)
    assert room(budget, START + 22) == 49
    asked(budget, answer(date=START + 81, **limits(99, START + 140)), at=START + 81)
    assert room(budget, START + 81) == 98


def test_the_servers_clock_may_be_wrong():
    for skew in (-5000, 5000):
        budget = RequestBudget()
        asked(budget, answer(date=START + skew, **limits(0, START + skew + 20)))
        assert budget.available_at(Priority.DIRECT, START) == START + 20


def test_two_throttles_are_known_by_name():
    budget = RequestBudget()
    asked(budget, answer(**limits(3, START + 3000, ratelimit_name="sustained")))
    asked(budget, answer(**limits(3, ratelimit_name="burst")))
    assert room(budget) == 2
    assert budget.snapshot().remaining == 2
    assert room(budget, START + 21) == 2


def test_a_throttle_that_is_named_no_more_though_narrow_did_not_count():
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
def test_nonsense_is_not_listened_to(wrong):
    budget = RequestBudget()
    asked(budget, answer(**(limits(0) | wrong)))
    assert room(budget) == (0 if "date_" in wrong else 1000)


def test_headers_that_are_heard_no_more_are_forgotten():
    budget = RequestBudget()
    asked(budget, answer(**limits(1)))
    for minute in range(1, 4):
        asked(budget, answer(), at=START + 61 * minute)
        room(budget, START + 61 * minute)
    assert room(budget, START + 250) == 1000


# 429


def test_a_text_429_holds_everything_for_as_long_as_it_says():
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
def test_a_429_holds_for_a_minute_if_it_does_not_say(json, said, seconds):
    budget = RequestBudget()
    asked(budget, answer(429, json=json, **said))
    kind = JOB if json else ""
    if json and seconds == 60:
        # GitLab's limiter of single endpoints opens at each whole minute: START is 40 s into one.
        seconds = 20
    assert budget.blocked_for(Priority.DIRECT, START, kind) == seconds
    assert room(budget, START + seconds - 0.1) == 0
    assert room(budget, START + seconds) == 1


def test_a_429_that_says_only_when_its_window_ends_holds_until_then():
    budget = RequestBudget()
    asked(budget, answer(429, **limits(0)))
    assert budget.blocked_for(Priority.DIRECT, START) == 20


@pytest.mark.parametrize(("asked_for", "held"), [("5", 20), ("20", 20), ("300", 300)])
def test_the_longer_wait_of_a_429_counts(asked_for, held):
    """A window ends sooner than a ban: both are told by Rack::Attack."""
    budget = RequestBudget()
    asked(budget, answer(429, **limits(0), **{"retry-after": asked_for}))
    assert budget.blocked_for(Priority.DIRECT, START) == held


def test_a_json_429_holds_its_own_kind_alone():
    budget = RequestBudget()
    asked(budget, answer(429, json=True), kind=JOB)
    assert room(budget, kind=JOB) == 0
    assert room(budget, kind="GET /version") == 1000
    assert room(budget, kind=JOBS_INDEX) == 600
    assert budget.bucket_of(JOB) == JOB
    assert budget.bucket_of("GET /version") == ""
    assert budget.available_at(Priority.DIRECT, START, "GET /version") == START
    assert budget.blocked_for(Priority.DIRECT, START, "GET /version") <= 0


def test_after_a_pause_they_come_back_one_first_and_then_more():
    budget = RequestBudget()
    asked(budget, answer(429, retry_after=20))
    seen = []
    for step in range(5):
        seen.append(room(budget, START + 20 + step))
        flying = [budget.sent(JOB) for _ in range(seen[-1])]
        for sent in flying:
            budget.answered(sent, answer(), START + 20 + step)
    assert seen == [1, 2, 4, 8, 16]


def test_what_went_through_before_is_the_limit_until_more_proves_possible():
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
def test_trying_for_more_in_vain_is_tried_ever_more_rarely(priority):
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


def test_answers_that_say_what_remains_know_better_than_a_429():
    budget = RequestBudget()
    asked(budget, answer(429, **limits(0), retry_after=20))
    assert budget.snapshot().limit == 100
    asked(budget, answer(date=START + 20, **limits(4000, START + 3000)), at=START + 20)
    asked(budget, answer(date=START + 20, **limits(3999, START + 3000)), at=START + 20)
    for _ in range(500):
        asked(budget, answer(date=START + 20, **limits(3000, START + 3000)), at=START + 20)
    assert is_open(budget, START + 20)


def test_kinds_that_are_limited_apart_are_bounded():
    budget = RequestBudget()
    for n in range(1000):
        asked(budget, answer(429, json=True, retry_after=1), at=START + 2 * n, kind=f"GET /{n}")
    assert sum(budget.bucket_of(f"GET /{n}") != "" for n in range(1000)) <= 100
    assert budget.bucket_of(JOBS_INDEX) == JOBS_INDEX


# What a caller sees


def test_a_snapshot_says_how_things_stand():
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
def test_a_limit_that_cannot_be_is_refused(name, wrong, kind):
    with pytest.raises(kind, match=f"{name} must be a whole number above 0, not {wrong}"):
        RequestBudget(**{name: wrong})
    assert RequestBudget(**{name: None})


def test_a_budget_serves_one_client_at_a_time_and_keeps_what_it_knows():
    budget = RequestBudget(per_minute=2)
    budget.attach()
    with pytest.raises(RuntimeError, match="in use by another open GitLab"):
        budget.attach()
    budget.sent(JOB)
    budget.detach(START)
    budget.attach()
    assert room(budget) == 1
    assert room(budget, START + 60) == 2


def test_a_pause_is_told_with_its_end():
    assert not_sent_reason(3600, START).endswith("until 2025-06-15 16:06:40 UTC")


# A client and a server


@define
class Server:
    """A fixed window, as Rack::Attack counts; *mode* is what it says of it.

    *others* is how often other clients of the same user have asked before each request.
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
        period = min(period, 60)  # who is told nothing assumes a minute
    return Server(10**9 if mode == "unlimited" else limit, period, mode, skew, others)


@define
class Client:
    """Sends *wanted* requests, each again if it is refused, whenever its budget lets it."""

    budget: RequestBudget
    server: Server
    concurrency: int
    delays: list[float]
    losses: set[int]
    refused: list = field(factory=list)
    heard_at: float | None = None
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
            if self.heard_at is None and said.status != 429:
                self.heard_at = now  # a 429 tells no more than when to come back
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
def test_once_refused_nothing_more_is_refused_in_that_window(
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
def test_who_is_told_what_remains_is_never_refused(
    limit, period, skew, concurrency, delays, losses, wanted
):
    server = serving(limit, "always", min(period, 60), skew)
    client = Client(RequestBudget(), server, concurrency, delays, losses)
    client.run(wanted)
    assert all(sent <= client.heard_at for sent, _ in client.refused)


@settings(max_examples=30, deadline=None)
@given(**CLIENTS, per_minute=st.integers(1, 60))
def test_the_server_never_sees_more_in_a_minute_than_the_caller_allows(
    limit, mode, period, skew, concurrency, delays, losses, wanted, per_minute
):
    server = serving(limit, mode, period, skew)
    budget = RequestBudget(per_minute=per_minute)
    Client(budget, server, concurrency, delays, losses).run(wanted)
    for begin in server.seen:
        assert sum(begin <= at < begin + 60 for at in server.seen) <= per_minute


def test_polls_are_apart_only_where_they_could_not_all_go_at_once():
    budget = RequestBudget(per_minute=100)
    assert budget.min_poll_spacing(JOBS_INDEX, 90, 0.0) == 0.0
    assert budget.min_poll_spacing(JOBS_INDEX, 91, 0.0) == 60 / 90
    assert RequestBudget().min_poll_spacing(JOBS_INDEX, 541, 0.0) == 60 / 540
    assert (
        RequestBudget(jobs_index_per_minute=None).min_poll_spacing(JOBS_INDEX, 10_000, 0.0) == 0.0
    )
