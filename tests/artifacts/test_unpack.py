"""Unpack archives to a directory: all of it, or nothing."""

import asyncio
import hashlib
import io
import os
import struct
import threading
import zipfile

import pytest

from gitlab_jobs_async import ArchiveError, NotFoundError
from gitlab_jobs_async.artifacts import extraction, unpack
from gitlab_jobs_async.artifacts.members import Output, UnpackLimits
from gitlab_jobs_async.simulator import Fault
from tests.artifacts.conftest import FILES, STORED, names_in, special, zipped
from tests.support.cancellation import cancel_half_way
from tests.support.connections import open_connections
from tests.support.tasks import others, until

LINK = 0o120777


async def test_archive_is_unpacked(serving, archive, tmp_path):
    async with serving() as (simulator, gitlab):
        simulator.faults.add(Fault(path=STORED, reset="within"))
        shown = []
        done = await gitlab.project(1).unpack_artifacts(
            1, tmp_path / "build", progress=lambda *args: shown.append(args)
        )
    assert shown[-1] == (len(archive), len(archive))
    assert done.path == tmp_path / "build"
    assert (done.size, done.sha256) == (len(archive), hashlib.sha256(archive).hexdigest())
    assert (tmp_path / "build/a/b.bin").read_bytes() == FILES["a/b.bin"]
    assert (tmp_path / "build/c.txt").read_bytes() == b"c"
    assert names_in(tmp_path) == ["build"]


async def test_latest_archive_is_unpacked(gitlab, simulator, tmp_path):
    simulator.world.pipelines[1].status = "success"
    job = simulator.world.jobs[1]
    shown = []
    done = await gitlab.project(1).unpack_latest_artifacts(
        "main", tmp_path / "build", job=job.name, progress=lambda *args: shown.append(args)
    )
    assert shown[-1][0] == done.size
    for path, content in job.artifacts.items():
        assert (tmp_path / "build" / path).read_bytes() == content


async def test_empty_directory_is_replaced(unpacking, tmp_path):
    (tmp_path / "build").mkdir()
    await unpacking(zipped(("a", b"1"), ("b/", b"")))
    assert names_in(tmp_path / "build") == ["a", "b"]


async def test_only_executable_is_taken_over(unpacking, tmp_path):
    entries = [(special("run", 0o104755), b"#!"), (special("data", 0o100666), b"x")]
    await unpacking(zipped(*entries))
    mask = os.umask(0)
    os.umask(mask)
    modes = {path.name: path.stat().st_mode & 0o7777 for path in (tmp_path / "build").iterdir()}
    assert modes == {"run": 0o777 & ~mask, "data": 0o666 & ~mask}


async def test_links_are_left_out_if_asked(unpacking, tmp_path):
    archive = zipped((special("link", LINK), b"/etc"), ("a", b"1"))
    await unpacking(archive, links="skip")
    assert names_in(tmp_path / "build") == ["a"]


async def test_links_are_created_if_asked(unpacking, tmp_path):
    """As in the archives that a runner makes of node_modules and of shared libraries."""
    entries = [
        (special("node_modules/.bin/tool", LINK), b"../tool/cli.js"),
        (special("lib/libx.so", LINK), b"libx.so.1"),
        (special("gone", LINK), b"not/in/the/archive"),
        (special("node_modules/self", LINK), b".."),
        (special("loop", LINK), b"loop"),
        (special("node_modules/tool/cli.js", 0o100755), b"#!"),
        ("lib/libx.so.1", b"so"),
    ]
    await unpacking(zipped(*entries), links="create")
    build = tmp_path / "build"
    assert (build / "node_modules/.bin/tool").read_bytes() == b"#!"
    assert (build / "lib/libx.so").readlink().name == "libx.so.1"
    assert (build / "gone").is_symlink()
    assert (build / "node_modules/self").resolve() == build.resolve()


@pytest.mark.parametrize("target", [b"/etc/passwd", b"..", b"a/../../b", b"x" * 5000, b"", b"\xff"])
async def test_link_outside_leaves_nothing(unpacking, tmp_path, target):
    archive = zipped(("a/b", b"1"), (special("link", LINK), target))
    with pytest.raises(ArchiveError, match="entry 'link' points to"):
        await unpacking(archive, links="create")
    assert not names_in(tmp_path)


