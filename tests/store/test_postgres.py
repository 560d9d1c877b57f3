"""A server that is frozen, ends sessions or only reads is away; connections end with the store."""

import asyncio
import time
from contextlib import contextmanager

import psycopg
import pytest

from gitlab_jobs_async import PostgresStore, StoreAwayError, StoreError, consume
from gitlab_jobs_async.store import postgres as room
from gitlab_jobs_async.store import postgres_transactions, steps
from tests.support.stores import record_jobs
from tests.support.tasks import others


@pytest.fixture
async def store(empty_postgres):
    opened = PostgresStore(empty_postgres)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def admin(empty_postgres):
    with psycopg.connect(empty_postgres, autocommit=True) as connection:
        yield connection


async def test_frozen_client_holds_no_lock_for_long(store, admin, monkeypatch):
    """A process may be stopped between two statements of a transaction."""
    begin = postgres_transactions._BEGIN.replace("2s", "100ms")
    monkeypatch.setattr(postgres_transactions, "_BEGIN", begin)

    def stopped():
        yield steps.Step("UPDATE counters SET value = value WHERE name = 'place'")
        admin.execute("SET statement_timeout TO '4s'")
        admin.execute("UPDATE gitlab_jobs.counters SET value = value WHERE name = 'place'")
        yield steps.Step("SELECT 1")

    with pytest.raises(StoreAwayError, match="idle-in-transaction"):
        await store._run(stopped())
    assert await store.server() is None  # by a new connection


async def test_cancelled_close_is_cancelled(empty_postgres):
    before = await others()
    store = PostgresStore(empty_postgres)
    await store.open()
    await store.wait_for_change(0.05)  # starts the task that listens
    closing = asyncio.create_task(store.close())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait([closing])
    assert closing.cancelled()
    assert await others() == before


async def seconds_of(call):
    began = time.monotonic()
    with pytest.raises(StoreAwayError):
        await call
    return time.monotonic() - began


@contextmanager
def frozen(server):
    server.freeze()
    try:
        yield
    finally:
        server.thaw()


async def test_frozen_server_is_away_in_time(store, postgres, monkeypatch):
    """Calls in flight, and those behind them, fail together; a cancelled one ends at once."""
    monkeypatch.setattr(room, "_TIMEOUT", 0.5)
    await store.wait_for_change(0.05)
    with frozen(postgres):
        calls = [seconds_of(store.claim(name, "me", 10)) for name in "abc"]
        assert all(0.4 < seconds < 1.5 for seconds in await asyncio.gather(*calls))
        assert 0.4 < await seconds_of(store.owners("a")) < 1.5, "it cannot connect"
    await store.claim("a", "me", 10)
    with frozen(postgres):
        call = asyncio.create_task(store.claim("b", "me", 10))
        await asyncio.sleep(0.05)
        began = time.monotonic()
        call.cancel()
        await asyncio.wait([call])
        await store.wait_for_change(0.05)
        await store.close()
        assert time.monotonic() - began < 1.5
        assert call.cancelled()
    await store.open()
    assert await store.owners("") == ["a"]


async def test_server_that_only_reads_is_away(store, admin):
    """As a restart ends sessions, and as a standby refuses to write after a failover."""
    admin.execute("ALTER DATABASE postgres SET default_transaction_read_only = on")
    try:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        for reason in ("terminating connection", "in a read-only transaction"):
            with pytest.raises(StoreAwayError, match=reason):
                await store.claim("a", "me", 10)
    finally:
        admin.execute("ALTER DATABASE postgres RESET default_transaction_read_only")
    assert await store.claim("a", "me", 10)


async def test_table_that_is_being_restored_is_away(store, admin):
    admin.execute("ALTER TABLE gitlab_jobs.leases RENAME TO elsewhere")
    with pytest.raises(StoreAwayError, match="does not exist"):
        await store.claim("a", "me", 10)
    admin.execute("ALTER TABLE gitlab_jobs.elsewhere RENAME TO leases")
    assert await store.claim("a", "me", 10)


async def test_newer_version_is_refused_unchanged(store, admin, empty_postgres):
    admin.execute("UPDATE gitlab_jobs.properties SET value = '4' WHERE name = 'version'")
    older = PostgresStore(empty_postgres)
    with pytest.raises(StoreError, match=r"unsupported version 4 \(expected 3\)"):
        await older.open("https://gitlab.example.com")
    assert await store.server() is None


async def test_notification_ends_a_wait(store, admin, monkeypatch):
    """One of another program, which a pooler may pass on, is ignored."""
    monkeypatch.setattr(room, "_LONGEST_WAIT", 5.0)
    store.poll_seconds = 5.0
    connected = store._connected

    async def listening():
        connection = await connected()
        await connection.execute("LISTEN other")
        return connection

    monkeypatch.setattr(store, "_connected", listening)
    for wait, channel in (
        (store.wait_for_hook(), "gitlab_jobs_hooks"),
        (store.wait_for_change(5.0), "gitlab_jobs"),
    ):
        waiting = asyncio.create_task(wait)
        async with asyncio.timeout(3):
            while not waiting.done():  # until the store listens
                admin.execute("NOTIFY other")
                admin.execute(f"NOTIFY {channel}")
                await asyncio.wait([waiting], timeout=0.05)
        assert not store._listener.done()


async def test_pooler_may_lose_notifications(pooled_postgres):
    store = PostgresStore(pooled_postgres)
    store.poll_seconds = 0.1
    await store.open("https://gitlab.example.com")
    place, _ = await store.hooks(None)
    async with asyncio.timeout(5), consume(store, "bot") as recorded:
        reading = asyncio.create_task(anext(recorded))
        await store.wait_for_hook()
        await store.send_hook(b"hook")
        assert (await store.hooks(place))[1] == [b"hook"]
        await record_jobs(store, 7)
        assert (await reading).event.job.id == 7
    await store.close()
