"""Unpack into a directory that has files, with `overwrite`."""

import asyncio
import errno
import os
import threading

import pytest

from gitlab_jobs_async.artifacts import extraction, unpack
from gitlab_jobs_async.artifacts.files import replacing
from gitlab_jobs_async.simulator import Fault
from tests.artifacts.conftest import STORED, names_in, special, zipped
from tests.support.cancellation import cancel_half_way
from tests.support.tasks import others, until

LINK = 0o120777


@pytest.fixture
def target(tmp_path):
    """A directory of files that an archive may replace."""
    place = tmp_path / "build"
    (place / "a").mkdir(parents=True)
    (place / "a/old").write_text("kept")
    (place / "a/same").write_text("before")
    (place / "top").write_text("before")
    return place


async def test_files_are_replaced_and_others_stay(unpacking, target):
    await unpacking(zipped(("a/same", b"1"), ("a/b/c", b"2"), ("top", b"3")), overwrite=True)
    files = {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()}
    assert files == {"a/old", "a/same", "a/b/c", "top"}
    assert (target / "a/same").read_text() == "1"
    assert (target / "a/old").read_text() == "kept"
    assert (target / "top").read_text() == "3"


async def test_directories_keep_their_permissions(unpacking, target):
    target.chmod(0o700)
    (target / "a").chmod(0o711)
    await unpacking(zipped(("a/", b""), ("a/x", b"1")), overwrite=True)
    assert [path.stat().st_mode & 0o777 for path in (target, target / "a")] == [0o700, 0o711]


async def test_links_of_the_directory_are_replaced(unpacking, target, tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("mine")
    (target / "a/link").symlink_to(outside)
    (target / "folder").symlink_to(tmp_path)
    await unpacking(zipped(("a/link", b"new"), ("folder", b"new")), overwrite=True)
    assert outside.read_text() == "mine"
    assert not (target / "a/link").is_symlink()
    assert (target / "folder").read_text() == "new"


@pytest.mark.parametrize("kind", ["link", "file", "directory"])
async def test_conflict_changes_nothing(unpacking, target, tmp_path, kind):
    entry = ("top/x" if kind == "file" else "z/x", b"new")
    if kind == "link":
        (target / "z").symlink_to(tmp_path)
    elif kind == "directory":
        (target / "z/x").mkdir(parents=True)
    with pytest.raises(FileExistsError, match=r"expected a .*, as in the archive"):
        await unpacking(zipped(("a/same", b"new"), entry), overwrite=True)
    assert (target / "a/same").read_text() == "before"
    assert names_in(tmp_path) == ["build"]
    assert not [path for path in names_in(target) if path.startswith(".")]


@pytest.mark.parametrize("kind", ["file", "link", "dangling"])
async def test_target_must_be_a_directory(unpacking, simulator, tmp_path, kind):
    if kind == "file":
        (tmp_path / "build").touch()
    else:
        (tmp_path / "build").symlink_to(tmp_path if kind == "link" else tmp_path / "no")
    with pytest.raises(FileExistsError, match="expected a directory, not a file or link"):
        await unpacking(zipped(("a", b"1")), overwrite=True)
    assert not simulator.requests


async def test_new_directory_may_be_overwritten(unpacking, tmp_path):
    await unpacking(zipped(("a", b"1")), overwrite=True)
    assert names_in(tmp_path / "build") == ["a"]


async def test_empty_directory_keeps_its_identity(unpacking, tmp_path):
    """The root of a file system, or the working directory, can neither be removed nor renamed."""
    place = tmp_path / "build"
    place.mkdir(0o700)
    before = place.stat().st_ino
    await unpacking(zipped(("a/b", b"1")))
    assert (place.stat().st_ino, place.stat().st_mode & 0o777) == (before, 0o700)
    assert names_in(place) == ["a"]
    assert names_in(tmp_path) == ["build"]


async def test_files_come_from_the_same_file_system(serving, target, tmp_path):
    """The directory may be a mount point, such as a volume of a container: no rename leaves it."""
    seen = []

    def note():
        seen.extend([names_in(tmp_path), names_in(target)])

    async with serving() as (simulator, gitlab):
        simulator.faults.add(Fault(path=STORED, effect=note))
        await gitlab.project(1).unpack_artifacts(1, target, overwrite=True)
    beside, inside = seen
    assert beside == ["build"]
    assert inside[0].startswith(".build.")
    assert names_in(target) == ["a", "c.txt", "top"]


async def test_link_that_appears_meanwhile_is_refused(serving, tmp_path):
    """The link is created after the first check, while the archive is downloaded."""
    (tmp_path / "outside").mkdir()

    def appear():
        (tmp_path / "build").symlink_to(tmp_path / "outside")

    async with serving() as (simulator, gitlab):
        simulator.faults.add(Fault(path=STORED, effect=appear))
        with pytest.raises(FileExistsError):
            await gitlab.project(1).unpack_artifacts(1, tmp_path / "build", overwrite=True)
    assert names_in(tmp_path / "outside") == []
    assert names_in(tmp_path) == ["build", "outside"]


async def test_bad_archive_changes_nothing(unpacking, target):
    with pytest.raises(Exception, match="symbolic link"):
        await unpacking(zipped(("top", b"new"), (special("b", LINK), b"top")), overwrite=True)
    assert names_in(target) == ["a", "top"]
    assert (target / "top").read_text() == "before"


async def test_cancelled_download_changes_nothing(gitlab, simulator, target):
    call = gitlab.project(1).unpack_artifacts(1, target, overwrite=True)
    await cancel_half_way(simulator, gitlab, call)
    assert names_in(target) == ["a", "top"]


async def test_cancelled_move_is_completed(unpacking, target, monkeypatch):
    merging, go_on = threading.Event(), threading.Event()
    merge = unpack.merge

    def held(*arguments, **options):
        merging.set()
        go_on.wait(10)
        merge(*arguments, **options)

    monkeypatch.setattr(unpack, "merge", held)
    before = await others()
    archive = zipped(("a/same", b"1"), ("top", b"2"))
    task = asyncio.create_task(unpacking(archive, overwrite=True))
    await until(merging.is_set)
    task.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await others() == before
    assert [(target / name).read_text() for name in ("a/same", "top")] == ["1", "2"]
    assert names_in(target) == ["a", "top"]


async def test_full_disk_is_named(unpacking, target, monkeypatch):
    def write(_extraction, _output):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(extraction._Extraction, "_write", write)
    with pytest.raises(OSError, match="No space left") as full:
        await unpacking(zipped(("a", b"1")), overwrite=True)
    assert full.value.filename == str(target)
    with pytest.raises(OSError, match="No space left") as full:
        with replacing(target / "b"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert full.value.filename == str(target / "b")
