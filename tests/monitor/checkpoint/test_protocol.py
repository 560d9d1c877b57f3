"""A checkpoint keeps states and pending events through kills, for one monitor at a time."""

import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import tracemalloc
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gitlab_jobs_async import Checkpoint, CheckpointError, MemoryCheckpoint, SqliteCheckpoint

STORES = ["memory", "sqlite"]


def opened(path):
    store = SqliteCheckpoint(path)
    store.open()
    return store


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ci.db"


@pytest.fixture(params=STORES)
def store(request, path):
    store: Checkpoint = SqliteCheckpoint(path) if request.param == "sqlite" else MemoryCheckpoint()
    store.open()
    yield store
    store.close()


def test_last_recorded_state_is_kept(store):
    store.record("a", b"1", [])
    store.record("b", b"2", [])
    store.record("a", b"3", [])
    assert store.states() == {"a": b"3", "b": b"2"}


def test_events_are_pending_until_acknowledged(store):
    store.record("a", b"1", [("k1", b"x"), ("k2", b"y")])
    store.record("b", b"2", [("k0", b"z")])
    assert list(store.pending()) == [("k1", b"x"), ("k2", b"y"), ("k0", b"z")]
    store.acknowledge("k2")
    store.acknowledge("never was")
    assert list(store.pending()) == [("k1", b"x"), ("k0", b"z")]


def test_pending_key_is_not_recorded_twice(store):
    store.record("a", b"1", [("k", b"first"), ("k", b"again")])
    store.record("b", b"1", [("k", b"later"), ("l", b"")])
    assert list(store.pending()) == [("k", b"first"), ("l", b"")]


def test_pending_ignores_later_events(store):
    store.record("a", b"1", [(f"{n}", b"") for n in range(250)])
    emitted = []
    for key, _ in store.pending():
        emitted.append(key)
        store.acknowledge(key)
        store.record("a", b"2", [(f"new {key}", b"")])
    assert emitted == [f"{n}" for n in range(250)]
    assert [key for key, _ in store.pending()] == [f"new {n}" for n in range(250)]


def test_forgotten_target_keeps_its_events(store):
    store.record("a", b"1", [("k", b"x")])
    store.forget("a")
    store.forget("never was")
    assert store.states() == {}
    assert list(store.pending()) == [("k", b"x")]


def test_log_offsets_are_kept_by_job(store):
    assert store.log_offset(7) is None
    store.record_log_offset(7, 100)
    store.record_log_offset(8, 0)
    store.record_log_offset(7, 5_000_000_000)
    assert (store.log_offset(7), store.log_offset(8)) == (5_000_000_000, 0)
    store.forget_log(7)
    store.forget_log(7)
    assert store.log_offset(7) is None


def test_content_survives_close_and_open(store):
    store.record("a", b"\0\xff", [("k", b"\0\xff")])
    store.record_log_offset(7, 100)
    store.close()
    store.close()
    store.open()
    assert store.states() == {"a": b"\0\xff"}
    assert list(store.pending()) == [("k", b"\0\xff")]
    assert store.log_offset(7) == 100


def test_open_twice_is_refused(store):
    with pytest.raises(CheckpointError, match="in use by another monitor"):
        store.open()
    store.record("a", b"1", [])
    assert store.states() == {"a": b"1"}


