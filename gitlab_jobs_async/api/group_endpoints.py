"""Endpoints of groups: each function validates its arguments and returns the request.

Docs: https://docs.gitlab.com/api/groups/. Source: lib/api/groups.rb.
"""

from typing import TypedDict

from gitlab_jobs_async.api.endpoints import PER_PAGE
from gitlab_jobs_async.api.parameters import GroupId, flag, group_path, not_empty, one_of
from gitlab_jobs_async.api.requests import Request

_VISIBILITIES = ("private", "internal", "public")


class GroupProjectFilters(TypedDict, total=False):
    """Filters of a group's projects: https://docs.gitlab.com/api/groups/#list-projects.

    GitLab lists archived projects and projects that are shared with the group, too, unless
    `archived` or `with_shared` is False.
    """

    archived: bool
    owned: bool
    search: str
    visibility: str
    with_shared: bool


def list_group_projects(
    group: GroupId,
    filters: GroupProjectFilters,
    *,
    include_subgroups: bool,
    simple: bool = False,
) -> Request:
    """Return GET /groups/:id/projects, the first page; newest id first.

    The rows of a *simple* one have fewer fields.
    """
    params = [
        ("include_subgroups", flag("include_subgroups", include_subgroups)),
        # Ids are unique: by the default, `created_at`, equal times may change places.
        ("order_by", "id"),
        ("sort", "desc"),
        *((name, _filter(name, value)) for name, value in filters.items()),
        ("per_page", str(PER_PAGE)),
    ]
    if simple:
        params.append(("simple", "true"))
    return Request("GET", f"{group_path(group)}/projects", params)


def _filter(name: str, value: object) -> str:
    if name not in GroupProjectFilters.__annotations__:
        allowed = ", ".join(GroupProjectFilters.__annotations__)
        raise TypeError(f"unknown filter {name!r} of projects: expected one of {allowed}")
    if name == "search":
        return not_empty(name, value)
    if name == "visibility":
        return one_of(name, not_empty(name, value), _VISIBILITIES)
    return flag(name, value)
