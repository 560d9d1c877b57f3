"""Shared statuses: one listing for all polled jobs of a project, one request for each end."""

import asyncio
from collections import Counter
from contextlib import ExitStack
from itertools import pairwise
from math import inf

import pytest
from attrs import define, evolve, field, frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlab_jobs_async import (
    ConnectionFailedError,
    DecodeError,
    MethodNotAllowedError,
    NotFoundError,
    PermissionDeniedError,
    PollPolicy,
    RateLimitedError,
    ServerError,
)
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.polling.pace import PollPace
from gitlab_jobs_async.polling.statuses import SharedStatuses
from tests.support.tasks import others

POLICY = PollPolicy()
RUNNING, SUCCESS = JobStatus("running"), JobStatus("success")


@frozen
class Row:
    id: int
    status: JobStatus = RUNNING
    project_id: int = 1


@define
class Server:
    """Jobs of a server by id, and the requests for them; *answer* may delay or fail one."""

    jobs: dict[int, Row]
    clock: "Clock"
    requests: list[str] = field(factory=list)
    answer: asyncio.Event | None = None
    error: Exception | None = None
    refusals: list[Exception] = field(factory=list)
    listing_takes: float = 0.0

    async def get(self, project, subject_id):
        await self._answered(f"get {project} {subject_id}")
        if subject_id not in self.jobs:
            raise NotFoundError(404, "404 Not found", "GET", "/jobs")
        return self.jobs[subject_id]

    async def list_open(self, project, lowest, max_pages):
        await self._answered(f"list {project} {lowest}")
        self.clock.time += self.listing_takes
        if self.refusals:
            raise self.refusals.pop()
        rows = [row for row in self.jobs.values() if not row.status.is_finished]
        return sorted((row for row in rows if row.id >= lowest), key=lambda row: -row.id)[
            : 100 * max_pages
        ]

    async def _answered(self, request):
        self.requests.append(request)
        if self.answer is not None:
            await self.answer.wait()
        if self.error is not None:
            raise self.error


class Clock:
    def __init__(self):
        self.time = 1000.0

    def now(self):
        return self.time


def shared(*ids, rate=inf, listings=inf):
    clock = Clock()
    server = Server({i: Row(i) for i in ids}, clock)
    paces = (PollPace(lambda: rate), PollPace(lambda: listings))
    return SharedStatuses(clock, server, paces), server, clock


async def test_single_job_is_requested_by_id():
    statuses, server, clock = shared(5)
    with statuses.join(1, 5, POLICY) as share:
        assert not share.is_shared
        assert await share.poll() == Row(5)
        assert share.observed == (Row(5), clock.time)
    assert server.requests == ["get 1 5"]


async def test_jobs_of_a_project_share_listings():
    statuses, server, clock = shared(5, 6, 9)
    with ExitStack() as stack:
        shares = [stack.enter_context(statuses.join(1, i, POLICY)) for i in (5, 6, 9)]
        for _ in range(3):
            rows = await asyncio.gather(*(share.poll() for share in shares))
            assert [row.id for row in rows] == [5, 6, 9]
            assert {share.next_at(clock.time) for share in shares} == {clock.time + 5}
            clock.time += 5
    assert server.requests == ["list 1 5"] * 3


async def test_projects_have_listings_of_their_own():
    statuses, server, _ = shared(1, 2, 3, 4)
    with ExitStack() as stack:
        shares = [stack.enter_context(statuses.join(i % 2, i, POLICY)) for i in (1, 2, 3, 4)]
        await asyncio.gather(*(share.poll() for share in shares))
    assert sorted(server.requests) == ["list 0 2", "list 1 1"]


async def test_end_is_proven_by_the_job_itself():
    statuses, server, clock = shared(5, 6)
    with statuses.join(1, 5, POLICY) as one, statuses.join(1, 6, POLICY) as other:
        await one.poll()
        server.jobs[5] = Row(5, SUCCESS)
        clock.time += 5
        assert (await one.poll()).status == SUCCESS
        assert (await other.poll()).status == RUNNING
    assert server.requests == ["list 1 5", "list 1 5", "get 1 5"]


async def test_job_missing_in_the_listing_is_due():
    """The listing that another poll has sent may show by its absence that a job has ended."""
    statuses, server, clock = shared(5, 6)
    with statuses.join(1, 5, POLICY) as one, statuses.join(1, 6, POLICY) as other:
        await one.poll()
        assert other.next_at(clock.time) == clock.time + 5
        server.jobs[6] = Row(6, SUCCESS)
        clock.time += 5
        await one.poll()
        assert one.next_at(clock.time) == clock.time + 5
        assert other.next_at(clock.time) == clock.time
        assert (await other.poll()).status == SUCCESS
        assert other.next_at(clock.time) == clock.time + 5
    assert server.requests == ["list 1 5", "list 1 5", "get 1 6"]


