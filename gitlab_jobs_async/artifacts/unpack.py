"""Download an archive and unpack it in a thread; nothing is left of a failure."""

import asyncio
import os
import shutil
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.artifacts.download import DownloadProgress, download_archive
from gitlab_jobs_async.artifacts.extraction import extract
from gitlab_jobs_async.artifacts.files import ArtifactDownload, naming
from gitlab_jobs_async.artifacts.members import UnpackLimits
from gitlab_jobs_async.artifacts.placement import (
    check_place,
    merge,
    move_if_new,
    new_stage,
    removed_if_empty,
)
from gitlab_jobs_async.http.transport import Transport


async def download_and_unpack(
    transport: Transport,
    request: Request,
    directory: str | os.PathLike[str],
    limits: UnpackLimits,
    *,
    overwrite: bool = False,
    progress: DownloadProgress | None = None,
) -> ArtifactDownload:
    """Download the archive of *request* and unpack it to *directory*.

    Raises:
        FileExistsError: *directory* has files, and not *overwrite*; or it is a file or a link.
        ArchiveError: the archive is corrupt, unsafe or exceeds *limits*.
        GitLabError: the download failed.
    """
    target = Path(directory)
    check_place(target, overwrite=overwrite)
    with naming(target):
        async with _staging(target) as stage:
            archive, content = stage / "artifacts.zip", stage / "content"
            downloaded = await download_archive(transport, request, archive, progress)
            await _in_thread(partial(_extract, archive, content, limits))
            if not move_if_new(content, target):
                # Not stopped by a cancellation: half of the files would be new.
                await _in_thread(lambda _stop: merge(content, target, overwrite=overwrite))
    return ArtifactDownload(path=target, size=downloaded.size, sha256=downloaded.sha256)


@asynccontextmanager
async def _staging(target: Path) -> AsyncIterator[Path]:
    """Yield a temporary directory for *target*, which is removed at the end."""
    stage = new_stage(target)
    try:
        yield stage
    finally:
        # Nothing is awaited behind the rename: a cancelled call leaves no new directory.
        if not removed_if_empty(stage):
            await _in_thread(lambda _stop: shutil.rmtree(stage, ignore_errors=True))


def _extract(archive: Path, content: Path, limits: UnpackLimits, stop: threading.Event) -> None:
    extract(archive, content, limits, stop)
    archive.unlink()


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
