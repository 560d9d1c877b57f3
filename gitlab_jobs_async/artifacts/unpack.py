"""Unpack an archive in a thread, into a directory that appears only when it is complete."""

import asyncio
import io
import os
import shutil
import threading
import zipfile
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import mkdtemp

from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.artifacts.download import download_archive
from gitlab_jobs_async.artifacts.files import ArtifactDownload
from gitlab_jobs_async.artifacts.members import Member, Output, UnpackLimits, plan_outputs
from gitlab_jobs_async.errors import ArchiveError
from gitlab_jobs_async.http.transport import Transport

_PIECE = 256 * 1024
# Bytes of the central directory for each entry that is allowed: a name and some extra fields.
_DIRECTORY_ENTRY = 512
# What zipfile raises for archives that are not valid.
_INVALID = (
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OverflowError,
    RuntimeError, UnicodeDecodeError,
)  # fmt: skip


class _StoppedError(Exception):
    """The caller was cancelled."""


async def download_and_unpack(
    transport: Transport, request: Request, directory: str | os.PathLike[str], limits: UnpackLimits
) -> ArtifactDownload:
    """Download the archive of *request* and unpack it to *directory*, which is new or empty.

    Raises:
        FileExistsError: *directory* is something else.
        ArchiveError: the archive is corrupt, unsafe or exceeds *limits*.
        GitLabError: the download failed.
    """
    target = Path(directory)
    _check_vacant(target)
    async with _staging(target) as stage:
        archive, content = stage / "artifacts.zip", stage / "content"
        downloaded = await download_archive(transport, request, archive)
        await _in_thread(partial(_unpack, archive, content, limits))
        _move(content, target)
    return ArtifactDownload(path=target, size=downloaded.size, sha256=downloaded.sha256)


def _check_vacant(target: Path) -> None:
    if not target.is_symlink() and not target.exists():
        return
    # A link would let the archive be written elsewhere.
    if target.is_symlink() or not target.is_dir() or any(target.iterdir()):
        raise FileExistsError(f"directory {str(target)!r}: expected a new or an empty directory")


def _move(content: Path, target: Path) -> None:
    _check_vacant(target)
    if target.exists():
        target.rmdir()  # Windows renames to no existing directory
    content.rename(target)


@asynccontextmanager
async def _staging(target: Path) -> AsyncIterator[Path]:
    """Yield a temporary directory beside *target*, which is removed at the end."""
    stage = _new_stage(target)
    try:
        yield stage
    finally:
        await _in_thread(lambda _stop: shutil.rmtree(stage, ignore_errors=True))


def _new_stage(target: Path) -> Path:
    place = target.absolute()
    try:
        # Beside it, since a rename does not cross file systems.
        return Path(mkdtemp(dir=place.parent, prefix=f".{place.name}."))
    except OSError as error:  # name the user's directory, not the temporary one
        raise OSError(error.errno, error.strerror, str(target)) from error


async def _in_thread(work: Callable[[threading.Event], None]) -> None:
    """Run *work* in a thread; a cancellation sets its event, and then waits for its end."""
    stop = threading.Event()
    running = asyncio.get_running_loop().run_in_executor(None, work, stop)
    cancelled = None
    while not running.done():
        try:
            await asyncio.wait([running])
        except asyncio.CancelledError as error:
            cancelled = error
            stop.set()
    if cancelled is not None:
        running.exception()  # retrieved, else it is logged
        raise cancelled
    running.result()


class _BoundedFile(io.FileIO):
    """An archive whose central directory has a limit: zipfile reads it in one piece."""

    most = 0

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > self.most:
            raise ArchiveError(f"expected a central directory of at most {self.most} bytes")
        return super().read(size) or b""


def _unpack(archive: Path, content: Path, limits: UnpackLimits, stop: threading.Event) -> None:
    try:
        with _BoundedFile(archive) as file:
            file.most = max(limits.max_files * _DIRECTORY_ENTRY, 2 * _PIECE)
            with zipfile.ZipFile(file) as opened:
                _extract(opened, content, limits, stop)
    except _INVALID as error:
        failure = ArchiveError(f"is not a valid zip archive: {error}")
    else:
        return
    # Outside of the handler: the frames of zipfile hold bytes of the archive.
    raise failure


def _extract(
    opened: zipfile.ZipFile, content: Path, limits: UnpackLimits, stop: threading.Event
) -> None:
    entries = opened.infolist()
    members = [
        Member(
            # `filename` ends at a NUL.
            name=entry.orig_filename,
            size=entry.file_size,
            packed=entry.compress_size,
            offset=entry.header_offset,
            flags=entry.flag_bits,
            method=entry.compress_type,
            mode=entry.external_attr >> 16,
        )
        for entry in entries
    ]
    outputs = plan_outputs(members, limits, end=opened.start_dir, is_windows=os.name == "nt")
    content.mkdir()
    for output in outputs:
        if stop.is_set():
            raise _StoppedError
        path = content.joinpath(*output.parts)
        (path if output.is_directory else path.parent).mkdir(parents=True, exist_ok=True)
        if not output.is_directory:
            _write(opened, entries[output.index], path, output, stop)


def _write(
    opened: zipfile.ZipFile,
    entry: zipfile.ZipInfo,
    path: Path,
    output: Output,
    stop: threading.Event,
) -> None:
    # By the umask, so that no setuid bit or foreign permission is taken over.
    created = partial(os.open, mode=0o777 if output.is_executable else 0o666)
    written = 0
    with opened.open(entry) as source, open(path, "xb", opener=created) as out:
        while piece := source.read(_PIECE):
            if stop.is_set():
                raise _StoppedError
            written += len(piece)
            if written > output.size:
                break
            out.write(piece)
    if written != output.size:
        raise ArchiveError(f"is not {output.size} bytes long, as it states", entry.orig_filename)
