"""Download an archive to a file, and continue after a lost connection."""

import hashlib
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from attrs import define, evolve, field

from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.api.responses import Response
from gitlab_jobs_async.artifacts.files import ArtifactDownload, replacing
from gitlab_jobs_async.artifacts.resumption import Resumption
from gitlab_jobs_async.errors import ConnectionFailedError, ResponseError
from gitlab_jobs_async.http.body_limits import SizeLimit
from gitlab_jobs_async.http.transport import Transport

_log = logging.getLogger("gitlab_jobs_async")

# New bytes after which a lost connection counts as the first one again.
_PROGRESS = 1024 * 1024


DownloadProgress = Callable[[int, int | None], object]
"""A function that is called with the bytes so far and those of the archive, None if unknown."""


async def download_archive(
    transport: Transport,
    request: Request,
    file: str | os.PathLike[str],
    progress: DownloadProgress | None = None,
) -> ArtifactDownload:
    """Download the archive of *request* to *file*, which is replaced only by a complete one.

    *progress* is called after each piece.

    Raises:
        IsADirectoryError: *file* is a directory.
        GitLabError: the download failed.
    """
    target = Path(file)
    with replacing(target) as out:
        download = Download(transport, request, out, progress)
        await download.run()
    return ArtifactDownload(path=target, size=download.size, sha256=download.sha256)


@define(eq=False, repr=False)
class Download:
    """A download to an open file that is seekable and empty."""

    _transport: Transport
    _request: Request
    _out: BinaryIO
    _progress: DownloadProgress | None = None
    _state: Resumption = field(init=False, factory=Resumption)
    _digest: "hashlib._Hash" = field(init=False, factory=hashlib.sha256)

    @property
    def size(self) -> int:
        """Bytes of the archive so far."""
        return self._state.received

    @property
    def sha256(self) -> str:
        """Checksum of these bytes, in hexadecimal digits."""
        return self._digest.hexdigest()

    async def run(self) -> None:
        """Receive the archive; a resumed download is retried as long as it proceeds.

        Raises:
            GitLabError: the download failed.
        """
        attempts, counted_from = 0, 0
        while (lost := await self._receive()) is not None:
            # A server that restarts at 0 each time makes no progress.
            if self.size >= counted_from + _PROGRESS:
                attempts, counted_from = 0, self.size
            attempts += 1
            wait = self._transport.wait_before_retry(attempts, lost)
            if wait is None:
                raise lost
            _log.debug("download lost at byte %d, next in %.1f s: %s", self.size, wait, lost)
            await self._transport.clock.sleep(wait)

    async def _receive(self) -> ConnectionFailedError | None:
        """Receive one response; return the error that interrupted it or its body."""
        resumes = self._state.resumes
        try:
            return await self._receive_body()
        except ResponseError as error:
            # Another, shorter archive, from a server that ignores If-Range.
            if error.status != 416 or not resumes:
                raise
            self._state.refuse()
            reason = f"archive ends before byte {self.size}, which was requested"
            return ConnectionFailedError(reason, error.method, error.url)

    async def _receive_body(self) -> ConnectionFailedError | None:
        request = evolve(self._request, headers=self._state.request_headers())
        async with self._transport.stream(request) as (head, chunks):
            is_continued = self._state.accept(head)
            if head.status == 206 and not is_continued:
                self._state.refuse()
                reason = "partial response does not continue the archive"
                return ConnectionFailedError(reason, head.method, head.url)
            if not is_continued:
                self._restart()
            most = self._transport.limits.archive
            limit = SizeLimit("archive", most, head.method, head.url)
            limit.add(self.size)
            try:
                async for chunk in chunks:
                    limit.add(len(chunk))
                    self._out.write(chunk)
                    self._digest.update(chunk)
                    self._state.received += len(chunk)
                    if self._progress is not None:
                        self._progress(self.size, self._state.total)
            except ConnectionFailedError as error:
                return error
            return self._check_size(head)

    def _check_size(self, head: Response) -> ConnectionFailedError | None:
        """Return an error if a part has another size than it states, as chunked ones may."""
        missing = self._state.missing
        if not missing:
            return None
        if missing < 0:
            self._state.refuse()
        reason = f"archive has {self.size} of {self.size + missing} bytes"
        return ConnectionFailedError(reason, head.method, head.url)

    def _restart(self) -> None:
        self._out.seek(0)
        self._out.truncate()
        self._digest = hashlib.sha256()