@settings(max_examples=40, stateful_step_count=30, deadline=None)
class Restarts(RuleBasedStateMachine):
    """Compare both stores with a dict, closed and opened at any time."""

    keys = st.sampled_from("abcdefgh")
    targets = st.sampled_from(["p", "q", "group/app"])
    events = st.lists(st.tuples(keys, st.binary(max_size=3)), max_size=4)

    @initialize()
    def begin(self):
        self.directory = tempfile.TemporaryDirectory()
        self.path = Path(self.directory.name, "ci.db")
        self.stores = [opened(self.path), MemoryCheckpoint()]
        self.stores[1].open()
        self.states, self.pending, self.offsets = {}, {}, {}

    @rule(of=targets, state=st.binary(max_size=3), events=events)
    def record(self, of, state, events):
        for store in self.stores:
            store.record(of, state, events)
        self.states[of] = state
        for key, event in events:
            self.pending.setdefault(key, event)

    @rule(key=keys)
    def acknowledge(self, key):
        for store in self.stores:
            store.acknowledge(key)
        self.pending.pop(key, None)

    @rule(of=targets)
    def forget(self, of):
        for store in self.stores:
            store.forget(of)
        self.states.pop(of, None)

    @rule(job_id=st.integers(1, 3), offset=st.none() | st.integers(0, 2**40))
    def follow(self, job_id, offset):
        for store in self.stores:
            if offset is None:
                store.forget_log(job_id)
            else:
                store.record_log_offset(job_id, offset)
        self.offsets[job_id] = offset

    @rule()
    def begin_anew(self):
        for store in self.stores:
            store.close()
        self.stores = [opened(self.path), self.stores[1]]
        self.stores[1].open()

    @rule(acknowledged=st.integers(1, 3))
    def tell_the_first(self, acknowledged):
        for store in self.stores:
            for key, _ in islice(store.pending(), acknowledged):
                store.acknowledge(key)
        for key in list(self.pending)[:acknowledged]:
            del self.pending[key]

    @invariant()
    def same(self):
        for store in self.stores:
            assert store.states() == self.states
            assert list(store.pending()) == list(self.pending.items())
            for job_id, offset in self.offsets.items():
                assert store.log_offset(job_id) == offset

    def teardown(self):
        for store in self.stores:
            store.close()
        self.directory.cleanup()


test_store_equals_a_dict_through_restarts = Restarts.TestCase


@pytest.mark.parametrize("named", ["", ":memory:", "a\0b"])
def test_path_without_a_file_name_is_refused(named):
    with pytest.raises(ValueError, match="expected the path of a file"):
        SqliteCheckpoint(named)


def test_path_of_bytes_is_refused():
    with pytest.raises(TypeError, match="expected a str or a path of str"):
        SqliteCheckpoint(b"ci.db")


@pytest.mark.parametrize("kind", [str, Path])
def test_path_may_contain_url_characters(tmp_path, kind):
    odd = tmp_path / "a?b=c#d%20 é.db"
    store = opened(kind(odd))
    store.record("a", b"1", [])
    assert store.path == str(odd)
    store.close()
    assert [file.name for file in tmp_path.iterdir()] == [odd.name]


def test_closed_store_is_refused(path):
    store = SqliteCheckpoint(path)
    with pytest.raises(CheckpointError, match=r"ci\.db: not open"):
        store.states()
    with pytest.raises(CheckpointError, match=r"ci\.db: not open"):
        store.record("a", b"1", [])


def test_empty_file_becomes_a_checkpoint(path):
    path.touch()
    store = opened(path)
    store.record("a", b"1", [])
    store.close()
    assert opened(path).states() == {"a": b"1"}


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


def filled(path):
    store = opened(path)
    for n in range(50):
        store.record(f"p{n}", bytes(5000), [(f"k{n}", bytes(900))])
    return store


def newer(path):
    filled(path).close()
    sql(path, "PRAGMA user_version=3")


def without_its_tables(path):
    filled(path).close()
    sql(path, "DROP TABLE logs")


def scribbled(path):
    filled(path).close()
    scribble(path)


def scribble(path):
    written = bytearray(path.read_bytes())
    written[8192:40960] = random.Random(7).randbytes(32768)
    path.write_bytes(written)


def cut(path):
    filled(path).close()
    path.write_bytes(path.read_bytes()[:9000])


def killed(path):
    """Write a checkpoint with content in its WAL only."""
    held = path.with_name("held.db")
    filled(held).close()
    store = opened(held)
    store.record("p", b"1", [("k", b"")])
    copy_held(held, path)
    store.close()


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
        str(file): file.read_bytes() if file.is_file() else None for file in directory.rglob("*")
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
        (newer, "unsupported version 3 (expected 1 or 2)"),
        (without_its_tables, "tables of a checkpoint are missing"),
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
    with pytest.raises(CheckpointError) as refused:
        opened(path)
    assert refused.value.path == str(path)
    assert refused.value.reason.startswith(reason)
    assert "\n" not in refused.value.reason
    assert contents(tmp_path) == before


