"""A checkpoint file is private, refused if damaged, and converted from version 1."""

import logging
import os
import sqlite3
import stat

import pytest

from gitlab_jobs_async import CheckpointError, SqliteCheckpoint
from gitlab_jobs_async.monitor.checkpoint.checksums import (
    seal,
    seal_offset,
    unseal,
    unseal_offset,
)

STATES = {"server": b"https://gitlab.example", "project a/b": b'{"jobs":[]}', "job 1": b"\0\xff"}
UNTOLD = [("job/1/0/appeared/running", b'{"a":1}'), ("job/1/1/finished/success", b'{"b":2}')]
OFFSETS = {7: 100, 8: 2**40}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ci.db"


def opened(path):
    store = SqliteCheckpoint(path)
    store.open()
    return store


def fill(path):
    store = opened(path)
    for target, state in STATES.items():
        store.record(target, state, UNTOLD if target == "job 1" else ())
    for job_id, offset in OFFSETS.items():
        store.record_log_offset(job_id, offset)
    store.close()
    return path.read_bytes()


def content(path):
    """Return everything that a monitor reads from the file."""
    store = opened(path)
    try:
        return store.states(), list(store.pending()), {i: store.log_offset(i) for i in OFFSETS}
    finally:
        store.close()


WHOLE = (STATES, UNTOLD, OFFSETS)


def is_right(path, data):
    """Return whether *data* is refused by name; raise if it is read with other content."""
    for beside in ("", "-wal", "-journal"):
        path.with_name(path.name + beside).unlink(missing_ok=True)
    path.write_bytes(data)
    try:
        found = content(path)
    except CheckpointError as error:
        return error.path == str(path) and "\n" not in error.reason
    return found == WHOLE


def flipped(data, place, mask):
    changed = bytearray(data)
    changed[place] ^= mask
    return bytes(changed)


@pytest.mark.parametrize("part", range(4))
def test_flipped_byte_is_refused_or_harmless(path, part):
    """Flip every byte of the page with the schema, and one in five of the others."""
    data = fill(path)
    places = [*range(4096), *(i for i in range(4096, len(data), 5) if data[i])][part::4]
    wrong = [place for place in places if not is_right(path, flipped(data, place, 1 << place % 8))]
    assert wrong == []


@pytest.mark.parametrize("mask", [0xFF, 0x80])
def test_flip_in_the_schema_is_refused(path, mask):
    """Flip other bits in the second half of that page."""
    data = fill(path)
    used = [place for place in range(1, 4096, 2) if data[place]]
    assert [p for p in used if not is_right(path, flipped(data, p, mask))] == []


def test_truncated_file_is_refused(path):
    data = fill(path)
    for size in (*range(1, 200, 7), *range(200, len(data), 509)):
        assert is_right(path, data[:size]), size


def test_every_row_has_a_checksum(path):
    """Overwrite rows, also with the content of another row."""
    fill(path)
    for edit in (
        "UPDATE states SET state = (SELECT state FROM states WHERE target = 'job 1')"
        " WHERE target = 'project a/b'",
        "UPDATE untold SET event = (SELECT event FROM untold WHERE place = 1)",
        "UPDATE logs SET told_to = 5",
        "UPDATE logs SET told_to = (SELECT told_to FROM logs WHERE job_id = 7)",
    ):
        before = path.read_bytes()
        with sqlite3.connect(path) as connection:
            connection.execute(edit)
        connection.close()
        with pytest.raises(CheckpointError, match="does not match its checksum"):
            content(path)
        path.write_bytes(before)


def test_row_changed_while_open_is_refused(path):
    fill(path)
    store = opened(path)
    assert store._connection is not None
    store._connection.execute("UPDATE untold SET event = x'0102030405' WHERE place = 2")
    untold = store.pending()
    assert next(untold) == UNTOLD[0]
    with pytest.raises(CheckpointError, match="corrupt"):
        next(untold)
    store.close()


def old_file(path):
    """Write a file of version 1: the same tables without checksums."""
    connection = sqlite3.connect(path)
    connection.executescript(
        "CREATE TABLE states (target TEXT PRIMARY KEY, state BLOB NOT NULL) WITHOUT ROWID;"
        "CREATE TABLE untold (place INTEGER PRIMARY KEY AUTOINCREMENT,"
        " key TEXT NOT NULL UNIQUE, event BLOB NOT NULL);"
        "CREATE TABLE logs (job_id INTEGER PRIMARY KEY, told_to INTEGER NOT NULL);"
        f"PRAGMA application_id={int.from_bytes(b'glja')}; PRAGMA user_version=1;"
        "PRAGMA journal_mode=WAL"
    )
    connection.executemany("INSERT INTO states VALUES (?, ?)", STATES.items())
    connection.executemany("INSERT INTO untold (key, event) VALUES (?, ?)", UNTOLD)
    connection.executemany("INSERT INTO logs VALUES (?, ?)", OFFSETS.items())
    connection.commit()
    connection.close()


def test_file_of_version_1_is_converted(path):
    old_file(path)
    assert content(path) == WHOLE
    assert content(path) == WHOLE
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
    connection.close()


def test_damaged_file_of_version_1_is_refused(path):
    old_file(path)
    data = path.read_bytes()
    for place in (i for i in range(0, 4096, 3) if data[i]):
        is_right(path, flipped(data, place, 0xA5))


@pytest.mark.skipif(os.name != "posix", reason="file modes are missing")
def test_new_files_are_private(path):
    before = os.umask(0)
    try:
        store = opened(path)
        store.record("a", b"1", [("k", b"x")])
        files = list(path.parent.iterdir())
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in files}
        store.close()
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(["ci.db", "ci.db-wal"], 0o600)


@pytest.mark.skipif(os.name != "posix", reason="file modes are missing")
def test_looser_mode_is_kept_with_one_warning(path, caplog):
    fill(path)
    path.chmod(0o640)
    with caplog.at_level(logging.WARNING, "gitlab_jobs_async"):
        for _ in range(3):
            assert content(path) == WHOLE
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [record.message for record in caplog.records] == [
        f"checkpoint {path}: accessible to other users (mode 0640), chmod 600 prevents it"
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
