"""Unit tests of the fair queue: priorities, rounds of projects, order within a project."""

import gc
import weakref
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async import Request
from gitlab_jobs_async.ratelimit.fair_queue import (
    Bucket,
    FairQueue,
    Priority,
    RequestClass,
    Waiter,
)

PRIORITIES = st.sampled_from(Priority)
PROJECTS = st.sampled_from("abcde")
BUCKETS = st.sampled_from(["", "x", "y"])


def waiting(priority=Priority.DIRECT, project="a", kind=""):
    request = Request("GET", "/version")
    return Waiter(request, RequestClass(priority, project, "GET /"), Bucket(False, kind))


def key_of(waiter):
    return waiter.request_class.project, waiter.bucket.kind


def is_open(waiter):
    return waiter.bucket.kind != "shut"


def taken(queue, priority, may_go=lambda _: True):
    first = queue.peek(priority, may_go)
    if first is not None:
        queue.pop(first)
    return first


@pytest.mark.parametrize(
    ("method", "path", "project", "kind"),
    [
        ("GET", "/projects/17/jobs", "17", "GET /projects/:id/jobs"),
        ("HEAD", "/projects/17/jobs", "17", "GET /projects/:id/jobs"),
        ("GET", "/projects/group%2Fapp/jobs", "group%2Fapp", "GET /projects/:id/jobs"),
        ("POST", "/projects/1/jobs/2/retry", "1", "POST /projects/:id/jobs/:id/retry"),
        ("GET", "/projects/1/jobs/2/artifacts/a/b/C", "1", "GET /projects/:id/jobs/:id/artifacts"),
        ("GET", "/projects", "", "GET /projects"),
        ("GET", "/projects/1/jobs/artifacts/main/x", "1", "GET /projects/:id/jobs/artifacts/:id"),
        ("GET", "/projects/1/jobs/2/artifacts/keep", "1", "GET /projects/:id/jobs/:id/artifacts"),
        ("GET", "/groups/shop/projects", "", "GET /groups/:id/projects"),
        ("GET", "/graphql", "", "GET /graphql"),
        ("GET", "/job/allowed_agents", "", "GET /job/allowed_agents"),
        ("GET", "/", "", "GET /:id"),
    ],
)
def test_request_class_has_project_and_kind(method, path, project, kind):
    request_class = RequestClass.of(Request(method, path, {"page": "2"}), Priority.LISTING)
    assert request_class == RequestClass(Priority.LISTING, project, kind)
    assert request_class.route == kind.removeprefix(f"{'POST' if method == 'POST' else 'GET'} ")


def test_round_robin_keeps_order_within_project():
    queue = FairQueue()
    for name in ("a1", "a2", "a3", "b1", "b2", "c1"):
        queue.push(waiting(project=name[0], kind=name))
        queue.peek(Priority.DIRECT, lambda _: False)
    order = [taken(queue, Priority.DIRECT).bucket.kind for _ in range(6)]
    assert order == ["a1", "b1", "c1", "a2", "b2", "a3"]
    assert taken(queue, Priority.DIRECT) is None


def test_blocked_waiter_keeps_its_turn():
    queue = FairQueue()
    early, late = waiting(kind="shut"), waiting(kind="open")
    queue.push(early)
    queue.push(late)
    assert queue.peek(Priority.DIRECT, lambda w: w.bucket.kind == "open") is late
    assert queue.peek(Priority.DIRECT, lambda _: True) is early
    queue.move(early, Bucket(False, "open"))
    assert taken(queue, Priority.DIRECT) is early
    queue.push(early)
    assert taken(queue, Priority.DIRECT) is early
    assert taken(queue, Priority.DIRECT) is late


@given(st.lists(st.one_of(st.tuples(PROJECTS, BUCKETS), st.none(), st.integers(0, 9)), max_size=80))
def test_project_waits_for_two_rounds_at_most(script):
    """`None` pops a waiter, a number removes one."""
    queue, there = FairQueue(), []
    passed = {}
    for step in script:
        if step is None:
            if (gone := taken(queue, Priority.LISTING)) is not None:
                there.remove(gone)
                for other in there:
                    passed[other][gone.request_class.project] += 1
        elif isinstance(step, int):
            if there:
                queue.remove(there.pop(step % len(there)))
        else:
            new = waiting(Priority.LISTING, *step)
            passed[new] = Counter(before=sum(w.request_class.project == step[0] for w in there))
            there.append(new)
            queue.push(new)
        assert len(queue) == len(there)
        assert set(queue) == set(there)
    for one, counts in passed.items():
        own = counts.pop("before")
        assert counts[one.request_class.project] <= own
        assert all(count <= own + 2 for count in counts.values())


@given(st.lists(st.tuples(PRIORITIES, PROJECTS, BUCKETS), max_size=60), st.sets(BUCKETS))
def test_each_waiter_is_popped_once_in_order(script, shut):
    queue, number = FairQueue(), {}
    for priority, project, kind in script:
        one = waiting(priority, project, kind)
        number[one] = len(number)
        queue.push(one)
    for priority in Priority:
        order = []
        while (one := taken(queue, priority, lambda w: w.bucket.kind not in shut)) is not None:
            order.append(one)
        expected = [n for n, (at, _, k) in enumerate(script) if at is priority and k not in shut]
        assert sorted(number[one] for one in order) == expected
        for key in {key_of(one) for one in order}:
            own = [number[one] for one in order if key_of(one) == key]
            assert own == sorted(own)
    assert len(queue) == sum(kind in shut for _, _, kind in script)


def test_removed_waiters_are_freed():
    queue = FairQueue()
    crowd = [waiting(project=str(n % 7)) for n in range(1000)]
    for one in crowd:
        queue.push(one)
    known = [weakref.ref(one) for one in crowd]
    for one in crowd[10:]:
        queue.remove(one)
    del one, crowd[10:]
    gc.collect()
    assert sum(ref() is not None for ref in known) <= 20
    assert set(queue) == set(crowd)


def test_project_with_a_blocked_kind_is_fair():
    """The last round of the project was long ago; it must not overtake others."""
    queue = FairQueue()
    queue.push(waiting(project="p", kind="shut"))
    for _ in range(20):
        queue.push(waiting(project="q"))
        assert taken(queue, Priority.DIRECT, is_open)
    for project in "pq":
        for _ in range(10):
            queue.push(waiting(project=project))
    order = [taken(queue, Priority.DIRECT, is_open) for _ in range(20)]
    projects = "".join(one.request_class.project for one in order)
    assert projects.count("pp") + projects.count("qq") <= 1