def test_path_refused_by_the_system_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="name too long"):
        opened(tmp_path / ("a" * 300))


def test_wal_of_a_killed_process_is_read(path):
    killed(path)
    store = opened(path)
    assert store.states()["p"] == b"1"
    assert len(store.states()) == 51
    assert [key for key, _ in store.pending()][-1] == "k"
    store.close()
    assert not path.with_name("ci.db-wal").exists()


def test_second_store_in_the_process_is_refused(path):
    first = opened(path)
    first.record("a", b"1", [("k", b"")])
    before = contents(path.parent)
    with pytest.raises(CheckpointError, match="in use by another monitor"):
        opened(path)
    link = path.with_name("link.db")
    link.symlink_to(path)
    with pytest.raises(CheckpointError, match="in use by another monitor"):
        opened(link)
    link.unlink()
    assert contents(path.parent) == before
    first.acknowledge("k")
    first.close()
    assert opened(path).states() == {"a": b"1"}


def test_full_disk_leaves_no_partial_record(path):
    resource = pytest.importorskip("resource", reason="no limits on files here")
    store = opened(path)
    store.record("a", b"1", [("k", b"x")])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, before[1]))
    try:
        with pytest.raises(CheckpointError, match=r"ci\.db: cannot be read or written") as failed:
            store.record("a", b"2", [(f"l{n}", bytes(1000)) for n in range(10_000)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert isinstance(failed.value.__cause__, sqlite3.Error)
    assert (store.states(), list(store.pending())) == ({"a": b"1"}, [("k", b"x")])
    store.close()
    again = opened(path)
    assert (again.states(), list(again.pending())) == ({"a": b"1"}, [("k", b"x")])


def test_pending_is_read_in_bounded_memory(path):
    store = opened(path)
    for n in range(0, 100_000, 1000):
        store.record("a", b"1", [(f"job/{n + m}/0/appeared", bytes(200)) for m in range(1000)])
    store.close()
    store = opened(path)
    tracemalloc.start()
    try:
        waiting = sum(1 for _ in store.pending())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    store.close()
    assert waiting == 100_000
    assert peak < 500_000


HOLD = """
import sys
from gitlab_jobs_async import SqliteCheckpoint

store = SqliteCheckpoint(sys.argv[1])
store.open()
store.record("a", b"1", [])
print("held", flush=True)
sys.stdin.read()
"""


def test_second_process_is_refused_until_a_kill(path):
    with running(HOLD, path) as process:
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(CheckpointError, match="in use by another monitor"):
            opened(path)
        process.kill()
        assert process.wait() == -signal.SIGKILL
    assert opened(path).states() == {"a": b"1"}


def running(script, path):
    return subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


WRITE = """
import os, sys
from itertools import count
from gitlab_jobs_async import SqliteCheckpoint

store = SqliteCheckpoint(sys.argv[1])
store.open()
last = max(map(int, store.states().values()), default=-1)
for n in count(last + 1):
    for key, _ in list(store.pending()):
        if int(key.split("/")[0]) < n - 1:
            store.acknowledge(key)
            os.write(1, f"acknowledged {key}\\n".encode())
    store.record(f"p{n % 3}", b"%d" % n, [(f"{n}/{m}", b"x" * 999) for m in range(3)])
    os.write(1, f"recorded {n}\\n".encode())
"""
"""A process that acknowledges two records late, and prints each call after it has returned."""


@pytest.mark.timeout(90)  # starts 20 processes: 7 s alone, 35 s on a busy machine
def test_kill_loses_no_recorded_event(path):
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

        store = opened(path)
        states, pending = store.states(), [key for key, _ in store.pending()]
        store.close()
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
