"""A file without a store is refused and left alone; a killed process loses nothing recorded."""

import asyncio
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from gitlab_jobs_async import SqliteStore, StoreError
from gitlab_jobs_async.store.values import Batch, Change
from tests.support.stores import content, leased


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ci.db"


async def opened(path):
    store = SqliteStore(path)
    await store.open()
    return store


def refusal(path):
    """Return the error of opening the file."""
    with pytest.raises(StoreError) as refused:
        asyncio.run(opened(path))
    return refused.value


async def record(store, name, state, events=()):
    lease = await leased(store)
    await store.record(lease, Batch([Change(name, state, 0, events)]))
    await store.release(lease)


@pytest.mark.parametrize("named", ["", ":memory:", "a\0b"])
def test_path_without_a_file_name_is_refused(named):
    with pytest.raises(ValueError, match="expected the path of a file"):
        SqliteStore(named)


def test_path_of_bytes_is_refused():
    with pytest.raises(TypeError, match="expected a str or a path of str"):
        SqliteStore(b"ci.db")


@pytest.mark.parametrize("kind", [str, Path])
async def test_path_may_contain_url_characters(tmp_path, kind):
    odd = tmp_path / "a?b=c#d%20 é.db"
    store = await opened(kind(odd))
    assert store.name == str(odd)
    await store.close()
    assert [file.name for file in tmp_path.iterdir()] == [odd.name]


async def test_empty_file_becomes_a_store(path):
    path.touch()
    store = await opened(path)
    await record(store, "a", b"1")
    await store.close()
    again = await opened(path)
    assert (await content(again)).states == {"a": b"1"}
    await again.close()


def sql(path, *statements):
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def nothing_like_it(path):
    path.write_text("[checkpoint]\n" * 1000)


def short(path):
    path.write_text("a")


def zeros(path):
    path.write_bytes(bytes(8192))


def another_applications(path):
    sql(path, "CREATE TABLE users (name)", "INSERT INTO users VALUES ('root')")


def another_applications_with_wal(path):
    sql(path, "PRAGMA journal_mode=WAL", "CREATE TABLE users (name)")


def another_applications_after_a_kill(path):
    held = path.with_name("held.db")
    connection = sqlite3.connect(held, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE users (name)")
    copy_held(held, path)
    connection.close()


def copy_held(held, path):
    """Copy to *path* what a kill would leave of the open file *held*."""
    shutil.copy(held, path)
    shutil.copy(f"{held}-wal", f"{path}-wal")


async def filled_store(path):
    store = await opened(path)
    lease = await leased(store)
    changes = [Change(f"p{n}", bytes(5000), 0, [(f"k{n}", bytes(900))]) for n in range(50)]
    await store.record(lease, Batch(changes))
    return store


def filled(path):
    async def fill():
        await (await filled_store(path)).close()

    asyncio.run(fill())
    for file in path.parent.glob("*.lock"):
        file.unlink()


def newer(path):
    filled(path)
    sql(path, "PRAGMA user_version=4")


def without_its_tables(path):
    filled(path)
    sql(path, "DROP TABLE logs")


def scribbled(path):
    filled(path)
    scribble(path)


def scribble(path):
    written = bytearray(path.read_bytes())
    written[8192:40960] = random.Random(7).randbytes(32768)
    path.write_bytes(written)


def cut(path):
    filled(path)
    path.write_bytes(path.read_bytes()[:9000])


def killed(path):
    """Write a store with content in its WAL only."""
    held = path.with_name("held.db")
    filled(held)

    async def write():
        store = await opened(held)
        await record(store, "p", b"1", [("k", b"")])
        copy_held(held, path)
        await store.close()

    asyncio.run(write())


def scribbled_after_a_kill(path):
    killed(path)
    scribble(path)


def emptied_after_a_kill(path):
    killed(path)
    path.write_bytes(b"")


def a_directory(path):
    path.mkdir()


def in_no_directory(path):
    path.parent.rmdir()


def in_a_file(path):
    path.parent.rmdir()
    path.parent.touch()


def contents(directory):
    return {
        str(file): file.read_bytes() if file.is_file() else None
        for file in directory.rglob("*")
        if not file.name.endswith("-shm")  # SQLite's index of the -wal file
    }


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (nothing_like_it, "not a SQLite database"),
        (short, "not a SQLite database"),
        (zeros, "not a SQLite database"),
        (another_applications, "database of another application"),
        (another_applications_with_wal, "database of another application"),
        (another_applications_after_a_kill, "database of another application"),
        (newer, "unsupported version 4 (expected 1 to 3)"),
        (without_its_tables, "tables of a store are missing"),
        (scribbled, "corrupt"),
        (scribbled_after_a_kill, "corrupt"),
        (cut, "corrupt"),
        (emptied_after_a_kill, "empty, but ci.db-wal beside it is not"),
        (a_directory, "not a regular file"),
        (in_no_directory, "directory does not exist"),
        (in_a_file, "directory does not exist"),
    ],
)
def test_unusable_file_is_refused_and_unchanged(tmp_path, make, reason):
    path = tmp_path / "own" / "ci.db"
    path.parent.mkdir()
    make(path)
    before = contents(tmp_path)
    refused = refusal(path)
    assert refused.name == str(path)
    assert refused.reason.startswith(reason)
    assert "\n" not in refused.reason
    assert contents(tmp_path) == before


