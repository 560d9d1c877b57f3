"""The Jobs API: lib/api/ci/jobs.rb, endpoint by endpoint."""

from collections.abc import Callable, Sequence
from typing import Final

from gitlab_jobs_async.simulator import actions
from gitlab_jobs_async.simulator.api import pagination, parameters, permissions, traces
from gitlab_jobs_async.simulator.api.answers import (
    Answer,
    bad_request,
    forbidden,
    json_answer,
    not_found,
)
from gitlab_jobs_async.simulator.api.calls import Call, Route
from gitlab_jobs_async.simulator.api.entities import View
from gitlab_jobs_async.simulator.api.runner_entities import Json
from gitlab_jobs_async.simulator.records import Job


def view_of(call: Call) -> View:
    """Return the context of a call's entities."""
    return View(call.origin, call.now, call.settings, call.world.registry.busy_runners())


def list_jobs(call: Call) -> Answer:
    """Answer GET /projects/:id/jobs."""
    features = call.settings.features
    statuses = parameters.scope(call.params, features.statuses)
    ref = (parameters.text(call.params, "ref") or None) if features.job_ref_filter else None
    # Grape validates parameters before the endpoint runs, so these errors come first.
    pagination.page_parameters(call)
    call.check_jobs_index()  # first, as in GitLab: later failures count
    project = permissions.user_project(call)
    permissions.require_read_builds(call, project)
    present = view_of(call).job

    def present_all(jobs: Sequence[Job]) -> list[Json]:
        return [present(job) for job in jobs]

    return pagination.project_jobs(call, project, _filter(statuses, ref), present_all)


def _filter(statuses: frozenset[str] | None, ref: str | None) -> Callable[[Job], bool] | None:
    if ref is not None:
        return lambda job: job.pipeline.ref == ref and (not statuses or job.status in statuses)
    if statuses is not None:
        return lambda job: job.status in statuses
    return None


def get_job(call: Call) -> Answer:
    """Answer GET /projects/:id/jobs/:job_id."""
    project = permissions.user_project(call)
    permissions.require_read_builds(call, project)
    return json_answer(view_of(call).job(permissions.find_build(call, project)))


def get_trace(call: Call) -> Answer:
    """Answer GET /projects/:id/jobs/:job_id/trace."""
    project = permissions.user_project(call)
    permissions.require_read_builds(call, project)
    job = permissions.find_build(call, project)
    permissions.require_trace(call, job)
    return traces.trace(call, job)


def cancel_job(call: Call) -> Answer:
    """Answer POST /projects/:id/jobs/:job_id/cancel."""
    project = permissions.user_project(call)
    force = call.settings.features.force_cancel and parameters.boolean(call.params, "force")
    # cancel checks the role before the job; the other actions do not.
    permissions.require_level(call, project, "developer")
    job = permissions.find_build(call, project)
    permissions.require_update(call, job)
    if force:
        permissions.require_level(call, project, "maintainer")
    actions.cancel_job(call.world.registry, job, call.now, force=force)
    return json_answer(view_of(call).job(job), 201)


def retry_job(call: Call) -> Answer:
    """Answer POST /projects/:id/jobs/:job_id/retry."""
    project = permissions.user_project(call)
    inputs = parameters.mapping(call.params, "inputs")
    job = permissions.find_build(call, project, bridges=call.settings.features.bridge_retry)
    permissions.require_update(call, job)
    try:
        again = actions.retry_job(call.world.registry, job, call.now, user=call.user, inputs=inputs)
    except actions.ActionRefused as refusal:
        # Unknown inputs are a 400, other refusals of a retry a 403.
        if str(refusal).startswith("Unknown input"):
            raise bad_request(str(refusal)) from None
        raise forbidden(str(refusal)) from None
    return json_answer(view_of(call).job(again), 201)


def erase_job(call: Call) -> Answer:
    """Answer POST /projects/:id/jobs/:job_id/erase."""
    project = permissions.user_project(call)
    job = permissions.find_build(call, project)
    permissions.require_erase(call, job)
    try:
        actions.check_erasable(job, call.now)
    except actions.ActionRefused as refusal:
        raise forbidden(str(refusal)) from None
    # GitLab checks this only after the state of the job.
    permissions.require_no_refresh(project)
    actions.erase_job(job, call.now)
    return json_answer(view_of(call).job(job), 201)


def play_job(call: Call) -> Answer:
    """Answer POST /projects/:id/jobs/:job_id/play."""
    project = permissions.user_project(call)
    variables = parameters.variables(call.params)
    inputs = parameters.mapping(call.params, "job_inputs")
    job = permissions.find_build(call, project, bridges=True)
    permissions.require_update(call, job)
    if variables:
        permissions.require_variables(call, project)
    try:
        played = actions.play_job(
            call.world.registry, job, call.now, user=call.user, variables=variables, inputs=inputs
        )
    except actions.ActionRefused as refusal:
        raise bad_request(str(refusal)) from None
    view = view_of(call)
    return json_answer(view.bridge(played) if played.is_bridge else view.job(played))


def get_token_job(call: Call) -> Answer:
    """Answer GET /job."""
    return json_answer(view_of(call).job(_token_job(call)))


def get_allowed_agents(call: Call) -> Answer:
    """Answer GET /job/allowed_agents."""
    job = _token_job(call)
    view = view_of(call)
    groups = job.project.path.split("/")[:-1]
    return json_answer(
        {
            "allowed_agents": [
                {"id": agent.id, "config_project": view.project_identity(agent.config_project)}
                for agent in job.project.agents
            ],
            "job": {"id": job.id},
            "pipeline": {"id": job.pipeline.id},
            "project": {
                "id": job.project.id,
                "groups": [{"id": number} for number, _ in enumerate(groups, 1)],
            },
            "user": view.user_basic(job.user) if job.user else None,
        }
    )


def _token_job(call: Call) -> Job:
    job = call.identity.job if call.identity else None
    if job is None:
        raise not_found("Job")
    return job


ROUTES: Final = (
    Route("GET", "projects/:id/jobs", list_jobs, permission="read_jobs"),
    Route("GET", "projects/:id/jobs/:job_id", get_job),
    Route("GET", "projects/:id/jobs/:job_id/trace", get_trace),
    Route("POST", "projects/:id/jobs/:job_id/cancel", cancel_job),
    Route("POST", "projects/:id/jobs/:job_id/retry", retry_job),
    Route("POST", "projects/:id/jobs/:job_id/erase", erase_job),
    Route("POST", "projects/:id/jobs/:job_id/play", play_job),
    Route("GET", "job", get_token_job, permission="read_jobs"),
    Route("GET", "job/allowed_agents", get_allowed_agents, permission="read_jobs"),
)
