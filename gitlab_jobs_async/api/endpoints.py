"""Endpoints: each function validates its arguments and returns the request.

Docs: https://docs.gitlab.com/api/jobs/, https://docs.gitlab.com/api/pipelines/.
Sources: lib/api/ci/jobs.rb, lib/api/ci/pipelines.rb, lib/api/ci/job_artifacts.rb.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import TypedDict

from gitlab_jobs_async.api.parameters import (
    Inputs,
    ProjectId,
    Scope,
    artifact_path,
    commit_sha,
    flag,
    job_inputs,
    job_path,
    job_variables,
    known_status,
    moment,
    not_empty,
    one_of,
    pipeline_path,
    positive_id,
    project_path,
    ref_segment,
    scope_params,
)
from gitlab_jobs_async.api.requests import Request

PER_PAGE = 100
"""Rows a page: GitLab's maximum."""

LONGEST_RANGE = 512_000
"""Maximum of `byte_limit`, in bytes."""

_PAGE = ("per_page", str(PER_PAGE))
# Without these GitLab pages by offset, and new jobs move rows from page to page.
_KEYSET = (("pagination", "keyset"), ("order_by", "id"), ("sort", "desc"))


def list_jobs(
    project: ProjectId, *, scope: Scope = (), ref: str | None = None, keyset: bool = True
) -> Request:
    """Return GET /projects/:id/jobs, the first page; newest id first."""
    params = scope_params(scope)
    # A server before GitLab 19 ignores it, so the caller filters the rows again.
    if ref is not None:
        params.append(("ref", not_empty("ref", ref)))
    if keyset:
        params.extend(_KEYSET)
    return Request("GET", f"{project_path(project)}/jobs", [*params, _PAGE])


def list_pipeline_jobs(
    project: ProjectId, pipeline_id: int, *, scope: Scope = (), include_retried: bool = False
) -> Request:
    """Return GET /projects/:id/pipelines/:pipeline_id/jobs, the first page; newest id first."""
    retried = ("include_retried", flag("include_retried", include_retried))
    params = [*scope_params(scope), retried, _PAGE]
    return Request("GET", f"{pipeline_path(project, pipeline_id)}/jobs", params)


def list_bridges(project: ProjectId, pipeline_id: int, *, scope: Scope = ()) -> Request:
    """Return GET /projects/:id/pipelines/:pipeline_id/bridges, the first page."""
    params = [*scope_params(scope), _PAGE]
    return Request("GET", f"{pipeline_path(project, pipeline_id)}/bridges", params)


def get_token_job() -> Request:
    """Return GET /job: the job that a job token belongs to."""
    return Request("GET", "/job")


def get_allowed_agents() -> Request:
    """Return GET /job/allowed_agents: the agents for a job token's job."""
    return Request("GET", "/job/allowed_agents")


def get_job(project: ProjectId, job_id: int) -> Request:
    """Return GET /projects/:id/jobs/:job_id."""
    return Request("GET", job_path(project, job_id))


def get_trace(project: ProjectId, job_id: int) -> Request:
    """Return GET /projects/:id/jobs/:job_id/trace, whole."""
    return Request("GET", f"{job_path(project, job_id)}/trace")


def get_trace_range(project: ProjectId, job_id: int, *, offset: int, limit: int) -> Request:
    """Return GET …/trace from *offset*, at most *limit* bytes, for servers with ranges (19.x)."""
    # GitLab answers 400 beyond these bounds.
    if offset < 0 or not 1 <= limit <= LONGEST_RANGE:
        raise ValueError(
            f"invalid range of offset {offset} and limit {limit}: expected an offset from 0 and "
            f"a limit from 1 to {LONGEST_RANGE} bytes"
        )
    params = [("byte_offset", str(offset)), ("byte_limit", str(limit))]
    return Request("GET", f"{job_path(project, job_id)}/trace", params)