def test_path_refused_by_the_system_is_named(tmp_path):
    assert "name too long" in str(refusal(tmp_path / ("a" * 300))).lower()


def test_wal_of_a_killed_process_is_read(path):
    killed(path)

    async def read():
        store = await opened(path)
        held = await content(store)
        await store.close()
        return held

    held = asyncio.run(read())
    assert held.states["p"] == b"1"
    assert len(held.states) == 51
    assert [key for key, _ in held.pending][-1] == "k"
    assert not path.with_name("ci.db-wal").exists()


async def test_two_stores_share_a_file(path):
    first, second = await opened(path), await opened(path)
    await record(first, "a", b"1", [("k", b"")])
    await record(second, "b", b"2")
    assert (await content(first)).states == {"a": b"1", "b": b"2"}
    await first.close()
    await record(second, "a", b"3")
    assert (await content(second)).states == {"a": b"3", "b": b"2"}
    await second.close()


async def test_locked_file_is_written_later(path):
    """Hold the lock of the file as another process does while it writes."""
    store = await opened(path)
    lease = await leased(store)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    write = asyncio.create_task(store.record(lease, Batch([Change("a", b"1", 0)])))
    await asyncio.sleep(0.05)
    assert not write.done()
    other.execute("COMMIT")
    other.close()
    await write
    await store.release(lease)
    assert (await content(store)).states == {"a": b"1"}
    await store.close()