async def test_nothing_is_written_through_a_link(unpacking, tmp_path):
    for name in ("link/b", "LINK/b", "link"):
        archive = zipped((special("link", LINK), b"a"), ("a/", b""), (name, b"1"))
        with pytest.raises(ArchiveError, match="collides"):
            await unpacking(archive, links="create")
    assert not names_in(tmp_path)


def lying(archive, size):
    """Return *archive* with another size of its only entry, in both headers."""
    central = archive.index(b"PK\1\2")
    told = bytearray(archive)
    struct.pack_into("<L", told, 22, size)
    struct.pack_into("<L", told, central + 24, size)
    return bytes(told)


ONE = zipped(("a", b"x" * 1000))
THREE = zipped(("a", b"1"), ("b", b"2"), ("c", b"3"))
BAD = {
    "parent": zipped(("../a", b"1")),
    "absolute": zipped(("/tmp/a", b"1")),
    "link": zipped((special("a", LINK), b"/etc"), ("a/b", b"1")),
    "device": zipped((special("a", 0o020666), b"")),
    "duplicate": zipped(("a", b"1"), ("a", b"2")),
    "case": zipped(("a", b"1"), ("A", b"2")),
    "smaller": lying(ONE, 10),
    "larger": lying(ONE, 2000),
    "bomb": zipped(("a", bytes(3_000_000))),
    "text": b"not a zip",
    "empty": b"",
    "cut": ONE[:-30],
    "prefixed": b"#!" + ONE,
    "two": ONE + zipped(("b", b"2")),
    "hidden by a comment": ONE[:-2] + b"\x16\0PK\5\6" + bytes(18),
    "corrupt": ONE[:33] + b"\xff\xff" + ONE[35:],
    "bzip2": zipped(("a", b"1"), compression=zipfile.ZIP_BZIP2),
}


@pytest.mark.parametrize("name", BAD)
async def test_bad_archive_leaves_nothing(unpacking, tmp_path, name):
    with pytest.raises(ArchiveError, match="archive not unpacked"):
        await unpacking(BAD[name], max_size=2_000_000)
    assert not names_in(tmp_path)


async def test_later_corruption_leaves_nothing(unpacking, tmp_path):
    archive = zipped(("a", b"1"), ("b", b"second"), compression=zipfile.ZIP_STORED)
    with pytest.raises(ArchiveError, match="CRC"):
        await unpacking(archive.replace(b"second", b"sekond"))
    assert not names_in(tmp_path)


async def test_name_is_checked_behind_a_nul(unpacking, tmp_path):
    """Only up to the NUL is the name that zipfile shows."""
    with pytest.raises(ArchiveError, match="NUL"):
        await unpacking(zipped(("a!b", b"1")).replace(b"a!b", b"a\0b"))
    assert not names_in(tmp_path)


async def test_data_outside_of_the_archive_is_refused(unpacking, tmp_path):
    archive = bytearray(ONE)
    struct.pack_into("<L", archive, ONE.index(b"PK\1\2") + 20, 500)
    with pytest.raises(ArchiveError, match="outside of the archive"):
        await unpacking(bytes(archive))
    assert not names_in(tmp_path)


async def test_many_entries_are_refused_unread(unpacking, tmp_path):
    """A million bytes of central directory for one file."""
    archive = zipped(*((f"{n:0200}", b"") for n in range(4000)))
    with pytest.raises(ArchiveError, match="central directory of at most"):
        await unpacking(archive, max_files=1)
    assert not names_in(tmp_path)


async def test_entries_are_counted_before_they_are_read(unpacking, monkeypatch):
    """zipfile would make an object of each: 140 MB of 500,000."""
    monkeypatch.setattr(zipfile, "ZipInfo", None)
    with pytest.raises(ArchiveError, match="at most 2 entries, got 3"):
        await unpacking(THREE, max_files=2)


async def test_archives_in_archives_are_files(unpacking, tmp_path):
    await unpacking(zipped(("a.zip", THREE), compression=zipfile.ZIP_STORED), max_files=1)
    assert (tmp_path / "build/a.zip").read_bytes() == THREE


