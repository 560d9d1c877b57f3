"""Version, current user and projects.

Follows lib/api/projects.rb and app/finders/projects_finder.rb.
"""

from collections.abc import Sequence
from typing import Final

from gitlab_jobs_async.simulator.api import parameters, permissions
from gitlab_jobs_async.simulator.api.answers import (
    Answer,
    error,
    json_answer,
    unauthorized,
)
from gitlab_jobs_async.simulator.api.calls import Call, Route
from gitlab_jobs_async.simulator.api.jobs import view_of
from gitlab_jobs_async.simulator.api.pagination import paginated
from gitlab_jobs_async.simulator.api.runner_entities import Json
from gitlab_jobs_async.simulator.api.search import matches
from gitlab_jobs_async.simulator.records import VISIBILITIES, Project

REVISION: Final = "0b1c2d3e4f5"
_ORDERS: Final = ("id", "name", "path", "created_at", "updated_at", "last_activity_at")


def version(call: Call) -> Answer:
    """Answer GET /version."""
    return json_answer({"version": call.settings.version, "revision": REVISION})


def metadata(call: Call) -> Answer:
    """Answer GET /metadata."""
    if not call.settings.features.metadata:
        raise error(404, "404 Not Found")
    kas = {"enabled": False, "externalUrl": None, "externalK8sProxyUrl": None, "version": None}
    return json_answer(
        {
            "version": call.settings.version,
            "revision": REVISION,
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
    """Answer GET /projects, newest first; knows `membership`, `search`, `simple` and `sort`."""
    member = parameters.boolean(call.params, "membership")
    user = call.user
    rows = [
        project
        for project in call.world.projects
        if permissions.may_see(project, user)
        and (not member or (user is not None and user.id in project.members))
    ]
    return listed(call, rows)


def listed(call: Call, rows: Sequence[Project]) -> Answer:
    """Answer a listing of those of *rows* that match the filters of the call."""
    search = parameters.text(call.params, "search") or ""
    order = parameters.choice(call.params, "order_by", _ORDERS) or "created_at"
    rising = parameters.choice(call.params, "sort", ("asc", "desc")) == "asc"
    simple = parameters.boolean(call.params, "simple")
    found = [project for project in rows if matches(search, project.name)]
    if (visibility := parameters.choice(call.params, "visibility", VISIBILITIES)) is not None:
        found = [project for project in found if project.visibility == visibility]
    # Without the parameter, archived projects are listed, too.
    if "archived" in call.params:
        archived = parameters.boolean(call.params, "archived")
        found = [project for project in found if project.archived == archived]
    found.sort(key=lambda project: _key(project, order), reverse=not rising)
    view = view_of(call)
    entity = view.project_basic if simple else view.project

    def present(page: Sequence[Project]) -> list[Json]:
        return [entity(project) for project in page]

    return paginated(call, found, present)


def _key(project: Project, order: str) -> tuple[str, int]:
    # Pipelines and jobs do not move `last_activity_at`; ids grow with the time of creation.
    return (str(getattr(project, order)) if order in {"name", "path"} else "", project.id)


_READ_USER: Final = ("read_user",)

ROUTES: Final = (
    Route("GET", "version", version, scopes=_READ_USER),
    Route("GET", "metadata", metadata, scopes=_READ_USER),
    Route("GET", "user", current_user, scopes=_READ_USER),
    Route("GET", "projects", list_projects, anonymous=True),
    Route("GET", "projects/:id", get_project, anonymous=True),
)
