"""A store that is slow, locked or away keeps no other task of the loop waiting."""

import asyncio
import sqlite3
import threading
import time

import pytest

from gitlab_jobs_async import PostgresStore, SqliteStore
from gitlab_jobs_async.store import postgres as postgres_room
from gitlab_jobs_async.store import sqlite as sqlite_room
from tests.support.loop_blocks import loop_blocks
from tests.support.nodes import Node, add_jobs, serving, until

LONGEST = 0.05


def work_without_pause(seconds):
    began = time.thread_time()
    while time.thread_time() - began < seconds:
        pass


@pytest.mark.parametrize(("block", "seconds"), [(time.sleep, 0.3), (work_without_pause, 0.1)])
def test_step_that_blocks_is_measured(block, seconds):
    async def step():
        block(seconds)

    with loop_blocks() as blocks:
        asyncio.run(step())
    assert LONGEST < blocks.longest < seconds + LONGEST


def test_work_of_another_thread_is_no_block():
    """One call of a C function keeps all other threads from running for a fifth of a second."""

    async def steps():
        other = threading.Thread(target=sum, args=[range(10_000_000)])
        other.start()
        while other.is_alive():  # noqa: ASYNC110 - each turn is measured
            await asyncio.sleep(0)

    with loop_blocks() as blocks:
        asyncio.run(steps())
    assert blocks.longest < LONGEST


async def survive(store, outage):
    """Run a monitor through *outage*, and check that no step of the loop blocks the others."""
    async with serving() as simulator:
        node = Node(simulator, store)
        with loop_blocks() as blocks:
            async with node.running():
                await until(lambda: node.has_scanned)
                first = add_jobs(simulator)
                await until(lambda: node.ended)
                await outage(lambda: first.update(add_jobs(simulator)), node)
                await until(lambda: first <= set(node.ended))
    assert not node.unreachable
    assert blocks.longest < LONGEST, blocks.slowest


@pytest.mark.no_cover("measures time")
async def test_locked_file_blocks_no_loop(tmp_path, monkeypatch):
    """Hold the lock for longer than the store waits."""
    monkeypatch.setattr(sqlite_room, "BUSY_TIMEOUT", 0.5)

    async def lock(add, node):
        other = sqlite3.connect(node.store._path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        add()
        await until(lambda: not node.held)
        await asyncio.sleep(0.7)
        assert not node.held
        other.execute("ROLLBACK")
        other.close()

    await survive(SqliteStore(tmp_path / "ci.db"), lock)


@pytest.mark.timeout(60)  # restarts a server: 5 s alone, 20 s on a busy machine
@pytest.mark.no_cover("measures time")
async def test_server_away_blocks_no_loop(empty_postgres, postgres, monkeypatch):
    monkeypatch.setattr(postgres_room, "_TIMEOUT", 0.5)

    async def freeze_and_crash(add, node):
        postgres.freeze()
        try:
            add()
            await until(lambda: not node.held)
            await asyncio.sleep(0.7)
        finally:
            postgres.thaw()
        await until(lambda: node.held)
        await asyncio.to_thread(postgres.crash)
        try:
            add()
            await until(lambda: not node.held)
        finally:
            postgres.start()
            await asyncio.to_thread(postgres.wait)

    await survive(PostgresStore(empty_postgres), freeze_and_crash)
