"""Names for completion from the server: one request for each kind and project."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Final, TypeVar

from gitlab_jobs_async.api.parameters import ProjectId
from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.cli.cleaning import clean
from gitlab_jobs_async.cli.completion.answers import Kind
from gitlab_jobs_async.cli.config.client import config_files, connect_to
from gitlab_jobs_async.cli.config.files import Helper
from gitlab_jobs_async.cli.finding.location import locate
from gitlab_jobs_async.cli.finding.routes import SHA, is_id
from gitlab_jobs_async.cli.finding.selection import parse_project
from gitlab_jobs_async.cli.options import ServerOptions
from gitlab_jobs_async.client import GitLab
from gitlab_jobs_async.project import Project

T = TypeVar("T")
Rows = list[list[str]]
"""Values, each with a few words about it."""

_MOST_ROWS: Final = 100
_LONGEST: Final = 200
_PROJECTS: Final = (
    ("simple", "true"),
    ("archived", "false"),
    ("order_by", "last_activity_at"),
    ("per_page", str(_MOST_ROWS)),
)


def find_names(kind: Kind, project: str | None, server: Mapping[str, str]) -> Rows:
    """Return the names of a kind from the server; the project is by default the checkout's.

    Raises:
        CommandError: no checkout, contradicting options, or a refusal of the server.
        GitLabError: the server fails.
    """
    options = ServerOptions(
        url=server.get("--url"),
        token=server.get("--token"),
        profile=server.get("--profile"),
        attempts=1,
    )
    if kind == "profiles":
        accounts = config_files().python_gitlab_accounts().accounts
        return [_row(name, account.url) for name, account in accounts.items()]
    needs_project = kind not in {"projects", "groups"}
    wanted = [parse_project(project) if project else None] if needs_project else []
    place = locate(options, wanted)
    # A helper may ask for a passphrase, for which a Tab is the wrong moment.
    if isinstance(place.server.credentials, Helper):
        return []

    async def fetch() -> Rows:
        async with connect_to(place.server, options) as gitlab:
            return await _fetched(gitlab, kind, place.projects[0] if needs_project else "")

    return asyncio.run(fetch())


async def _fetched(gitlab: GitLab, kind: Kind, target: ProjectId) -> Rows:
    if kind in {"projects", "groups"}:
        paths = await _projects(gitlab)
        if kind == "groups":
            groups = dict.fromkeys(group for path, _ in paths for group in _groups_of(path))
            return [[group, "group"] for group in groups]
        return paths
    project = gitlab.project(target)
    if kind == "stages":
        stages = dict.fromkeys(job.stage for job in reversed(await _first(project.iter_jobs())))
        return [_row(stage, "stage") for stage in stages]
    return await (_jobs(project) if kind == "jobs" else _pipelines(project, kind))


async def _projects(gitlab: GitLab) -> Rows:
    rows: list[dict[str, str]] = []
    # An administrator is a member of few projects, and sees all.
    for filters in ((("membership", "true"),), ()):
        request = Request("GET", "/projects", params=(*filters, *_PROJECTS))
        rows = rows or (await gitlab.send(request)).json()
    return [_row(one["path_with_namespace"], one.get("name") or "") for one in rows]


def _groups_of(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


async def _pipelines(project: Project, kind: Kind) -> Rows:
    rows = await _first(project.iter_pipelines())
    refs = list(dict.fromkeys(one.ref for one in rows if one.ref))
    if kind == "refs":
        return [_row(ref, "") for ref in refs]
    return [
        _row("latest", "the newest"),
        *(_row(str(one.id), f"{one.status} {one.ref or ''}") for one in rows),
        *(_row(ref, "the newest of it") for ref in refs if _names_pipelines(ref)),
    ]


def _names_pipelines(ref: str) -> bool:
    """Return whether `--pipeline` reads *ref* as a branch or tag."""
    is_other = is_id(ref) or SHA.fullmatch(ref) or ref == "latest"
    return not (is_other or ref.startswith("refs/"))


async def _jobs(project: Project) -> Rows:
    rows = await _first(project.iter_jobs())
    names = {job.name: f"{job.status}, {job.stage}" for job in reversed(rows)}
    ids = [_row(str(job.id), f"{job.name} {job.status}") for job in rows]
    return [*(_row(name, about) for name, about in reversed(names.items())), *ids]


async def _first(rows: AsyncGenerator[T, None]) -> list[T]:
    found: list[T] = []
    async with aclosing(rows) as reading:
        async for row in reading:
            found.append(row)
            if len(found) == _MOST_ROWS:
                break
    return found


def _row(value: str, about: str) -> list[str]:
    return [clean(value)[:_LONGEST], clean(about)[:_LONGEST]]
