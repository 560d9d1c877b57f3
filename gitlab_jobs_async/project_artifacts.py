"""Artifacts of one project's jobs; `Project` inherits all of it."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

from attrs import frozen

from gitlab_jobs_async.api import endpoints
from gitlab_jobs_async.api.responses import check_archive, check_complete
from gitlab_jobs_async.listing.fetch import iter_unordered
from gitlab_jobs_async.models.artifacts import ArtifactEntry
from gitlab_jobs_async.project_files import ProjectFiles


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

    async def list_artifacts(
        self, job_id: int, *, path: str = "", recursive: bool = False
    ) -> list[ArtifactEntry]:
        """Return the entries of the archive below *path*, or all levels if *recursive*; GitLab 19.

        Follows lib/api/ci/job_artifacts.rb.
        """
        request = endpoints.list_artifacts(self.id, job_id, path=path, recursive=recursive)
        rows = iter_unordered(self._transport, request, ArtifactEntry)
        return [entry async for entry in rows]