def cancel_job(project: ProjectId, job_id: int, *, force: bool = False) -> Request:
    """Return POST …/cancel; *force* ends a job stuck in `canceling` and needs a maintainer."""
    # Sent only if set: servers before GitLab 18 do not know it.
    body = {"force": True} if flag("force", force) == "true" else None
    return Request("POST", f"{job_path(project, job_id)}/cancel", json=body)


def retry_job(project: ProjectId, job_id: int, *, inputs: Inputs | None = None) -> Request:
    """Return POST …/retry."""
    body = None if inputs is None else {"inputs": job_inputs(inputs)}
    return Request("POST", f"{job_path(project, job_id)}/retry", json=body)


def erase_job(project: ProjectId, job_id: int) -> Request:
    """Return POST …/erase."""
    return Request("POST", f"{job_path(project, job_id)}/erase")


def play_job(
    project: ProjectId,
    job_id: int,
    *,
    variables: Mapping[str, str] | None = None,
    inputs: Inputs | None = None,
) -> Request:
    """Return POST …/play."""
    body: dict[str, object] = {}
    if variables is not None:
        body["job_variables_attributes"] = job_variables(variables)
    # The name differs from that of a retry, `inputs`.
    if inputs is not None:
        body["job_inputs"] = job_inputs(inputs)
    return Request("POST", f"{job_path(project, job_id)}/play", json=body or None)


class PipelineFilters(TypedDict, total=False):
    """Filters of a pipeline listing: https://docs.gitlab.com/api/pipelines/#list-project-pipelines.

    Child pipelines are excluded unless `source` is "parent_pipeline".
    """

    scope: str
    status: str
    ref: str
    sha: str
    yaml_errors: bool
    username: str
    name: str
    source: str
    updated_after: datetime
    updated_before: datetime
    created_after: datetime
    created_before: datetime
    order_by: str
    sort: str


_PIPELINE_CHOICES = {
    "scope": ("running", "pending", "finished", "branches", "tags"),
    "order_by": ("id", "status", "ref", "updated_at", "user_id"),
    "sort": ("asc", "desc"),
}


def list_pipelines(project: ProjectId, filters: PipelineFilters) -> Request:
    """Return GET /projects/:id/pipelines, the first page."""
    params = [(name, _pipeline_filter(name, value)) for name, value in filters.items()]
    return Request("GET", f"{project_path(project)}/pipelines", [*params, _PAGE])


def are_newest_first(filters: PipelineFilters) -> bool:
    """Return whether pipelines are ordered by descending id."""
    # GitLab's default order is by descending id.
    return filters.get("order_by", "id") == "id" and filters.get("sort", "desc") == "desc"


def _pipeline_filter(name: str, value: object) -> str:
    if name not in PipelineFilters.__annotations__:
        allowed = ", ".join(PipelineFilters.__annotations__)
        raise TypeError(f"unknown filter {name!r} of pipelines: expected one of {allowed}")
    if name.endswith(("_after", "_before")):
        return moment(name, value)
    if name == "yaml_errors":
        return flag(name, value)
    text = not_empty(name, value)
    if name == "status":
        return known_status(name, text)
    return one_of(name, text, _PIPELINE_CHOICES[name]) if name in _PIPELINE_CHOICES else text


def get_pipeline(project: ProjectId, pipeline_id: int) -> Request:
    """Return GET /projects/:id/pipelines/:pipeline_id."""
    return Request("GET", pipeline_path(project, pipeline_id))


def get_latest_pipeline(project: ProjectId, ref: str | None = None) -> Request:
    """Return GET /projects/:id/pipelines/latest: of the newest commit of *ref*."""
    params = [] if ref is None else [("ref", not_empty("ref", ref))]
    return Request("GET", f"{project_path(project)}/pipelines/latest", params)


def get_commit(project: ProjectId, sha: str) -> Request:
    """Return GET /projects/:id/repository/commits/:sha."""
    return Request("GET", f"{project_path(project)}/repository/commits/{commit_sha(sha)}")


