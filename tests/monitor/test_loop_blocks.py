"""A store that is slow, locked or away keeps no other task of the loop waiting."""

import asyncio
import sqlite3
import time

import psycopg
import pytest

from gitlab_jobs_async import PostgresStore, SqliteStore
from gitlab_jobs_async.store import postgres as postgres_room
from gitlab_jobs_async.store import sqlite as sqlite_room
from tests.support.loop_blocks import loop_blocks
from tests.support.nodes import Node, add_jobs, serving, until

LONGEST = 0.05


def test_a_step_that_waits_is_measured():
    async def wait():
        time.sleep(0.08)  # noqa: ASYNC251 - blocks on purpose

    with loop_blocks() as blocks:
        asyncio.run(wait())
    assert 0.07 < blocks.longest < 0.2


async def survive(stores, outage):
    """Run a monitor through *outage*, and return the longest step of the loop.

    A long one is measured again, with another store: what the system causes comes once, what the
    client does each time.
    """
    for store in stores:
        blocks = await survived(store, outage)
        if blocks.longest < LONGEST:
            break
    return blocks


async def survived(store, outage):
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
    return blocks


@pytest.mark.no_cover
async def test_locked_file_blocks_no_loop(tmp_path, monkeypatch):
    """Hold the lock for longer than the store waits."""
    monkeypatch.setattr(sqlite_room, "BUSY_TIMEOUT", 0.5)
    paths = [tmp_path / "ci.db", tmp_path / "again.db"]

    async def lock(add, node):
        other = sqlite3.connect(node.store._path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        add()
        await until(lambda: not node.held)
        await asyncio.sleep(0.7)
        assert not node.held
        other.execute("ROLLBACK")
        other.close()

    blocks = await survive(map(SqliteStore, paths), lock)
    assert blocks.longest < LONGEST, blocks.slowest


@pytest.mark.timeout(60)  # restarts a server: 5 s alone, 20 s on a busy machine
@pytest.mark.no_cover
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

    def stores():
        yield PostgresStore(empty_postgres)
        with psycopg.connect(empty_postgres, autocommit=True) as connection:
            connection.execute("DROP SCHEMA gitlab_jobs CASCADE")
        yield PostgresStore(empty_postgres)

    blocks = await survive(stores(), freeze_and_crash)
    assert blocks.longest < LONGEST, blocks.slowest
