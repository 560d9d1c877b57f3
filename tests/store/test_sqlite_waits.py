"""A process never blocks its loop while others write, and knows at once which of them ended."""

import asyncio
import sqlite3
import time

import pytest

from gitlab_jobs_async import SqliteStore, StoreAwayError
from gitlab_jobs_async.store import sqlite, sqlite_file


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ci.db"


@pytest.fixture
async def store(path):
    opened = SqliteStore(path)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def locked(path, store):
    """Return the store while another connection writes, and that connection."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield store, other
    other.close()


async def longest_block(call):
    """Return the longest time in seconds that the loop stood still during *call*."""
    task, longest = asyncio.ensure_future(call), 0.0
    while not task.done():
        began = time.perf_counter()
        await asyncio.sleep(0.001)
        longest = max(longest, time.perf_counter() - began)
    await asyncio.gather(task, return_exceptions=True)
    return longest


@pytest.mark.parametrize("call", ["claim", "prune"])
async def test_lock_of_another_blocks_no_loop(locked, monkeypatch, call):
    store, _ = locked
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT", 0.5)
    calls = {"claim": lambda: store.claim("a", "me", 10), "prune": lambda: store.prune(10)}
    assert await longest_block(calls[call]()) < 0.3
    with pytest.raises(StoreAwayError, match="locked by another process"):
        await calls[call]()


async def test_cancelled_wait_for_a_lock_writes_nothing(locked):
    store, writer = locked
    claim = asyncio.create_task(store.claim("a", "me", 10))
    await asyncio.sleep(0.02)
    claim.cancel()
    await asyncio.wait([claim])
    writer.execute("ROLLBACK")
    assert await store.owners("a") == []


async def test_cancelled_open_leaves_no_connection(path, monkeypatch):
    opened = []
    connect = sqlite.open_file
    monkeypatch.setattr(sqlite, "open_file", lambda *a: opened.append(connect(*a)) or opened[0])
    opening = asyncio.create_task(SqliteStore(path).open())
    await asyncio.sleep(0)
    opening.cancel()
    await asyncio.wait([opening])
    for connection in opened:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("SELECT 1")


async def test_failed_claim_still_knows_who_ended(locked, path, monkeypatch):
    store, writer = locked
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT", 0.05)
    writer.execute("ROLLBACK")
    killed = SqliteStore(path)
    await killed.open()
    await killed.claim("shard", "killed", 1000)
    await killed.close()  # the lease has not been released
    writer.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreAwayError):
        await store.claim("shard", "next", 10)
    writer.execute("ROLLBACK")
    assert (await store.claim("shard", "next", 10)).owner == "next"


async def test_node_that_has_ended_is_no_owner(path, store):
    other = SqliteStore(path)
    await other.open()
    await other.claim("node b", "b", 1000)
    await store.claim("node a", "a", 1000)
    assert await store.owners("node ") == ["node a", "node b"]
    await other.close()  # the lease has not been released
    assert await store.owners("node ") == ["node a"]
    assert [file.name for file in path.parent.glob("*.lock")] == ["ci.db.node-a.lock"]


async def test_owner_that_was_frozen_gives_its_lock_up(path, store):
    other = SqliteStore(path)
    await other.open()
    await store.claim("shard", "frozen", 0)
    await other.claim("shard", "next", 1000)  # expired, so without the lock
    assert await store.claim("shard", "frozen", 10) is None
    await other.claim("shard", "next", 1000)
    await other.close()
    assert (await store.claim("shard", "frozen", 10)).owner == "frozen"


async def test_open_checks_a_file_that_others_write(locked, path, monkeypatch):
    """Let the check take longer than processes wait for each other."""
    _, writer = locked
    steps = []
    value = sqlite_file._value

    def slow(connection, sql):
        if "integrity_check" in sql:
            writer.execute("COMMIT")
            writer.execute("BEGIN IMMEDIATE")  # fails if the check keeps others out
            writer.execute("COMMIT")
            steps.append(sql)
        return value(connection, sql)

    monkeypatch.setattr(sqlite_file, "_value", slow)
    sqlite_file.open_file(str(path), 0.0).close()
    assert steps
