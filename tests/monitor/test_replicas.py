"""Processes with one store: one is active, another takes over, and shards are divided."""

import asyncio
import time
from contextlib import AsyncExitStack

import pytest

from gitlab_jobs_async import (
    GitLab,
    GroupTarget,
    JobStatus,
    MemoryStore,
    PipelineHook,
    PipelineTarget,
    SqliteStore,
    StoreAwayError,
    consume,
)
from gitlab_jobs_async.events import JobFinished
from gitlab_jobs_async.models.webhooks import HookProject
from gitlab_jobs_async.simulator import JobPlan, PipelinePlan, PlannedJob
from gitlab_jobs_async.store.named import store_named
from gitlab_jobs_async.store.values import route_of
from tests.support.nodes import PROJECTS, Node, add_jobs, serving, until


@pytest.fixture
async def served():
    async with serving() as simulator:
        yield simulator


async def test_standby_takes_over_at_once(served, tmp_path):
    path = tmp_path / "ci.db"
    first, second = Node(served, SqliteStore(path)), Node(served, SqliteStore(path))
    async with first.running() as active:
        await until(lambda: active.has_scanned)
        standby = second.running()
        await standby.__aenter__()
        jobs = add_jobs(served)
        await until(lambda: set(first.ended) == jobs)
        assert not second.held
        assert not second.ended
    try:
        await until(lambda: second.held, 2)
        later = add_jobs(served)
        await until(lambda: later <= set(second.ended))
    finally:
        await standby.__aexit__(None, None, None)


async def test_takeover_loses_no_job(served, tmp_path):
    path = tmp_path / "ci.db"
    first, second = Node(served, SqliteStore(path)), Node(served, SqliteStore(path))
    async with second.running():
        await until(lambda: second.has_scanned)
        jobs = add_jobs(served)
        await until(lambda: second.ended)
    between = add_jobs(served)
    async with first.running():
        later = add_jobs(served)
        await until(lambda: set(first.ended + second.ended) == jobs | between | later)
    assert len(first.ended + second.ended) <= len(jobs | between | later) + 1


async def test_shards_are_divided_and_joined_again(served, tmp_path):
    path = tmp_path / "ci.db"
    nodes = [Node(served, SqliteStore(path), shards=4) for _ in range(2)]
    async with nodes[0].running():
        await until(lambda: len(nodes[0].held) == 4 and nodes[0].has_scanned)
        async with nodes[1].running():
            await until(lambda: len(nodes[0].held) == len(nodes[1].held) == 2)
            jobs = add_jobs(served)
            await until(lambda: set(nodes[0].ended + nodes[1].ended) == jobs)
            assert nodes[0].ended
            assert nodes[1].ended
        await until(lambda: len(nodes[0].held) == 4)
        more = add_jobs(served)
        await until(lambda: set(nodes[0].ended + nodes[1].ended) == jobs | more)
    assert len(nodes[0].ended + nodes[1].ended) == len(jobs | more)


async def test_group_reads_what_the_monitor_recorded(served):
    store = MemoryStore()
    node = Node(served, store)
    async with node.running(), consume(store, "bot") as recorded:
        await until(lambda: node.has_scanned)
        jobs = add_jobs(served)
        ended, keys = set(), []
        async with asyncio.timeout(15):
            async for one in recorded:
                keys.append(one.key)
                if isinstance(one.event, JobFinished) and one.event.is_new:
                    ended.add(one.event.job.id)
                if ended == jobs:
                    break
    assert len(keys) == len(set(keys))
    assert all(key.startswith(served.url.partition("://")[2] + "/") for key in keys)


class AwayStore(MemoryStore):
    """A store that does not answer while it is *away*."""

    poll_seconds = 0.02
    is_away = False

    async def _run(self, transaction):
        if self.is_away:
            transaction.close()
            raise StoreAwayError("here", "no answer")
        return await super()._run(transaction)


async def test_store_away_ends_scans(served, caplog):
    store = AwayStore()
    node = Node(served, store)
    async with node.running():
        await until(lambda: node.has_scanned)
        first = add_jobs(served)
        await until(lambda: set(node.ended) == first)
        store.is_away = True
        await until(lambda: not node.held)
        await asyncio.sleep(0.2)  # requests in flight end
        sent = len(served.requests)
        between = add_jobs(served)
        await asyncio.sleep(0.3)  # a minute of the clock
        assert len(served.requests) == sent
        store.is_away = False
        await until(lambda: set(node.ended) == first | between)
    assert not node.unreachable
    away = [record.message for record in caplog.records if "no answer" in record.message]
    assert away == ["store here: no answer; nothing is monitored until it answers"]