@pytest.mark.parametrize("kind", ["file", "link", "full"])
async def test_directory_in_use_is_refused(gitlab, simulator, tmp_path, kind):
    target = tmp_path / "build"
    (tmp_path / "other").mkdir()
    if kind == "file":
        target.touch()
    elif kind == "link":
        target.symlink_to(tmp_path / "other")
    else:
        target.mkdir()
        (target / "a").symlink_to(tmp_path / "other")
    with pytest.raises(FileExistsError, match="new or an empty directory"):
        await gitlab.project(1).unpack_artifacts(1, target)
    assert not simulator.requests


async def test_directory_filled_meanwhile_is_kept(serving, tmp_path):
    target = tmp_path / "build"

    def fill():
        target.mkdir()
        (target / "mine").touch()

    async with serving() as (simulator, gitlab):
        simulator.faults.add(Fault(path=STORED, effect=fill))
        with pytest.raises(FileExistsError):
            await gitlab.project(1).unpack_artifacts(1, target)
    assert names_in(target) == ["mine"]
    assert names_in(tmp_path) == ["build"]


async def test_missing_parent_is_an_error_at_once(gitlab, simulator, tmp_path):
    with pytest.raises(FileNotFoundError, match="no/build"):
        await gitlab.project(1).unpack_artifacts(1, tmp_path / "no/build")
    assert not simulator.requests


async def test_invalid_limit_is_an_error_at_once(gitlab, simulator, tmp_path):
    with pytest.raises(ValueError, match="max_files must be at least 1, not 0"):
        await gitlab.project(1).unpack_artifacts(1, tmp_path / "build", max_files=0)
    assert not simulator.requests


async def test_missing_artifacts_leave_nothing(gitlab, tmp_path):
    with pytest.raises(NotFoundError):
        await gitlab.project(1).unpack_artifacts(2, tmp_path / "build")
    assert not names_in(tmp_path)


async def test_cancelled_download_leaves_nothing(gitlab, simulator, tmp_path):
    call = gitlab.project(1).unpack_artifacts(1, tmp_path / "build")
    await cancel_half_way(simulator, gitlab, call)
    assert not names_in(tmp_path)


async def test_cancelled_unpacking_stops_its_thread(gitlab, tmp_path, monkeypatch):
    """The thread is held in its first file; after the cancellation it writes no second one."""
    writing, go_on, written = threading.Event(), threading.Event(), []

    def held(_self, output):
        written.append(output)
        writing.set()
        go_on.wait(10)
        return iter([b"x"])

    monkeypatch.setattr(extraction._Extraction, "_pieces", held)
    before = await others()
    task = asyncio.create_task(gitlab.project(1).unpack_artifacts(1, tmp_path / "build"))
    await until(writing.is_set)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    assert not task.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(written) == 1
    assert await others() == before
    assert open_connections(gitlab) == 0
    assert not names_in(tmp_path)


async def test_cancelled_behind_the_rename_returns(gitlab, tmp_path, monkeypatch):
    """Either the call returns, or nothing is left: the clean-up must not be cancelled."""
    move_if_new = unpack.move_if_new

    def moved(*arguments):
        asyncio.get_running_loop().call_soon(task.cancel)
        return move_if_new(*arguments)

    monkeypatch.setattr(unpack, "move_if_new", moved)
    task = asyncio.create_task(gitlab.project(1).unpack_artifacts(1, tmp_path / "build"))
    assert (await task).path == tmp_path / "build"
    assert names_in(tmp_path) == ["build"]


@pytest.mark.parametrize("kind", ["file", "link"])
def test_cancelled_write_stops_within_a_file(tmp_path, kind):
    stop = threading.Event()
    stop.set()
    with zipfile.ZipFile(io.BytesIO(ONE)) as opened:
        limits = UnpackLimits(10_000, 10)
        running = extraction._Extraction(opened, tmp_path, limits, stop)
        output = Output(0, ("a",), kind, 1000, is_executable=False)
        with pytest.raises(extraction.StoppedError):
            list(running._pieces(output))
        for write in (running._write, running._link):
            with pytest.raises(extraction.StoppedError):
                write(output)
    assert not names_in(tmp_path)