async def test_full_disk_leaves_no_partial_record(path):
    resource = pytest.importorskip("resource", reason="no limits on files here")
    store = await opened(path)
    await record(store, "a", b"1", [("k", b"x")])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**17, before[1]))
    try:
        with pytest.raises(StoreError, match=r"ci\.db: cannot be read or written") as failed:
            await record(store, "a", b"2", [(f"l{n}", bytes(1000)) for n in range(10_000)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert isinstance(failed.value.__cause__, sqlite3.Error)
    held = await content(store)
    assert (held.states, held.pending) == ({"a": b"1"}, [("k", b"x")])
    await store.close()
    again = await opened(path)
    held = await content(again)
    assert (held.states, held.pending) == ({"a": b"1"}, [("k", b"x")])
    await again.close()


HOLD = """
import asyncio, sys
from gitlab_jobs_async import SqliteStore

async def hold():
    store = SqliteStore(sys.argv[1])
    await store.open()
    await store.claim("shard 0 of 1", "them", 1000)
    print("held", flush=True)
    sys.stdin.read()

asyncio.run(hold())
"""


async def test_lease_of_a_killed_process_is_free(path):
    store = await opened(path)
    with running(HOLD, path) as process:
        assert process.stdout.readline() == b"held\n"
        assert await store.claim("shard 0 of 1", "me", 10) is None
        process.kill()
        assert process.wait() == -signal.SIGKILL
    assert (await store.claim("shard 0 of 1", "me", 10)).epoch == 2
    await store.close()


async def test_killed_process_owns_nothing(path):
    store = await opened(path)
    await store.claim("node me", "me", 1000)
    with running(HOLD.replace("shard 0 of 1", "node them"), path) as process:
        assert process.stdout.readline() == b"held\n"
        assert await store.owners("node ") == ["node me", "node them"]
        process.kill()
        assert process.wait() == -signal.SIGKILL
    assert await store.owners("node ") == ["node me"]
    await store.claim("node me", "me", 0)
    assert await store.owners("node ") == []
    await store.close()


async def test_lease_of_a_frozen_process_expires(path):
    """A frozen owner keeps its lock; who takes its lease without it is not taken for dead."""
    store, third = await opened(path), await opened(path)
    with running(HOLD, path) as process:
        assert process.stdout.readline() == b"held\n"
        process.send_signal(signal.SIGSTOP)
        sql(path, "UPDATE leases SET expires = 0")
        mine = await store.claim("shard 0 of 1", "me", 1000)
        assert mine.epoch == 2
        process.kill()
        process.wait()
    assert await third.claim("shard 0 of 1", "third", 10) is None
    assert (await store.claim("shard 0 of 1", "me", 1000)).epoch == 2
    await store.close()
    assert (await third.claim("shard 0 of 1", "third", 10)).epoch == 3
    await third.close()


def running(script, path):
    return subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


WRITE = """
import asyncio, os, sys
from itertools import count
from gitlab_jobs_async import SqliteStore
from gitlab_jobs_async.store.values import Batch, Change, Shard

async def write():
    store = SqliteStore(sys.argv[1])
    await store.open()
    shard = Shard(0, 1)
    lease = await store.claim(shard.lease_name, str(os.getpid()), 1000)
    held = await store.load(lease, shard)
    last = max(map(int, held.states.values()), default=-1)
    pending = [event.key for event in await store.pending(lease, shard, 0, 10**6)]
    for n in count(last + 1):
        gone = [key for key in pending if int(key.split("/")[0]) < n - 1]
        for key in gone:
            pending.remove(key)
            await store.record(lease, Batch(acknowledged=[key]))
            os.write(1, f"acknowledged {key}\\n".encode())
        keys = [f"{n}/{m}" for m in range(3)]
        events = [(key, b"x" * 999) for key in keys]
        await store.record(lease, Batch([Change(f"p{n % 3}", b"%d" % n, 0, events)]))
        pending += keys
        os.write(1, f"recorded {n}\\n".encode())

asyncio.run(write())
"""
"""A process that acknowledges two records late, and prints each call after it has returned."""


@pytest.mark.timeout(90)  # starts 20 processes: 7 s alone, 35 s on a busy machine
async def test_kill_loses_no_recorded_event(path):
    moments = random.Random(5)
    recorded, acknowledged = -1, []
    for kills in range(1, 21):
        with running(WRITE, path) as process:
            lines = list(islice(process.stdout, moments.randrange(1, 300)))
            process.kill()
            lines += process.stdout.readlines()
        said = [line.decode().split() for line in lines if line.endswith(b"\n")]
        acknowledged += [key for what, key in said if what == "acknowledged"]
        least = max([recorded, *(int(n) for what, n in said if what == "recorded")])

        store = await opened(path)
        held = await content(store)
        await store.close()
        states, pending = held.states, [key for key, _ in held.pending]
        recorded = max(map(int, states.values()))
        assert least <= recorded <= least + 1
        assert states == {f"p{n % 3}": b"%d" % n for n in range(max(0, recorded - 2), recorded + 1)}
        keys = [f"{n}/{m}" for n in range(recorded + 1) for m in range(3)]
        gone = len(keys) - len(pending)
        assert pending == keys[gone:]
        assert acknowledged == [key for key in keys[:gone] if key in set(acknowledged)]
        assert gone - len(acknowledged) <= kills, (
            "each run may be killed between an acknowledgement and its message"
        )
    assert recorded > 20
