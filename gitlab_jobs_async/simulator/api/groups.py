"""Groups and their projects.

Follows lib/api/groups.rb, app/finders/group_projects_finder.rb and
lib/api/entities/group_detail.rb.
"""

from collections.abc import Iterator
from typing import Final

from gitlab_jobs_async.simulator.api import parameters, permissions
from gitlab_jobs_async.simulator.api.answers import Answer, json_answer, not_found
from gitlab_jobs_async.simulator.api.calls import Call, Route
from gitlab_jobs_async.simulator.api.jobs import view_of
from gitlab_jobs_async.simulator.api.projects import listed
from gitlab_jobs_async.simulator.api.runner_entities import Json, iso
from gitlab_jobs_async.simulator.groups import Group
from gitlab_jobs_async.simulator.records import ACCESS, Project

_SHOWN: Final = 100
"""Projects that the answer about a group holds."""


def get_group(call: Call) -> Answer:
    """Answer GET /groups/:id."""
    group = _find_group(call)
    answer = _detail(call, group)
    if parameters.boolean(call.params, "with_projects", default=True):
        view = view_of(call)
        own = list(_own_projects(call, group, below=False))
        shared = list(_shared_projects(call, group))
        answer["projects"] = [view.project(project) for project in own[:_SHOWN]]
        answer["shared_projects"] = [view.project(project) for project in shared[:_SHOWN]]
    return json_answer(answer)


def list_group_projects(call: Call) -> Answer:
    """Answer GET /groups/:id/projects."""
    below = parameters.boolean(call.params, "include_subgroups")
    with_shared = parameters.boolean(call.params, "with_shared", default=True)
    owned = parameters.boolean(call.params, "owned")
    group = _find_group(call)
    rows = list(_own_projects(call, group, below=below))
    if with_shared:
        rows += [project for project in _shared_projects(call, group) if project not in rows]
    if owned:
        rows = [project for project in rows if _owns(call, project)]
    return listed(call, rows)


def _find_group(call: Call) -> Group:
    """Return the group that `:id` names; an old path of a moved one does not redirect."""
    wanted, groups = str(call.params["id"]), call.world.registry.groups
    number = parameters.number(wanted)
    group = groups.at(wanted) if number is None else groups.by_id(number)
    # A private group is shown to those who see a project in it.
    is_admin = call.user is not None and call.user.admin
    if group is None or not (is_admin or any(_own_projects(call, group, below=True))):
        raise not_found("Group")
    return group


def _own_projects(call: Call, group: Group, *, below: bool) -> Iterator[Project]:
    for project in call.world.projects:
        parent = project.path.rpartition("/")[0]
        is_in = parent == group.path or (below and parent.startswith(f"{group.path}/"))
        if is_in and permissions.may_see(project, call.user):
            yield project


def _shared_projects(call: Call, group: Group) -> Iterator[Project]:
    """Yield the projects of others that are shared with the group; those of subgroups are not."""
    for project in call.world.projects:
        if group.path in project.shared_with and permissions.may_see(project, call.user):
            yield project


def _owns(call: Call, project: Project) -> bool:
    return call.user is not None and project.members.get(call.user.id) == ACCESS["owner"]


def _detail(call: Call, group: Group) -> Json:
    """Return the parts of API::Entities::GroupDetail that name a group."""
    parent = call.world.registry.groups.at(group.parent)
    return {
        "id": group.id,
        "web_url": f"{call.origin}/groups/{group.path}",
        "name": group.name,
        "path": group.name,
        "description": "",
        "visibility": "private",
        "archived": False,
        "full_name": group.path.replace("/", " / "),
        "full_path": group.path,
        "created_at": iso(group.created_at),
        "parent_id": None if parent is None else parent.id,
        "shared_with_groups": [],
    }


ROUTES: Final = (
    Route("GET", "groups/:id", get_group, anonymous=True),
    Route("GET", "groups/:id/projects", list_group_projects, anonymous=True),
)