async def test_deleted_job_is_an_error_of_its_own():
    statuses, server, _ = shared(5, 6)
    del server.jobs[5]
    with statuses.join(1, 5, POLICY) as one, statuses.join(1, 6, POLICY) as other:
        assert (await other.poll()).id == 6
        with pytest.raises(NotFoundError):
            await one.poll()


async def test_job_below_the_listing_is_polled_alone():
    """A page costs no more than the job's own request, ten pages would."""
    statuses, server, clock = shared(*range(1, 1001))
    with statuses.join(1, 1, POLICY) as old, statuses.join(1, 999, POLICY) as new:
        assert old.is_shared
        assert (await old.poll(), (await new.poll()).id) == (Row(1), 999)
        assert (old.is_shared, new.is_shared) == (False, True)
        clock.time += 5
        await asyncio.gather(old.poll(), new.poll())
        assert sorted(server.requests) == ["get 1 1"] * 2 + ["list 1 1"] * 2
        # It may have become one of the newest since.
        clock.time += 60
        assert old.is_shared
        server.jobs = {1: Row(1), 999: Row(999)}
        await old.poll()
        assert old.is_shared
    assert server.requests[-1] == "list 1 1"


async def test_listing_of_pages_claims_them_all():
    statuses, _, clock = shared(*range(1, 301), rate=1.0)
    with ExitStack() as stack:
        shares = [stack.enter_context(statuses.join(1, i, POLICY)) for i in range(1, 301)]
        await shares[0].poll()
        assert statuses._paces[0].demand == pytest.approx(3 / 5)
        assert shares[0].next_at(clock.time) == clock.time + 5
    assert statuses._paces[0].demand == 0


async def test_single_poll_skips_the_listing():
    statuses, server, _ = shared(5, 6)
    with statuses.join(1, 5, POLICY) as one, statuses.join(1, 6, POLICY):
        await one.poll(single=True)
    assert server.requests == ["get 1 5"]


async def test_failed_listing_fails_all_that_wait():
    statuses, server, clock = shared(5, 6, 7)
    server.error = ServerError(502, "bad gateway", "GET", "/jobs")
    with ExitStack() as stack:
        shares = [stack.enter_context(statuses.join(1, i, POLICY)) for i in (5, 6, 7)]
        found = await asyncio.gather(*(s.poll() for s in shares), return_exceptions=True)
        assert found == [server.error] * 3
        assert server.requests == ["list 1 5"]
        server.error = None
        clock.time += 1
        assert (await shares[2].poll()).id == 7


REFUSALS = [
    PermissionDeniedError(403, "403 Forbidden", "GET", "/jobs"),
    NotFoundError(404, "404 Not Found", "GET", "/jobs"),
    MethodNotAllowedError(405, "405 Method Not Allowed", "GET", "/jobs"),
]


@pytest.mark.parametrize("error", REFUSALS, ids=lambda error: str(error.status))
async def test_refused_listing_leaves_single_polls(error):
    """The error is one of the listing, and says nothing about any job."""
    statuses, server, clock = shared(5, 6)
    server.refusals = [error]
    with statuses.join(1, 5, POLICY) as one, statuses.join(1, 6, POLICY) as other:
        for _ in range(3):
            rows = await asyncio.gather(one.poll(), other.poll())
            assert [row.id for row in rows] == [5, 6]
            assert not one.is_shared
            assert statuses._paces[1].demand == 0
            clock.time += 5
        assert Counter(request.split()[0] for request in server.requests) == {"list": 1, "get": 6}
        clock.time += 3600
        assert one.is_shared