async def test_stale_owner_loses_its_shard(served):
    """Let another process take the lease, as after a freeze, and give it back."""
    store = AwayStore()
    node = Node(served, store)
    async with node.running():
        await until(lambda: node.has_scanned)
        first = add_jobs(served)
        await until(lambda: set(node.ended) == first)
        store._connection.execute("UPDATE leases SET owner = 'them', epoch = epoch + 1")
        await until(lambda: not node.held)
        jobs = add_jobs(served)
        await asyncio.sleep(0.3)
        assert set(node.ended) == first
        store._connection.execute("UPDATE leases SET expires = 0")
        await until(lambda: set(node.ended) == first | jobs)


async def test_hook_reaches_the_process_that_monitors(served, store_address):
    active, standby = (Node(served, store_named(store_address)) for _ in range(2))
    async with active.running():
        await until(lambda: active.held)
        async with standby.running():
            notified = []
            poller = active.monitor._shards.get(0).poller
            poller.notify = notified.append
            project = HookProject(path_with_namespace=PROJECTS[0])
            hook = PipelineHook(
                project_id=1, pipeline_id=9, status=JobStatus.RUNNING, project=project
            )
            await asyncio.sleep(0.3)  # the database is listened to
            began = time.monotonic()
            assert standby.monitor.notify(hook)
            await until(lambda: notified)
    # PostgreSQL says so; each side would ask once a second.
    assert time.monotonic() - began < 0.7
    assert notified[0].project_path == PROJECTS[0]


async def test_targets_that_are_over_end_every_process(served, tmp_path):
    """Both processes end once the only pipeline is over, whichever has monitored it."""
    path = tmp_path / "ci.db"
    served.world.settle(served.clock.now())
    pipeline = served.world.add_pipeline(served.world.project(PROJECTS[0]))
    served.world.add_job(pipeline, "unit", plan=JobPlan(duration=120.0))

    async def watch():
        async with GitLab(served.url, auth=served.token, clock=served.clock) as gitlab:
            target = PipelineTarget(PROJECTS[0], pipeline.id)
            async with gitlab.monitor([target], checkpoint=SqliteStore(path), shards=2) as events:
                return [event async for event in events]

    async with asyncio.timeout(15):
        lives = await asyncio.gather(watch(), watch())
    assert sum(isinstance(event, JobFinished) for life in lives for event in life) == 1


async def test_shards_need_a_store(served, tmp_path):
    async with GitLab(served.url, auth=served.token) as gitlab:
        with pytest.raises(ValueError, match="invalid shards 2: expected a checkpoint"):
            gitlab.monitor(PROJECTS, shards=2)
        for shards in (0, "2"):
            with pytest.raises((TypeError, ValueError), match="shards"):
                gitlab.monitor(PROJECTS, checkpoint=tmp_path / "ci.db", shards=shards)


async def test_many_hooks_keep_no_lease_from_renewal(served):
    class HookStore(AwayStore):
        sent = 0

        async def send_hook(self, hook):
            self.sent += 1
            await super().send_hook(hook)

    store = HookStore()
    active, standby = Node(served, store), Node(served, store)
    async with active.running(), standby.running():
        for number in range(500):
            hook = PipelineHook(project_id=5, pipeline_id=number % 250, status=JobStatus.RUNNING)
            standby.monitor.notify(hook)
        await until(lambda: store.sent)
        await asyncio.sleep(0.1)
        assert store.sent == 100


@pytest.mark.parametrize(
    "name", ["group shop/a", "group Shop/b/c without subgroups", "group shop without subgroups"]
)
def test_groups_that_may_overlap_share_a_shard(name):
    assert route_of(name) == route_of("group shop")
    assert route_of(name) != route_of("group 17")


async def test_groups_by_id_are_refused_beside_others(served, tmp_path):
    """The path of a group by id is unknown, so it might overlap with one in another shard."""
    path = tmp_path / "ci.db"
    async with GitLab(served.url, auth=served.token, clock=served.clock) as gitlab:
        for targets in (
            [GroupTarget(1), GroupTarget("shop")],
            [GroupTarget("shop"), GroupTarget(1)],
        ):
            with pytest.raises(ValueError, match=r"invalid target GroupTarget\(group=1.*path"):
                async with gitlab.monitor(targets, checkpoint=path, shards=2):
                    pass
            async with gitlab.monitor(targets, checkpoint=path):
                pass
        async with gitlab.monitor([GroupTarget(1), "shop/p1"], checkpoint=path, shards=2) as events:
            with pytest.raises(ValueError, match="several groups and shards"):
                events.add(GroupTarget("ops"))


async def test_overlapping_groups_poll_projects_once(served, tmp_path):
    for path in ("shop/deep/a", "shop/deep/b"):
        served.world.add_finished_jobs(served.world.add_project(path), 3)
    targets = [GroupTarget("shop"), GroupTarget("shop/deep"), "shop/deep/a"]
    async with (
        GitLab(served.url, auth=served.token, clock=served.clock) as gitlab,
        gitlab.monitor(targets, checkpoint=tmp_path / "ci.db", shards=16) as events,
    ):
        consumer = asyncio.create_task(anext(events))
        await until(lambda: len(events) >= len(PROJECTS) + 2)
        await asyncio.sleep(0.3)
        assert len(events) == len(PROJECTS) + 2
        consumer.cancel()
        await asyncio.wait([consumer])


