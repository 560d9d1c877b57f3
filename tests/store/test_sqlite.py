"""The file of a store is private, refused if damaged, and converted from earlier versions."""

import asyncio
import logging
import os
import sqlite3
import stat

import pytest

from gitlab_jobs_async import SqliteStore, StoreError
from gitlab_jobs_async.clock import SystemClock
from gitlab_jobs_async.store.checksums import seal, seal_offset, unseal, unseal_offset
from gitlab_jobs_async.store.consumer_groups import read
from gitlab_jobs_async.store.leases import claim
from gitlab_jobs_async.store.sqlite_file import FAILURES, failure, open_file
from gitlab_jobs_async.store.sqlite_transactions import run_transaction
from gitlab_jobs_async.store.states import load_offsets, load_states, pending
from gitlab_jobs_async.store.steps import count, set_property
from gitlab_jobs_async.store.values import Batch, Change, LogOffset, Shard
from tests.support.stores import ONE, leased

URL = "https://gitlab.example"
STATES = {"project a/b": b'{"jobs":[]}', "job 1": b"\0\xff"}
UNTOLD = [("job/1/0/appeared/running", b'{"a":1}'), ("job/1/1/finished/success", b'{"b":2}')]
OFFSETS = {7: 100, 8: 2**40}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ci.db"


async def filled(path):
    """Return an open store with content."""
    store = SqliteStore(path)
    await store.open(URL)
    lease = await leased(store)
    events = {"job 1": UNTOLD}
    changes = [Change(name, data, 0, events.get(name, ())) for name, data in STATES.items()]
    offsets = {job_id: LogOffset(offset, 0) for job_id, offset in OFFSETS.items()}
    await store.join("bot")
    await store.record(lease, Batch(changes, offsets=offsets))
    await store.release(lease)
    group = await store.claim("group bot", "test", 10)
    await store.acknowledge(group, "bot", 1)
    await store.release(group)
    return store


def fill(path):
    async def fill():
        await (await filled(path)).close()

    asyncio.run(fill())
    remove_locks(path)
    return path.read_bytes()


def remove_locks(path):
    for file in path.parent.glob("*.lock"):
        file.unlink()


class FoundError(Exception):
    """Everything that was read; as an exception it rolls the transaction back."""


def everything(path, shard, *, group):
    server = yield from set_property("server", URL)
    if server != URL:
        raise StoreError(str(path), "another server")
    lease = yield from claim(shard.lease_name, "test", 10)
    _, states = yield from load_states(lease, shard, "")
    _, offsets, _ = yield from load_offsets(lease, shard)
    events = yield from pending(lease, shard, 0, 1000)
    held = {name: state for name, _, state in states}
    found = held, [(event.key, event.event) for event in events], offsets
    if group:
        unread = yield from read("bot", 0, 1000)
        counters = {}
        for name in ("place", "serial", "hook", "lease"):
            counters[name] = yield from count(name, 0)
        found = *found, unread, counters
    raise FoundError(found)


def content(path, shard=ONE, *, group=False):
    """Return everything that a monitor and a group read from the file, without a loop."""
    try:
        connection = open_file(str(path), 0.0)
        try:
            run_transaction(connection, everything(path, shard, group=group), SystemClock())
        except FoundError as found:
            return found.args[0]
        finally:
            connection.close()
    except FAILURES as error:
        raise failure(str(path), error) from error


FILES = ["ci.db", "ci.db-shm", "ci.db-wal"]
FILES += ["ci.db.group-bot.lock", "ci.db.shard-0-of-1.lock"]
WHOLE = (STATES, UNTOLD, OFFSETS)


def is_right(path, data, whole):
    """Return whether *data* is refused by name; raise if it is read with other content."""
    for beside in ("", "-wal", "-journal"):
        path.with_name(path.name + beside).unlink(missing_ok=True)
    path.write_bytes(data)
    path.chmod(0o600)
    try:
        found = content(path, group=len(whole) > len(WHOLE))
    except StoreError as error:
        return error.name == str(path) and "\n" not in error.reason
    return found == whole


def flipped(data, place, mask):
    changed = bytearray(data)
    changed[place] ^= mask
    return bytes(changed)


@pytest.mark.timeout(60)  # opens 1,700 files: 2 s alone, 20 s on a busy machine
@pytest.mark.parametrize("half", [0, 1])
def test_flipped_byte_is_refused_or_harmless(path, half):
    """Flip bits of every byte that is used, and of a part of the free ones."""
    data = fill(path)
    whole = content(path, group=True)
    assert (whole[0], [event.key for event in whole[3].events]) == (STATES, [UNTOLD[1][0]])
    places = [p for p in range(half, len(data), 2) if data[p] or p < 200 or p % 251 == 0]
    masks = [0xFF, 0x80, 1]
    wrong = [p for p in places if not is_right(path, flipped(data, p, masks[p % 3]), whole)]
    assert wrong == []


def test_truncated_file_is_refused(path):
    data = fill(path)
    for size in (*range(1, 200, 7), *range(200, len(data), 509)):
        assert is_right(path, data[:size], WHOLE), size


