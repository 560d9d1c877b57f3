"""Find the newest pipeline of a ref, a commit or a merge request."""

from collections.abc import Iterable
from typing import Final

from gitlab_jobs_async.api import endpoints
from gitlab_jobs_async.api.decode_warnings import log_ignored_value
from gitlab_jobs_async.api.decoding import decode, decode_rows
from gitlab_jobs_async.api.parameters import ProjectId
from gitlab_jobs_async.errors import LookupFailedError, PermissionDeniedError
from gitlab_jobs_async.http.transport import Transport
from gitlab_jobs_async.listing.fetch import by_offset, read_all
from gitlab_jobs_async.models.pipelines import Pipeline, PipelineBasic, PipelineOfCommit
from gitlab_jobs_async.pipelines.fetch import read_pipeline

_SHA_DIGITS: Final = (40, 64)
"""Digits of a whole sha: SHA-1 and SHA-256."""


async def latest_of_ref(transport: Transport, project: ProjectId, ref: str | None) -> Pipeline:
    """Return the newest pipeline of the newest commit of *ref*, or of the default branch.

    Raises:
        LookupFailedError: the commit has no pipeline.
    """
    try:
        return await read_pipeline(transport, endpoints.get_latest_pipeline(project, ref))
    except PermissionDeniedError:
        # GitLab also answers 403 without a pipeline. With permission this request succeeds.
        listing = endpoints.list_pipelines(project, {} if ref is None else {"ref": ref})
        await transport.send(listing)
    what = "the default branch" if ref is None else repr(ref)
    raise LookupFailedError(f"no pipeline of the newest commit of {what}")


async def latest_of_commit(transport: Transport, project: ProjectId, sha: str) -> Pipeline:
    """Return the newest pipeline of a commit, named by its whole or abbreviated sha.

    Raises:
        LookupFailedError: the commit has no pipeline.
    """
    request = endpoints.get_commit(project, sha)
    # The list filters by whole shas only. A job token may read it, but no commits.
    if len(sha) in _SHA_DIGITS:
        listing = endpoints.list_pipelines(project, {"sha": sha.lower()})
        answer = await transport.send(listing)
        newest = _newest(decode_rows(answer, PipelineBasic, report=log_ignored_value))
    else:
        answer = await transport.send(request)
        newest = decode(answer, PipelineOfCommit, log_ignored_value).last_pipeline
    return await _whole(transport, project, newest, f"no pipeline of commit {sha}")


async def latest_of_merge_request(transport: Transport, project: ProjectId, iid: int) -> Pipeline:
    """Return the newest pipeline of a merge request.

    Raises:
        LookupFailedError: the merge request has no pipeline.
    """
    request = endpoints.list_merge_request_pipelines(project, iid)
    # A newer pipeline of its branch may be on any page: those of the merge request come first.
    rows = await read_all(transport, by_offset(transport, request), PipelineBasic)
    return await _whole(transport, project, _newest(rows), f"no pipeline of merge request !{iid}")


def _newest(rows: Iterable[PipelineBasic]) -> PipelineBasic | None:
    return max(rows, key=lambda row: row.id, default=None)


async def _whole(
    transport: Transport, project: ProjectId, row: PipelineBasic | None, missing: str
) -> Pipeline:
    if row is None:
        raise LookupFailedError(missing)
    # The pipeline of a merge request from a fork belongs to the fork.
    where = row.project_id or project
    return await read_pipeline(transport, endpoints.get_pipeline(where, row.id))
