"""Permissions of callers.

Follows app/policies/project_policy.rb, app/policies/ci/build_policy.rb and lib/api/helpers.rb.
"""

from urllib.parse import urlencode

from gitlab_jobs_async.simulator.api.answers import (
    TEXT,
    Answer,
    ApiError,
    Plain,
    forbidden,
    message,
    not_found,
    record_not_found,
)
from gitlab_jobs_async.simulator.api.archiving import is_archived
from gitlab_jobs_async.simulator.api.calls import Call
from gitlab_jobs_async.simulator.api.parameters import integer, number
from gitlab_jobs_async.simulator.records import ACCESS, Job, Pipeline, Project, User


def access_level(project: Project, user: User | None) -> int:
    """Return the caller's role in a project as GitLab's number, or 0."""
    if user is None:
        return 0
    return 60 if user.admin else project.members.get(user.id, 0)


def may_see(project: Project, user: User | None) -> bool:
    """Return whether the caller may see the project."""
    if project.visibility == "public" or access_level(project, user):
        return True
    return project.visibility == "internal" and user is not None


def user_project(call: Call) -> Project:
    """Return the project that `:id` names; raise 404 if the caller may not see it."""
    wanted = str(call.params["id"])
    registry = call.world.registry
    redirected = False
    if (project_id := number(wanted)) is not None:
        project = registry.projects.get(project_id)
    else:
        project = registry.paths.get(wanted)
        if project is None and wanted in registry.redirects:
            project, redirected = registry.redirects[wanted], True
    # A hidden project is a 404, so that its existence does not leak.
    if project is None or not may_see(project, call.user):
        raise not_found("Project")
    _admit_job_token(call, project)
    if redirected:
        raise _moved(call, project)
    return project


def _admit_job_token(call: Call, project: Project) -> None:
    job = call.identity.job if call.identity else None
    if job is None:
        return
    allowed = project.job_token_allowlist
    # A project always admits the job tokens of its own jobs.
    if allowed is not None and job.project is not project and job.project.id not in allowed:
        raise forbidden(
            f"Authentication by CI/CD job token not allowed from {job.project.path} "
            f"to project #{project.id}."
        )
    granted, needed = project.job_token_permissions, call.route.permission
    if granted is not None and needed and job.project is not project and needed not in granted:
        raise forbidden(
            f"Insufficient permissions to access this resource in project #{project.id}. "
            f"The following token permission is required: {needed}."
        )


def _moved(call: Call, project: Project) -> ApiError:
    if call.request.method != "GET":
        return message(405, "Non GET methods are not allowed for moved projects")
    # The new location names the project by id.
    rest = call.request.path.split("/", 5)[5:]
    location = "/".join([f"{call.origin}/api/v4/projects/{project.id}", *rest])
    query = urlencode(call.request.query)
    location += f"?{query}" if query else ""
    text = f"This resource has been moved permanently to {location}".encode()
    return ApiError(Answer(301, (TEXT, ("Location", location)), Plain(text)))


def may_read_builds(project: Project, user: User | None) -> bool:
    """Return whether the caller may read jobs: reporters, or all if jobs are public.

    Without CI/CD, no one may, not even an administrator.
    """
    if not project.jobs_enabled:
        return False
    needed = 0 if project.public_jobs else ACCESS["reporter"]
    return access_level(project, user) >= needed


def require_read_builds(call: Call, project: Project) -> None:
    """Raise 403 unless the caller may read jobs."""
    if not may_read_builds(project, call.user):
        raise forbidden()


def has_level(call: Call, project: Project, role: str) -> bool:
    """Return whether the caller has at least this role."""
    return access_level(project, call.user) >= ACCESS[role]


def require_level(call: Call, project: Project, role: str) -> None:
    """Raise 403 unless the caller has at least this role."""
    if not has_level(call, project, role):
        raise forbidden()


def require_update(call: Call, job: Job) -> None:
    """Raise 403 unless the caller may change the job: developers; on protected refs maintainers."""
    protected = job.pipeline.ref in job.project.protected_refs
    require_level(call, job.project, "maintainer" if protected else "developer")
    if is_archived(job, call.now, call.settings):
        raise forbidden()


def require_erase(call: Call, job: Job) -> None:
    """Raise 403 unless the caller is a maintainer or owns the job on an unprotected ref."""
    owned = job.user is call.user and job.pipeline.ref not in job.project.protected_refs
    require_level(call, job.project, "developer" if owned else "maintainer")


def require_no_refresh(project: Project) -> None:
    """Raise 409 while the project's artifact statistics are being recounted."""
    if project.refreshing_artifacts:
        raise message(
            409,
            "Action temporarily disabled. The project this job belongs to is "
            "undergoing stats refresh.",
        )


def require_trace(call: Call, job: Job) -> None:
    """Raise 403 unless the caller may read the log; debug logs are for developers."""
    require_read_builds(call, job.project)
    if job.plan.debug_trace:
        require_level(call, job.project, "developer")


def may_set_variables(call: Call, project: Project) -> bool:
    """Return whether the caller may set variables."""
    role = project.variables_role
    return role != "no_one_allowed" and has_level(call, project, role)


def require_variables(call: Call, project: Project) -> None:
    """Raise 403 unless the caller may set variables."""
    if not may_set_variables(call, project):
        raise forbidden()


def find_build(call: Call, project: Project, *, bridges: bool = False) -> Job:
    """Return the job that `:job_id` names in the project."""
    job_id = integer(call.params, "job_id")
    job = call.world.jobs.get(job_id) if job_id is not None else None
    # Bridges share the ids of jobs, but only some actions accept them.
    if job is None or job.project is not project or (job.is_bridge and not bridges):
        raise record_not_found()
    return job


def find_pipeline(call: Call, project: Project) -> Pipeline:
    """Return the pipeline that `:pipeline_id` names in the project."""
    pipeline_id = integer(call.params, "pipeline_id")
    pipeline = call.world.pipelines.get(pipeline_id) if pipeline_id is not None else None
    if pipeline is None or pipeline.project is not project:
        raise record_not_found()
    return pipeline
