"""Artifacts of one project's jobs; `Project` inherits all of it."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from os import PathLike
from typing import Final

from attrs import frozen

from gitlab_jobs_async import artifacts
from gitlab_jobs_async.api import endpoints
from gitlab_jobs_async.api.responses import check_archive, check_complete
from gitlab_jobs_async.listing.fetch import iter_unordered
from gitlab_jobs_async.models.artifacts import ArtifactEntry
from gitlab_jobs_async.project_files import ProjectFiles

MAX_SIZE: Final = 1024**3
"""Bytes that an archive may unpack to by default."""

MAX_FILES: Final = 50_000
"""Files and directories that an archive may unpack to by default."""


@frozen(eq=False, repr=False)
class ProjectArtifacts(ProjectFiles):
    """Artifacts of the jobs of one project: https://docs.gitlab.com/api/job_artifacts/."""

    def stream_artifacts(self, job_id: int) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Stream the artifacts archive: `async with ... as chunks: async for chunk in chunks`.

        Object storage is read without the credentials. `Limits.archive` and `Limits.min_rate`
        apply. See https://docs.gitlab.com/api/job_artifacts/#download-job-artifacts-by-job-id.
        """
        return self._chunks(endpoints.get_artifacts(self.id, job_id), check_archive, "archive")

    async def get_artifact_file(self, job_id: int, path: str) -> bytes:
        """Return one file of the archive, such as "coverage/index.html", as bytes.

        `Limits.archive` applies, or else `Limits.trace`. See https://docs.gitlab.com/api/job_artifacts/#download-a-single-artifact-file-by-job-id.
        """
        request = endpoints.get_artifact_file(self.id, job_id, path)
        return check_complete(await self._transport.send(request, bound="archive"), "a file").body

    def stream_latest_artifacts(
        self, ref: str, *, job: str, search_recent: bool = False
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Stream the archive of the job named *job* in the latest successful pipeline of *ref*.

        *ref* is a branch, a tag or a full ref such as "refs/merge-requests/7/head". With
        *search_recent*, recent successful pipelines are searched where the latest has no such
        artifacts; older servers ignore it. Otherwise as `stream_artifacts`. See https://docs.gitlab.com/api/job_artifacts/#download-job-artifacts-by-reference-name.

        Raises:
            NotFoundError: no successful pipeline of *ref* has a job of that name with artifacts.
        """
        request = endpoints.get_latest_artifacts(self.id, ref, job=job, search_recent=search_recent)
        return self._chunks(request, check_archive, "archive")

    async def get_latest_artifact_file(
        self, ref: str, path: str, *, job: str, search_recent: bool = False
    ) -> bytes:
        """Return one file of the archive that `stream_latest_artifacts` streams, as bytes.

        `Limits.archive` applies, or else `Limits.trace`. See https://docs.gitlab.com/api/job_artifacts/#download-a-single-artifact-file-by-reference-name.

        Raises:
            NotFoundError: as `stream_latest_artifacts`, or the archive has no such file.
        """
        request = endpoints.get_latest_artifact_file(
            self.id, ref, path, job=job, search_recent=search_recent
        )
        return check_complete(await self._transport.send(request, bound="archive"), "a file").body

    async def download_artifacts(
        self,
        job_id: int,
        file: str | PathLike[str],
        *,
        progress: "artifacts.DownloadProgress | None" = None,
    ) -> "artifacts.ArtifactDownload":
        """Download the artifacts archive to *file*; return its size and its SHA-256 checksum.

        The bytes go to a temporary file beside *file*, which replaces it when it is complete. A
        lost connection is resumed where the server supports it (`Range`, `If-Range` and a strong
        ETag or date), else the archive is read again: never a mixture of two archives.
        `RetryPolicy.attempts`, `Limits.archive` and `Limits.min_rate` apply. *progress* is called
        after each piece with the bytes so far and those of the archive, None if unknown. See https://docs.gitlab.com/api/job_artifacts/#download-job-artifacts-by-job-id.

        Raises:
            NotFoundError: the job has no artifacts.
            OSError: *file* cannot be written.
        """
        request = endpoints.get_artifacts(self.id, job_id)
        return await artifacts.download_archive(self._transport, request, file, progress)

    async def download_latest_artifacts(
        self,
        ref: str,
        file: str | PathLike[str],
        *,
        job: str,
        search_recent: bool = False,
        progress: "artifacts.DownloadProgress | None" = None,
    ) -> "artifacts.ArtifactDownload":
        """Download the archive that `stream_latest_artifacts` streams, as `download_artifacts`."""
        request = endpoints.get_latest_artifacts(self.id, ref, job=job, search_recent=search_recent)
        return await artifacts.download_archive(self._transport, request, file, progress)

    async def unpack_artifacts(
        self,
        job_id: int,
        directory: str | PathLike[str],
        *,
        max_size: int = MAX_SIZE,
        max_files: int = MAX_FILES,
        links: "artifacts.Links" = "refuse",
        overwrite: bool = False,
        progress: "artifacts.DownloadProgress | None" = None,
    ) -> "artifacts.ArtifactDownload":
        """Download the archive and unpack it to *directory*, which is new or empty.

        A new directory appears when all of it is complete: after an error or a cancellation,
        nothing is left. *max_size* limits the bytes that are written, *max_files* the files and
        directories. Refused are paths that leave the directory, entries that overlap or collide
        (also where case is ignored), encrypted ones and special files. The download is that of
        `download_artifacts`, whose size and checksum are returned; permissions other than
        "executable" are not taken over. *progress* is called as there.

        *links* says what to do with symbolic links: "refuse" the archive, "skip" them, or "create"
        those that point into the directory, and refuse others.

        With *overwrite*, *directory* may have files. Those of the same name are replaced one by
        one, each atomically, and others stay. Its own links are replaced, never followed.

        Raises:
            ArchiveError: the archive is corrupt or unsafe.
            FileExistsError: *directory* is a file or a link, or has files and not *overwrite*; or
                it has a file where the archive has a directory, or the reverse.
            OSError: a file cannot be written, as on a full disk.
        """
        request = endpoints.get_artifacts(self.id, job_id)
        limits = artifacts.UnpackLimits(max_size, max_files, links)
        return await artifacts.download_and_unpack(
            self._transport, request, directory, limits, overwrite=overwrite, progress=progress
        )

    async def unpack_latest_artifacts(
        self,
        ref: str,
        directory: str | PathLike[str],
        *,
        job: str,
        search_recent: bool = False,
        max_size: int = MAX_SIZE,
        max_files: int = MAX_FILES,
        links: "artifacts.Links" = "refuse",
        overwrite: bool = False,
        progress: "artifacts.DownloadProgress | None" = None,
    ) -> "artifacts.ArtifactDownload":
        """Unpack the archive that `stream_latest_artifacts` streams, as `unpack_artifacts`."""
        request = endpoints.get_latest_artifacts(self.id, ref, job=job, search_recent=search_recent)
        limits = artifacts.UnpackLimits(max_size, max_files, links)
        return await artifacts.download_and_unpack(
            self._transport, request, directory, limits, overwrite=overwrite, progress=progress
        )

    async def list_artifacts(
        self, job_id: int, *, path: str = "", recursive: bool = False
    ) -> list[ArtifactEntry]:
        """Return the entries of the archive below *path*, or all levels if *recursive*; GitLab 19.

        Follows lib/api/ci/job_artifacts.rb.
        """
        request = endpoints.list_artifacts(self.id, job_id, path=path, recursive=recursive)
        rows = iter_unordered(self._transport, request, ArtifactEntry)
        return [entry async for entry in rows]