async def test_cancelled_start_gives_its_shard_up(served):
    class SlowStore(MemoryStore):
        is_loading = False

        async def load(self, *_):
            self.is_loading = True
            await asyncio.Event().wait()

    store = SlowStore()
    node = Node(served, store).running()
    start = asyncio.create_task(node.__aenter__())
    await until(lambda: store.is_loading)
    assert await store.owners("shard") == ["shard 0 of 1"]
    start.cancel()
    await asyncio.wait([start])
    assert start.cancelled()
    assert await store.owners("shard") == []


async def test_targets_change_while_the_store_is_away(served):
    store = AwayStore()
    node = Node(served, store, 2, PROJECTS[:-1])
    async with node.running():
        await until(lambda: len(node.held) == 2 and node.has_scanned)
        first = add_jobs(served)
        await until(lambda: len(node.ended) == len(PROJECTS) - 1)
        store.is_away = True
        await until(lambda: not node.held)
        assert node.monitor.remove(PROJECTS[0])
        assert not node.monitor.remove(PROJECTS[-1])
        node.monitor.add(PROJECTS[-1])
        store.is_away = False
        await until(lambda: len(node.held) == 2 and node.has_scanned)
        second = add_jobs(served)
        await until(lambda: len(node.ended) >= 2 * len(PROJECTS) - 2)
        store.is_away = True
        node.monitor.stop()
        await until(lambda: node.is_over)
        store.is_away = False
    removed, added = min(second), max(first)
    assert set(node.ended) == (first | second) - {removed, added}
    assert not node.unreachable


class SetClock:
    """The clock of a store, which is set *ahead* of another one."""

    def __init__(self, clock):
        self.clock, self.ahead = clock, 0.0
        self.sleep = clock.sleep

    def now(self):
        return self.clock.now() + self.ahead


async def test_group_is_told_what_a_week_has_deleted(served):
    clock = SetClock(served.clock)
    store, node = MemoryStore(clock=clock), None
    await store.open()
    await store.join("bot")
    node = Node(served, store)
    async with node.running():
        await until(lambda: node.has_scanned)
        old = add_jobs(served)
        await until(lambda: set(node.ended) == old)
        clock.ahead = 8 * 24 * 3600.0
        await until(lambda: store._connection.execute("SELECT missed FROM consumers").fetchone()[0])
        new = add_jobs(served)
        await until(lambda: set(node.ended) == old | new)
        found, missed = set(), []
        async with consume(store, "bot") as recorded, asyncio.timeout(5):
            while found != new:
                one = await anext(recorded)
                missed.append(one.missed)
                if isinstance(one.event, JobFinished):
                    found.add(one.event.job.id)
    assert missed[0] >= 2 * len(old)
    assert not any(missed[1:])


LOG = b"".join(b"line %d\n" % number for number in range(100))


@pytest.mark.parametrize("is_group", [False, True])
async def test_logs_and_downstream_move_with_shards(served, tmp_path, is_group):
    """Change the number of shards, and processes, while jobs run and write logs."""
    served.world.add_project("lib/core")
    served.world.settle(served.clock.now())
    path, nodes = tmp_path / "ci.db", []
    targets = [GroupTarget("shop")] if is_group else PROJECTS

    async def work(shards, processes, is_enough):
        """Run monitors side by side until *is_enough*."""
        async with AsyncExitStack() as running:
            for _ in range(processes):
                store = SqliteStore(path)
                node = Node(served, store, shards, targets, logs=True, downstream=True)
                nodes.append(await running.enter_async_context(node.running()))
            await until(lambda: sum(len(n.held) for n in nodes[-processes:]) == shards)
            await until(is_enough)

    def ended():
        return [job for node in nodes for job in node.ended]

    def lines():
        return [line for node in nodes for line in node.lines]

    await work(1, 1, lambda: nodes[-1].has_scanned)
    plan = JobPlan(duration=700.0, log=LOG, first_upload=5.0, upload_interval=5.0)
    for name in PROJECTS[:3]:
        pipeline = served.world.add_pipeline(served.world.project(name))
        served.world.add_job(pipeline, "long", plan=plan)
        child = PipelinePlan(jobs=(PlannedJob("sub", plan=plan),), project="lib/core")
        served.world.add_bridge(pipeline, "trigger", downstream=child)
    for shards, processes, number in ((1, 1, 40), (4, 2, 200), (3, 1, 400)):
        await work(shards, processes, lambda number=number: len(lines()) > number)
    await work(1, 2, lambda: len(ended()) >= 9 and len(lines()) >= 600)
    assert len(ended()) == len(set(ended())) == 9
    assert len({job for job, _ in lines()}) == 6
    # The last line before a move was not acknowledged.
    assert 600 <= len(lines()) <= 610
    assert len(set(lines())) == 600
