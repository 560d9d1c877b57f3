"""Pipelines by commit and by merge request: lib/api/commits.rb, lib/api/merge_requests.rb."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Final

from gitlab_jobs_async.simulator.api import permissions
from gitlab_jobs_async.simulator.api.answers import Answer, json_answer, not_found
from gitlab_jobs_async.simulator.api.calls import Call, Route
from gitlab_jobs_async.simulator.api.jobs import view_of
from gitlab_jobs_async.simulator.api.pagination import page_parameters, paginated
from gitlab_jobs_async.simulator.api.pipeline_actions import find_merge_request
from gitlab_jobs_async.simulator.api.runner_entities import Json
from gitlab_jobs_async.simulator.records import Pipeline, Project

_SHORTEST: Final = 7
"""Digits of the shortest abbreviated sha that git accepts here."""


def get_commit(call: Call) -> Answer:
    """Answer GET /projects/:id/repository/commits/:sha, also by the name of a branch or tag."""
    project = permissions.user_project(call)
    permissions.require_level(call, project, "guest" if project.public_jobs else "reporter")
    head = _head(project, str(call.params["sha"]))
    if head is None:
        raise not_found("Commit")
    newest = max(
        (p for p in project.pipelines if p.sha == head.sha and p.source != "parent_pipeline"),
        key=attrgetter("id"),
        default=None,
    )
    view = view_of(call)
    detail: Json = {
        "stats": {"additions": 1, "deletions": 1, "total": 2},
        "status": newest.status if newest else None,
        "project_id": project.id,
        "last_pipeline": view.pipeline_basic(newest) if newest else None,
    }
    return json_answer(view.commit(head) | detail)


def _head(project: Project, wanted: str) -> Pipeline | None:
    """Return a pipeline of the commit that a ref or sha names; None for an unknown one."""
    by_ref = project.newest_pipeline(wanted)
    if by_ref is not None:
        return by_ref
    abbreviated = len(wanted) >= _SHORTEST
    found = [p for p in project.pipelines if abbreviated and p.sha.startswith(wanted)]
    return max(found, key=attrgetter("id"), default=None)


def list_merge_request_pipelines(call: Call) -> Answer:
    """Answer GET /projects/:id/merge_requests/:merge_request_iid/pipelines.

    Those of the merge request come before those of its branch, each newest first:
    app/finders/ci/pipelines_for_merge_request_finder.rb.
    """
    page_parameters(call)
    project = permissions.user_project(call)
    merge_request = find_merge_request(call, project)
    permissions.require_read_builds(call, project)
    rows = [
        pipeline
        for pipeline in project.pipelines
        if pipeline.ref in {merge_request.ref, merge_request.source_branch}
        and pipeline.source != "parent_pipeline"
    ]
    rows.sort(key=lambda row: (row.source == "merge_request_event", row.id), reverse=True)
    view = view_of(call)

    def present(page: Sequence[Pipeline]) -> list[Json]:
        return [view.pipeline_basic(pipeline) for pipeline in page]

    return paginated(call, rows, present)


ROUTES: Final = (
    # A ref may contain slashes, as GitLab's requirement for `:sha` allows.
    Route("GET", "projects/:id/repository/commits/*sha", get_commit, anonymous=True),
    Route(
        "GET",
        "projects/:id/merge_requests/:merge_request_iid/pipelines",
        list_merge_request_pipelines,
        anonymous=True,
    ),
)