def list_merge_request_pipelines(project: ProjectId, iid: int) -> Request:
    """Return GET /projects/:id/merge_requests/:iid/pipelines, the first page; newest first."""
    number = positive_id("merge request iid", iid)
    return Request("GET", f"{project_path(project)}/merge_requests/{number}/pipelines", [_PAGE])


def create_pipeline(
    project: ProjectId,
    ref: str,
    *,
    variables: Mapping[str, str] | None = None,
    inputs: Inputs | None = None,
) -> Request:
    """Return POST /projects/:id/pipeline."""
    body: dict[str, object] = {"ref": not_empty("ref", ref)}
    if variables is not None:
        body["variables"] = job_variables(variables)
    if inputs is not None:
        body["inputs"] = job_inputs(inputs)
    return Request("POST", f"{project_path(project)}/pipeline", json=body)


def retry_pipeline(project: ProjectId, pipeline_id: int) -> Request:
    """Return POST …/pipelines/:pipeline_id/retry."""
    return Request("POST", f"{pipeline_path(project, pipeline_id)}/retry")


def cancel_pipeline(project: ProjectId, pipeline_id: int) -> Request:
    """Return POST …/pipelines/:pipeline_id/cancel."""
    return Request("POST", f"{pipeline_path(project, pipeline_id)}/cancel")


def delete_pipeline(project: ProjectId, pipeline_id: int) -> Request:
    """Return DELETE …/pipelines/:pipeline_id."""
    return Request("DELETE", pipeline_path(project, pipeline_id))


def get_artifacts(project: ProjectId, job_id: int) -> Request:
    """Return GET …/artifacts: the archive, or a redirect to its storage."""
    return Request("GET", f"{job_path(project, job_id)}/artifacts")


def get_artifact_file(project: ProjectId, job_id: int, path: str) -> Request:
    """Return GET …/artifacts/*artifact_path: one file out of the archive."""
    return Request("GET", f"{job_path(project, job_id)}/artifacts/{artifact_path(path)}")


def get_latest_artifacts(
    project: ProjectId, ref: str, *, job: str, search_recent: bool = False
) -> Request:
    """Return GET …/jobs/artifacts/:ref_name/download, or a redirect to its storage."""
    params = _latest_params(job, search_recent=search_recent)
    path = f"{project_path(project)}/jobs/artifacts/{ref_segment(ref)}/download"
    return Request("GET", path, params)


def get_latest_artifact_file(
    project: ProjectId, ref: str, path: str, *, job: str, search_recent: bool = False
) -> Request:
    """Return GET …/jobs/artifacts/:ref_name/raw/*artifact_path: one file."""
    params = _latest_params(job, search_recent=search_recent)
    raw = f"{project_path(project)}/jobs/artifacts/{ref_segment(ref)}/raw/{artifact_path(path)}"
    return Request("GET", raw, params)


def _latest_params(job: str, *, search_recent: bool) -> list[tuple[str, str]]:
    recent = flag("search_recent", search_recent)
    params = [("job", not_empty("job", job))]
    # Sent only where it matters: older servers do not know it.
    return [*params, ("search_recent_successful_pipelines", recent)] if search_recent else params


def list_artifacts(
    project: ProjectId, job_id: int, *, path: str = "", recursive: bool = False
) -> Request:
    """Return GET …/artifacts/tree: the entries of the archive (19.x), the first page."""
    params = [("recursive", flag("recursive", recursive)), _PAGE]
    if path != "":
        artifact_path(path)
        params.insert(0, ("path", path))
    return Request("GET", f"{job_path(project, job_id)}/artifacts/tree", params)


def keep_artifacts(project: ProjectId, job_id: int) -> Request:
    """Return POST …/artifacts/keep, so that they do not expire."""
    return Request("POST", f"{job_path(project, job_id)}/artifacts/keep")


def delete_artifacts(project: ProjectId, job_id: int) -> Request:
    """Return DELETE …/artifacts."""
    return Request("DELETE", f"{job_path(project, job_id)}/artifacts")
