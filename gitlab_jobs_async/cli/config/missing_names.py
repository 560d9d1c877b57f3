"""Find the projects or groups whose paths come closest to one that the server does not have.

The id of a pipeline in place of a job's is found, too, and the other way round.
It is asked only after its 404, for at most two seconds.
"""

import asyncio
import re
from contextlib import suppress
from difflib import get_close_matches
from typing import Final
from urllib.parse import unquote

from gitlab_jobs_async.api.parameters import group_path
from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.client import GitLab
from gitlab_jobs_async.errors import GitLabError, NotFoundError

_SECONDS: Final = 2.0
_SHOWN: Final = 3
_NAMED: Final = re.compile(r"/api/v4/(?P<kind>project|group)s/(?P<path>[^/?: ]+)")
_NUMBERED: Final = re.compile(
    r"/projects/(?P<project>[^/?: ]+)/(?P<kind>jobs|pipelines)/(?P<id>[0-9]+)"
    r"(?:/(?:bridges|cancel|erase|jobs|play|retry|trace))?[?: ]"
)
_PAGES: Final = frozenset({"environments", "issues", "jobs", "merge_requests", "pipelines"})
_BRIEF: Final = (("simple", "true"), ("per_page", "100"), ("order_by", "last_activity_at"))


async def near_names(gitlab: GitLab, reason: str) -> str:
    """Return what may have been meant; empty if nothing comes close, or if it is refused.

    *reason* is the error of a request, with its URL.
    """
    # The first error is the one that counts.
    with suppress(GitLabError, TimeoutError, LookupError, TypeError, ValueError):
        async with asyncio.timeout(_SECONDS):
            return await _near_words(gitlab, reason)
    return ""


async def _near_words(gitlab: GitLab, reason: str) -> str:
    named = _NAMED.search(reason)
    if named is not None and f"{named['kind']} not found" in reason.casefold():
        path = unquote(named["path"])
        find = _near_projects if named["kind"] == "project" else _near_groups
        found = [] if path.isdigit() else await find(gitlab, path)
        return f"did you mean {' or '.join(found)}?" if found else ""
    # In a project that exists, something else is missing.
    numbered = _NUMBERED.search(reason)
    return "" if numbered is None else await _other_kind(gitlab, *numbered.groups())


async def _other_kind(gitlab: GitLab, project: str, kind: str, number: str) -> str:
    """Return that *number* is the id of a pipeline instead of a job, or of a job instead."""
    other = "pipelines" if kind == "jobs" else "jobs"
    await gitlab.send(Request("GET", f"/projects/{project}/{other}/{number}"))
    if other == "jobs":
        return f"{number} is the id of a job"
    return f"{number} is the id of a pipeline: expected --pipeline {number}"


async def _near_projects(gitlab: GitLab, path: str) -> list[str]:
    folder, _, name = path.rpartition("/")
    if name in _PAGES and "/" in folder:
        # The URL of an older page, without /-/.
        return [folder]
    rows: list[str] = []
    with suppress(NotFoundError):
        group = group_path(folder or path)
        rows = await _paths(gitlab, f"{group}/projects", include_subgroups="true")
    if any(row.startswith(f"{path}/") for row in rows):
        return [f"--group {path}"]
    # The folder is right, and would make all of them similar.
    names = [row.removeprefix(f"{folder}/") for row in rows]
    if found := get_close_matches(name, names, _SHOWN):
        return [f"{folder}/{one}" for one in found]
    rows = await _paths(gitlab, "/projects", search=name)
    same = [row for row in rows if row.rpartition("/")[2] == name]
    return (get_close_matches(path, rows, _SHOWN) or same)[:_SHOWN]


async def _near_groups(gitlab: GitLab, path: str) -> list[str]:
    rows = await _paths(gitlab, "/projects", membership="true")
    # An administrator is a member of few projects, and sees all.
    rows = rows or await _paths(gitlab, "/projects")
    if path in rows:
        return [f"{path} without --group"]
    parts = [row.split("/")[:-1] for row in rows]
    groups = {"/".join(part[:count]) for part in parts for count in range(1, len(part) + 1)}
    return get_close_matches(path, sorted(groups), _SHOWN)


async def _paths(gitlab: GitLab, path: str, **filters: str) -> list[str]:
    answer = await gitlab.send(Request("GET", path, params=(*filters.items(), *_BRIEF)))
    return [row["path_with_namespace"] for row in answer.json()]