@pytest.mark.parametrize(
    "error",
    [
        ServerError(500, "500 Internal Server Error", "GET", "/jobs"),
        DecodeError("not JSON", "GET", "/jobs"),
        ConnectionFailedError("reset", "GET", "/jobs"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_failing_listing_leaves_single_polls(error):
    statuses, server, clock = shared(5, 6)
    server.refusals = [error, error]
    with statuses.join(1, 5, POLICY) as one, statuses.join(1, 6, POLICY):
        with pytest.raises(type(error)):
            await one.poll()
        clock.time += 5
        assert (await one.poll()).id == 5
        assert server.requests == ["list 1 5", "list 1 5", "get 1 5"]
        assert not one.is_shared
        clock.time += 60
        assert (await one.poll()).id == 5
        assert server.requests[3:] == ["list 1 5"]
        assert one.is_shared


async def test_rate_limit_asks_no_more_singly():
    statuses, server, clock = shared(5, 6)
    server.refusals = [RateLimitedError(429, "Retry later", "GET", "/jobs") for _ in range(3)]
    with statuses.join(1, 5, POLICY) as one, statuses.join(1, 6, POLICY):
        for _ in range(3):
            with pytest.raises(RateLimitedError):
                await one.poll()
            clock.time += 5
    assert server.requests == ["list 1 5"] * 3


async def test_slow_listing_is_used_once():
    statuses, server, _ = shared(5, 6)
    server.listing_takes = 30.0
    with statuses.join(1, 5, POLICY) as one, statuses.join(1, 6, POLICY):
        assert (await one.poll()).id == 5
    assert server.requests == ["list 1 5"]


async def test_cancelled_sender_leaves_others_waiting():
    """The next of those that wait sends the listing again."""
    statuses, server, _ = shared(5, 6, 7)
    server.answer = asyncio.Event()
    before = await others()
    with ExitStack() as stack:
        shares = [stack.enter_context(statuses.join(1, i, POLICY)) for i in (5, 6, 7)]
        polls = [asyncio.ensure_future(share.poll()) for share in shares]
        await asyncio.sleep(0)
        polls[0].cancel()
        await asyncio.wait([polls[0]])
        assert polls[0].cancelled()
        server.answer.set()
        assert [(await poll).id for poll in polls[1:]] == [6, 7]
    assert server.requests == ["list 1 5"] * 2
    assert await others() == before


async def test_all_cancelled_leave_nothing():
    statuses, server, _ = shared(5, 6)
    server.answer = asyncio.Event()
    before = await others()
    with statuses.join(1, 5, POLICY) as one, statuses.join(1, 6, POLICY) as other:
        polls = [asyncio.ensure_future(share.poll()) for share in (one, other)]
        await asyncio.sleep(0)
        for poll in polls:
            poll.cancel()
        await asyncio.wait(polls)
        server.answer = None
        assert (await one.poll()).id == 5
    assert await others() == before


async def test_path_and_id_become_one_project():
    statuses, server, clock = shared(5, 6)
    with statuses.join("group/app", 5, POLICY) as named, statuses.join(1, 6, POLICY) as numbered:
        assert not named.is_shared
        await named.poll()
        assert named.is_shared
        assert numbered.is_shared
        clock.time += 5
        await asyncio.gather(named.poll(), numbered.poll())
        with statuses.join("group/app", 5, POLICY) as again:
            assert again.group is named.group
    assert server.requests == ["get group/app 5", "list 1 5"]
    assert not statuses._groups
    assert not statuses._numbers
    assert not statuses._by_id


async def test_rows_for_other_purposes_are_observed():
    statuses, server, clock = shared(5)
    with statuses.join(1, 5, POLICY) as share:
        statuses.learn([Row(5, SUCCESS), Row(99)], clock.time)
        assert share.observed == (Row(5, SUCCESS), clock.time)
        statuses.learn([Row(5)], clock.time - 1)
        assert share.observed == (Row(5, SUCCESS), clock.time)
    assert server.requests == []


async def test_listings_stretch_with_their_own_limit():
    """Two projects want 24 listings a minute, and 12 are allowed."""
    statuses, _, clock = shared(1, 2, 3, 4, listings=12 / 60)
    with ExitStack() as stack:
        shares = [stack.enter_context(statuses.join(i % 2, i, POLICY)) for i in (1, 2, 3, 4)]
        await asyncio.gather(*(share.poll() for share in shares))
        assert {share.next_at(clock.time) - clock.time for share in shares} == {10}
    assert statuses._paces[1].demand == 0


async def test_most_frequent_policy_sets_the_listing():
    statuses, _, clock = shared(1, 2)
    with statuses.join(1, 1, PollPolicy(interval=30)) as slow:
        with statuses.join(1, 2, PollPolicy(interval=2)):
            await slow.poll()
            assert slow.next_at(clock.time) == clock.time + 2
        assert not slow.is_shared


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 6), st.integers(0, 2), st.floats(0, 12)), max_size=40),
    st.integers(2, 6),
)
def test_listings_keep_their_interval(steps, count):
    """Poll in any order while jobs end: no status is wrong, and no listing is too early."""

    async def run():
        statuses, server, clock = shared(*range(1, count + 1))
        listed = []
        with ExitStack() as stack:
            shares = [stack.enter_context(statuses.join(1, i, POLICY)) for i in range(1, count + 1)]
            for number, action, seconds in steps:
                clock.time += seconds
                share = shares[(number - 1) % count]
                job_id = share.subject_id
                if action == 0:
                    server.jobs[job_id] = evolve(server.jobs[job_id], status=SUCCESS)
                before = len(server.requests)
                row = await share.poll()
                sent = Counter(request.split()[0] for request in server.requests[before:])
                assert sent["list"] <= 1
                assert sent["get"] <= 1
                if sent["list"]:
                    listed.append(clock.time)
                # A final status is always true, and an unfinished one at most an interval old.
                truth = server.jobs[job_id].status
                assert row.status == truth or (row.status == RUNNING and not sent["get"])
                assert not sent["list"] or row.status == truth
        gaps = [b - a for a, b in pairwise(listed)]
        assert all(gap >= 5 - 1e-9 for gap in gaps)

    asyncio.run(run())


async def test_rows_without_project_join_no_other():
    statuses, server, _ = shared(5, 6)
    server.jobs = {i: Row(i, project_id=0) for i in (5, 6)}
    with statuses.join("group/app", 5, POLICY) as one, statuses.join("group/lib", 6, POLICY) as two:
        await one.poll()
        await two.poll()
        assert not one.is_shared
        assert not two.is_shared
