"""Version, current user and projects."""

from collections.abc import Sequence
from typing import Final

from gitlab_jobs_async.simulator.api import parameters, permissions
from gitlab_jobs_async.simulator.api.answers import Answer, json_answer, unauthorized
from gitlab_jobs_async.simulator.api.calls import Call, Route
from gitlab_jobs_async.simulator.api.jobs import view_of
from gitlab_jobs_async.simulator.api.pagination import paginated
from gitlab_jobs_async.simulator.api.runner_entities import Json
from gitlab_jobs_async.simulator.records import Project

_REVISION: Final = "0b1c2d3e4f5"


def version(call: Call) -> Answer:
    """Answer GET /version."""
    return json_answer({"version": call.settings.version, "revision": _REVISION})


def metadata(call: Call) -> Answer:
    """Answer GET /metadata."""
    kas = {"enabled": False, "externalUrl": None, "externalK8sProxyUrl": None, "version": None}
    return json_answer(
        {
            "version": call.settings.version,
            "revision": _REVISION,
            "kas": kas,
            "enterprise": False,
        }
    )


def current_user(call: Call) -> Answer:
    """Answer GET /user."""
    user = call.user
    if user is None:
        raise unauthorized()
    private: Json = {
        "email": f"{user.username}@example.com",
        "is_admin": user.admin,
        "two_factor_enabled": False,
        "external": False,
    }
    return json_answer((view_of(call).user(user) or {}) | private)


def get_project(call: Call) -> Answer:
    """Answer GET /projects/:id."""
    return json_answer(view_of(call).project(permissions.user_project(call)))


def list_projects(call: Call) -> Answer:
    """Answer GET /projects, newest first; knows `membership`, `search` and `simple`."""
    member = parameters.boolean(call.params, "membership")
    search = (parameters.text(call.params, "search") or "").lower()
    rows = [
        project
        for project in reversed(call.world.projects)
        if permissions.may_see(project, call.user)
        and search in project.name.lower()
        and (not member or (call.user is not None and call.user.id in project.members))
    ]
    view = view_of(call)

    def present(page: Sequence[Project]) -> list[Json]:
        return [view.project(project) for project in page]

    return paginated(call, rows, present)


ROUTES: Final = (
    Route("GET", "version", version),
    Route("GET", "metadata", metadata),
    Route("GET", "user", current_user),
    Route("GET", "projects", list_projects, anonymous=True),
    Route("GET", "projects/:id", get_project, anonymous=True),
)