def test_every_row_has_a_checksum(path):
    """Overwrite rows, also with the content of another row."""
    fill(path)
    for edit in (
        "UPDATE states SET state = (SELECT state FROM states WHERE name = 'job 1')"
        " WHERE name = 'project a/b'",
        "UPDATE events SET event = (SELECT event FROM events WHERE place = 1)",
        "UPDATE logs SET read_to = x'05'",
        "UPDATE logs SET read_to = (SELECT read_to FROM logs WHERE job_id = 7)",
        "UPDATE states SET route = 1 WHERE name = 'job 1'",
        "UPDATE events SET route = NULL",
        "UPDATE counters SET value = 0",
        "UPDATE consumers SET place = 2",
        "UPDATE consumers SET missed = 'x'",
    ):
        before = path.read_bytes()
        with sqlite3.connect(path) as connection:
            connection.execute(edit)
        connection.close()
        with pytest.raises(StoreError, match="does not match its checksum"):
            content(path, group=True)
        path.write_bytes(before)


def old_file(path, version, states=STATES, events=UNTOLD, offsets=OFFSETS):
    """Write a file of version 1, without checksums, or 2."""
    connection = sqlite3.connect(path)
    connection.executescript(
        "CREATE TABLE states (target TEXT PRIMARY KEY, state BLOB NOT NULL) WITHOUT ROWID;"
        "CREATE TABLE untold (place INTEGER PRIMARY KEY AUTOINCREMENT,"
        " key TEXT NOT NULL UNIQUE, event BLOB NOT NULL);"
        "CREATE TABLE logs (job_id INTEGER PRIMARY KEY, told_to INTEGER NOT NULL);"
        f"PRAGMA application_id={int.from_bytes(b'glja')}; PRAGMA user_version={version};"
        "PRAGMA journal_mode=WAL"
    )
    sealed = seal if version == 2 else lambda _, data: data
    offset = seal_offset if version == 2 else lambda _, offset: offset
    states = states | {"server": URL.encode()}
    rows = [(name, sealed(name, state)) for name, state in states.items()]
    connection.executemany("INSERT INTO states VALUES (?, ?)", rows)
    rows = [(key, sealed(key, event)) for key, event in events]
    connection.executemany("INSERT INTO untold (key, event) VALUES (?, ?)", rows)
    logs = [(job_id, offset(job_id, at)) for job_id, at in offsets.items()]
    connection.executemany("INSERT INTO logs VALUES (?, ?)", logs)
    connection.commit()
    connection.close()


@pytest.mark.parametrize("version", [1, 2])
def test_file_of_old_version_is_converted(path, version):
    old_file(path, version)
    assert content(path) == WHOLE
    assert content(path) == WHOLE
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (3,)
    connection.close()


@pytest.mark.parametrize("version", [1, 2])
def test_damaged_file_of_old_version_is_refused(path, version):
    old_file(path, version)
    data = path.read_bytes()
    for place in (i for i in range(0, 4096, 3) if data[i]):
        is_right(path, flipped(data, place, 0xA5), WHOLE)


@pytest.mark.parametrize("version", [1, 2])
def test_converted_rows_reach_one_shard_of_many(path, version):
    """The projects of a group, their logs and events stay with it, whatever their own names."""
    members = {f"project {number}": b"{}" for number in range(1, 9)}
    of_group = {
        "group shop": b'{"projects":{"shop/a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8}}',
        "log of job 70": b'{"project":7}',
        **members,
    }
    others = {"project x": b"{}", "project y": b"{", "log of job 80": b'{"project":"x"}'}
    states = of_group | others | {"progress 0": b"{}"}
    events = [("job/70/a", b'{"project":7}'), ("job/80/a", b'{"project":"x"}'), ("odd", b"[]")]
    old_file(path, version, states, events, {70: 5, 80: 6})
    found = [content(path, Shard(number, 4)) for number in range(4)]
    assert [shard[0].pop("progress 0") for shard in found] == [b"{}"] * 4
    assert sorted(name for shard in found for name in shard[0]) == sorted(of_group | others)
    assert sorted(key for shard in found for key, _ in shard[1]) == ["job/70/a", "job/80/a", "odd"]
    (group,) = (shard for shard in found if "group shop" in shard[0])
    assert of_group.keys() <= group[0].keys()
    assert events[0] in group[1]
    assert group[2][70] == 5
    (other,) = (shard for shard in found if "project x" in shard[0])
    assert "log of job 80" in other[0]
    assert other[2][80] == 6


@pytest.mark.skipif(os.name != "posix", reason="file modes are missing")
async def test_new_files_are_private(path):
    before = os.umask(0)
    try:
        store = await filled(path)
        files = list(path.parent.iterdir())
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in files}
        await store.close()
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(FILES, 0o600)


@pytest.mark.skipif(os.name != "posix", reason="file modes are missing")
def test_looser_mode_is_kept_with_one_warning(path, caplog):
    fill(path)
    path.chmod(0o640)
    with caplog.at_level(logging.WARNING, "gitlab_jobs_async"):
        for _ in range(3):
            assert content(path) == WHOLE
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [record.message for record in caplog.records] == [
        f"store {path}: accessible to other users (mode 0640), chmod 600 prevents it"
    ]


@pytest.mark.parametrize("name", ["", "a", "ü\ud800"])
@pytest.mark.parametrize("data", [b"", b"x", bytes(1000)])
def test_unseal_returns_what_was_sealed(name, data):
    stored = seal(name, data)
    assert unseal(name, stored) == data
    for other in (stored[:-1], stored + b"\0", b"", None, 5, flipped(stored, 0, 1)):
        with pytest.raises(ValueError, match="does not match its checksum"):
            unseal(name, other)
    with pytest.raises(ValueError, match="does not match its checksum"):
        unseal(name + "b", stored)
    assert unseal_offset(7, seal_offset(7, 2**50)) == 2**50
