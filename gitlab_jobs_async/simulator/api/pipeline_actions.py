"""Creation and changes of pipelines: lib/api/ci/pipelines.rb, lib/api/merge_requests.rb."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from gitlab_jobs_async.simulator import actions
from gitlab_jobs_async.simulator.actions import ActionRefused
from gitlab_jobs_async.simulator.api import parameters, permissions
from gitlab_jobs_async.simulator.api.answers import (
    Answer,
    ApiError,
    error,
    json_answer,
    message,
    record_not_found,
)
from gitlab_jobs_async.simulator.api.calls import Call, Route
from gitlab_jobs_async.simulator.api.jobs import view_of
from gitlab_jobs_async.simulator.records import MergeRequest, Pipeline, Project

_PROTECTED: Final = (
    "You do not have sufficient permission to run a pipeline on '{ref}'. Please select a "
    "different branch or contact your administrator for assistance."
)
_NO_INPUTS: Final = (
    "Given inputs not defined in the `spec` section of the included configuration file"
)


def create_pipeline(call: Call) -> Answer:
    """Answer POST /projects/:id/pipeline."""
    ref = parameters.text(call.params, "ref")
    if ref is None:
        raise error(400, "ref is missing")
    variables = parameters.pipeline_variables(call.params)
    inputs = parameters.mapping(call.params, "inputs") or {}
    project = permissions.user_project(call)
    permissions.require_level(call, project, "developer")
    _check_ref(call, project, ref)
    if variables and not permissions.may_set_variables(call, project):
        raise _invalid("Insufficient permissions to set pipeline variables")
    _check_inputs(project, inputs)
    return _created(call, project, ref, variables=variables, inputs=inputs)


def create_merge_request_pipeline(call: Call) -> Answer:
    """Answer POST /projects/:id/merge_requests/:merge_request_iid/pipelines."""
    project = permissions.user_project(call)
    permissions.require_level(call, project, "developer")
    merge_request = find_merge_request(call, project)
    return _created(call, project, merge_request.ref, merge_request=merge_request)


def _created(
    call: Call,
    project: Project,
    ref: str,
    *,
    merge_request: MergeRequest | None = None,
    variables: dict[str, str] | None = None,
    inputs: dict[str, object] | None = None,
) -> Answer:
    try:
        pipeline = actions.run_pipeline(
            call.world.registry,
            project,
            ref,
            call.now,
            user=call.user,
            source="api" if merge_request is None else "merge_request_event",
            merge_request=merge_request,
            variables=variables,
            inputs=inputs,
        )
    except ActionRefused as refusal:
        raise _invalid(str(refusal)) from None
    return json_answer(view_of(call).pipeline(pipeline), 201)


def _invalid(text: str) -> ApiError:
    """Return the 400 of render_validation_error!, with the errors of the whole record."""
    return message(400, {"base": [text]})


def _check_ref(call: Call, project: Project, ref: str) -> None:
    if not project.has_ref(ref):
        raise _invalid("Reference not found")
    protected = ref in project.protected_refs
    if protected and not permissions.has_level(call, project, "maintainer"):
        raise _invalid(_PROTECTED.format(ref=ref))


def _check_inputs(project: Project, inputs: dict[str, object]) -> None:
    """Check inputs as lib/gitlab/ci/config/yaml/interpolator.rb does."""
    if inputs and not project.inputs:
        raise _invalid(_NO_INPUTS)
    unknown = [name for name in inputs if name not in project.inputs]
    if unknown:
        raise _invalid(f"unknown input arguments: {', '.join(unknown)}")


def retry_pipeline(call: Call) -> Answer:
    """Answer POST /projects/:id/pipelines/:pipeline_id/retry."""
    pipeline = _changeable_pipeline(call)
    actions.retry_pipeline(call.world.registry, pipeline, call.now, call.user)
    return json_answer(view_of(call).pipeline(pipeline), 201)


def cancel_pipeline(call: Call) -> Answer:
    """Answer POST /projects/:id/pipelines/:pipeline_id/cancel, with a 200 unlike other actions."""
    pipeline = _changeable_pipeline(call)
    actions.cancel_pipeline(call.world.registry, pipeline, call.now)
    return json_answer(view_of(call).pipeline(pipeline))


def _changeable_pipeline(call: Call) -> Pipeline:
    project = permissions.user_project(call)
    pipeline = permissions.find_pipeline(call, project)
    protected = pipeline.ref in project.protected_refs
    permissions.require_level(call, project, "maintainer" if protected else "developer")
    return pipeline


def delete_pipeline(call: Call) -> Answer:
    """Answer DELETE /projects/:id/pipelines/:pipeline_id; only owners may do that."""
    project = permissions.user_project(call)
    pipeline = permissions.find_pipeline(call, project)
    permissions.require_level(call, project, "owner")
    permissions.require_no_refresh(project)
    _check_unmodified(call, pipeline)
    call.world.registry.delete_pipeline(pipeline)
    return Answer(204)


def _check_unmodified(call: Call, pipeline: Pipeline) -> None:
    """Raise the 412 of destroy_conditionally! if the pipeline has changed since the given time."""
    written = call.request.headers.get("if-unmodified-since")
    if written is None:
        return
    try:
        since = parsedate_to_datetime(written)
    except ValueError:
        return
    if datetime.fromtimestamp(int(pipeline.updated_at), UTC) > since:
        raise message(412, "412 Precondition Failed")


def find_merge_request(call: Call, project: Project) -> MergeRequest:
    """Return the merge request that `:merge_request_iid` names in the project."""
    iid = parameters.integer(call.params, "merge_request_iid")
    found = None if iid is None else project.merge_requests.get(iid)
    if found is None:
        raise record_not_found()
    return found


_ONE: Final = "projects/:id/pipelines/:pipeline_id"
ROUTES: Final = (
    Route("POST", "projects/:id/pipeline", create_pipeline),
    Route("POST", f"{_ONE}/retry", retry_pipeline),
    Route("POST", f"{_ONE}/cancel", cancel_pipeline),
    Route("DELETE", _ONE, delete_pipeline),
    Route(
        "POST",
        "projects/:id/merge_requests/:merge_request_iid/pipelines",
        create_merge_request_pipeline,
    ),
)
