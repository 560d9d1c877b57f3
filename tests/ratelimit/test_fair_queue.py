"""Whose turn it is: lanes before one another, projects in rounds, each project's own in order."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async import Request
from gitlab_jobs_async.ratelimit.fair_queue import FairQueue, Priority, RequestClass, Waiter

LANES = st.sampled_from(Priority)
PROJECTS = st.sampled_from("abcde")
NEEDS = st.sampled_from(["", "x", "y"])


def waiting(lane=Priority.DIRECT, project="a", need=""):
    return Waiter(RequestClass(lane, project, "GET /"), need)


def taken(queue, lane, may_go=lambda _: True):
    first = queue.next(lane, may_go)
    if first is not None:
        queue.take(first)
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
        ("GET", "/job/allowed_agents", "", "GET /job/allowed_agents"),
        ("GET", "/", "", "GET /:id"),
    ],
)
def test_a_request_asks_by_project_and_kind(method, path, project, kind):
    claim = RequestClass.of(Request(method, path, {"page": "2"}), Priority.LISTING)
    assert claim == RequestClass(Priority.LISTING, project, kind)


def test_projects_have_turns_and_each_ones_own_come_in_order():
    queue = FairQueue()
    for name in ("a1", "a2", "a3", "b1", "b2", "c1"):
        queue.put(waiting(project=name[0], need=name))
        queue.next(Priority.DIRECT, lambda _: False)
    order = [taken(queue, Priority.DIRECT).need for _ in range(6)]
    assert order == ["a1", "b1", "c1", "a2", "b2", "a3"]
    assert taken(queue, Priority.DIRECT) is None


def test_one_who_cannot_go_holds_up_nobody_and_keeps_its_turn():
    queue = FairQueue()
    early, late = waiting(need="shut"), waiting(need="open")
    queue.put(early)
    queue.put(late)
    assert queue.next(Priority.DIRECT, lambda w: w.need == "open") is late
    assert queue.next(Priority.DIRECT, lambda _: True) is early
    queue.move(early, "open")
    assert taken(queue, Priority.DIRECT) is early
    queue.put(early)
    assert taken(queue, Priority.DIRECT) is early
    assert taken(queue, Priority.DIRECT) is late


@given(st.lists(st.one_of(st.tuples(PROJECTS, NEEDS), st.none(), st.integers(0, 9)), max_size=80))
def test_no_project_waits_for_more_than_this_round_and_the_next_of_each_other(script):
    """None lets one in, a number lets one of those who wait give up."""
    queue, there = FairQueue(), []
    passed = {}
    for step in script:
        if step is None:
            if (gone := taken(queue, Priority.LISTING)) is not None:
                there.remove(gone)
                for other in there:
                    passed[other][gone.claim.project] += 1
        elif isinstance(step, int):
            if there:
                queue.drop(there.pop(step % len(there)))
        else:
            new = waiting(Priority.LISTING, *step)
            passed[new] = Counter(before=sum(w.claim.project == step[0] for w in there))
            there.append(new)
            queue.put(new)
        assert len(queue) == len(there)
        assert set(queue) == set(there)
    for one, counts in passed.items():
        own = counts.pop("before")
        assert counts[one.claim.project] <= own
        assert all(count <= own + 2 for count in counts.values())


@given(st.lists(st.tuples(LANES, PROJECTS, NEEDS), max_size=60), st.sets(NEEDS))
def test_each_is_let_in_once_and_a_project_in_the_order_it_came(script, shut):
    queue, number = FairQueue(), {}
    for lane, project, need in script:
        one = waiting(lane, project, need)
        number[one] = len(number)
        queue.put(one)
    for lane in Priority:
        order = []
        while (one := taken(queue, lane, lambda w: w.need not in shut)) is not None:
            order.append(one)
        expected = [n for n, (at, _, need) in enumerate(script) if at is lane and need not in shut]
        assert sorted(number[one] for one in order) == expected
        for key in {(one.claim.project, one.need) for one in order}:
            own = [number[one] for one in order if (one.claim.project, one.need) == key]
            assert own == sorted(own)
    assert len(queue) == sum(need in shut for _, _, need in script)


def test_those_who_gave_up_are_not_kept():
    queue = FairQueue()
    crowd = [waiting(project=str(n % 7)) for n in range(1000)]
    for one in crowd:
        queue.put(one)
    for one in crowd[10:]:
        queue.drop(one)
    (heap,) = queue._lanes[Priority.DIRECT].queues.values()
    assert len(heap) <= 20
    assert set(queue) == set(crowd[:10])


def test_project_with_a_blocked_kind_is_fair():
    """Its place in the round was of long ago; that is no right to overtake."""
    queue = FairQueue()
    queue.put(waiting(project="p", need="shut"))
    for _ in range(20):
        queue.put(waiting(project="q"))
        assert taken(queue, Priority.DIRECT, lambda one: one.need != "shut")
    for project in "pq":
        for _ in range(10):
            queue.put(waiting(project=project))
    order = [taken(queue, Priority.DIRECT, lambda one: one.need != "shut") for _ in range(20)]
    projects = "".join(one.claim.project for one in order)
    assert projects.count("pp") + projects.count("qq") <= 1
