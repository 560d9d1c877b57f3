"""Requests of the check of a server; all of them only read."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from gitlab_jobs_async.api.parameters import ProjectId, job_path, project_path
from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.monitor.hints.questions import Question, changes_question, jobs_question

MOST_REQUESTS: Final = 20
PAGE: Final = 10
"""Rows of a page of jobs: enough to find a finished job, few enough that there is a next page."""

QUESTION_SIZES: Final = (1, 10, 50)
_KEYSET: Final = (("pagination", "keyset"), ("order_by", "id"), ("sort", "desc"))
_PROJECTS: Final = (
    ("simple", "true"),
    ("order_by", "last_activity_at"),
    ("per_page", "100"),
)


def _with_cost(question: Question) -> str:
    return question.query.replace("{\n", "{\n  queryComplexity { score limit }\n", 1)


CHANGES: Final = _with_cost(changes_question([1]))
"""The monitor's question about changes, with its cost."""

JOBS: Final = _with_cost(jobs_question([1]))
"""The monitor's question about jobs, with its cost; two readings of one project are compared."""


def version() -> Request:
    """Return GET /version."""
    return Request("GET", "/version")


def metadata() -> Request:
    """Return GET /metadata."""
    return Request("GET", "/metadata")


def own_token() -> Request:
    """Return GET /personal_access_tokens/self."""
    return Request("GET", "/personal_access_tokens/self")


def own_job() -> Request:
    """Return GET /job, which only a job token may ask for."""
    return Request("GET", "/job")


def own_user() -> Request:
    """Return GET /user."""
    return Request("GET", "/user")


def own_projects() -> Request:
    """Return GET /projects of the caller, the first page."""
    return Request("GET", "/projects", [("membership", "true"), *_PROJECTS])


def group_projects(group: ProjectId) -> Request:
    """Return GET /groups/:id/projects, the first page."""
    # The rules for the path of a group are those of a project.
    path = f"/groups{project_path(group).removeprefix('/projects')}/projects"
    return Request("GET", path, [("include_subgroups", "true"), *_PROJECTS])


def jobs(project: ProjectId, cursor: Mapping[str, str] | None = None) -> Request:
    """Return GET /projects/:id/jobs by keyset, from *cursor* on."""
    params = [*_KEYSET, ("per_page", str(PAGE))]
    if cursor is not None:
        params.append(("cursor", base64.urlsafe_b64encode(orjson.dumps(cursor)).decode()))
    return Request("GET", f"{project_path(project)}/jobs", params)


def oldest_jobs(project: ProjectId) -> Request:
    """Return the request for the last page, by a cursor without an id."""
    return jobs(project, {"_kd": "p"})


def jobs_below(project: ProjectId, job_id: int) -> Request:
    """Return the request for the jobs below *job_id*, by a cursor forward."""
    return jobs(project, {"id": str(job_id), "_kd": "n"})


def jobs_by_offset(project: ProjectId) -> Request:
    """Return GET /projects/:id/jobs without keyset."""
    return Request("GET", f"{project_path(project)}/jobs", [("per_page", str(PAGE))])


def job(project: ProjectId, job_id: int, etag: str | None = None) -> Request:
    """Return GET /projects/:id/jobs/:job_id, conditional with an *etag*."""
    return Request("GET", job_path(project, job_id), headers=_condition(etag))


def first_byte(project: ProjectId, job_id: int, etag: str | None = None) -> Request:
    """Return GET …/trace of the first byte; a server without byte ranges sends the whole log."""
    params = [("byte_offset", "0"), ("byte_limit", "1")]
    return Request("GET", f"{job_path(project, job_id)}/trace", params, headers=_condition(etag))


def _condition(etag: str | None) -> list[tuple[str, str]]:
    return [] if etag is None else [("If-None-Match", etag)]


def variables(project_ids: Sequence[int]) -> dict[str, Any]:
    """Return the variables of a question about *project_ids*."""
    return {"ids": [f"gid://gitlab/Project/{number}" for number in project_ids]}
