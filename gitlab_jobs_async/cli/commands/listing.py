"""The command `list`."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Annotated, Final, TypeVar

from attrs import frozen
from cyclopts import Parameter

from gitlab_jobs_async.api.parameters import ProjectId
from gitlab_jobs_async.cli import finding, views
from gitlab_jobs_async.cli.arguments import parse_scopes
from gitlab_jobs_async.cli.config.client import connect_to
from gitlab_jobs_async.cli.errors import OK, usage_error
from gitlab_jobs_async.cli.finding.references import PipelineName
from gitlab_jobs_async.cli.named_projects import NamedProjects, named_projects
from gitlab_jobs_async.cli.options import (
    ANY_SERVER,
    NO_PROJECTS,
    PIPELINE_FORMS,
    Columns,
    Json,
    NoPager,
    Positive,
    ProjectOptions,
    ProjectWord,
    ServerOptions,
    Switch,
    Web,
)
from gitlab_jobs_async.cli.output import chosen_columns, print_table
from gitlab_jobs_async.cli.pager import paged, pager_command
from gitlab_jobs_async.cli.progress import pages_of, progress
from gitlab_jobs_async.cli.terminal import is_terminal, write
from gitlab_jobs_async.cli.views.columns import Column
from gitlab_jobs_async.cli.views.job_columns import JOB_COLUMNS, JOB_DEFAULT
from gitlab_jobs_async.cli.views.rows import Listed
from gitlab_jobs_async.client import GitLab
from gitlab_jobs_async.concurrency import gather_all
from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.monitor.targets import GroupTarget
from gitlab_jobs_async.project import Project

T = TypeVar("T")
_PAGE: Final = 100
"""Rows that a streamed table prints at once: those of one request."""


@Parameter(name="*")
@frozen(kw_only=True)
class Selection:
    """Options that select jobs."""

    scope: Annotated[
        tuple[str, ...],
        Parameter(
            metavar="STATUS...",
            help="Only jobs with this status, such as failed. Repeatable, or separated by commas.",
        ),
    ] = ()
    ref: Annotated[
        str | None, Parameter(metavar="REF", help="Only jobs of this branch or tag.")
    ] = None
    limit: Annotated[Positive, Parameter(help="Show only the newest N jobs per project.")] = None
    pipeline: Annotated[
        str | None,
        Parameter(
            metavar="PIPELINE", help=f"Only jobs of this pipeline of one PROJECT: {PIPELINE_FORMS}."
        ),
    ] = None
    include_retried: Annotated[
        Switch, Parameter(help="With --pipeline: include jobs that were retried.")
    ] = False


_EVERYTHING = Selection()


async def list_jobs(
    *projects: ProjectWord,
    many: ProjectOptions = NO_PROJECTS,
    selection: Selection = _EVERYTHING,
    columns: Columns = None,
    web: Web = False,
    no_pager: NoPager = False,
    json: Json = False,
    server: ServerOptions = ANY_SERVER,
) -> int:
    """Print jobs of projects or of a pipeline, newest first."""
    shown = chosen_columns(columns, JOB_COLUMNS, JOB_DEFAULT, json=json)
    pipelines = [] if selection.pipeline is None else [selection.pipeline]
    named = named_projects(projects, many, server, pipelines)
    is_paged = not (no_pager or json) and is_terminal() and bool(pager_command())
    single = _single_project(named, selection) if is_paged else None
    has_groups = any(isinstance(name, GroupTarget) for name in named.names)
    pages = None if has_groups else pages_of(selection.limit, len(named.names))
    with progress("jobs", total=pages) as waiting:
        async with connect_to(named.server, server, hooks=waiting.hooks()) as gitlab:
            if web:
                return await named.show_pages(gitlab, "jobs")
            if single is None:
                jobs = await _selected(gitlab, named, selection)
                if not jobs:
                    await named.note_unknown_ref(gitlab, selection.ref)
            else:
                # The pager shows the first page at once, and reads on only while it is open.
                named.note()
                part = shown if columns else _without_project(shown)
                rows = _rows(gitlab.project(single), selection)
                with paged(starting=waiting.stop):
                    await _stream(rows, str(single), part)
                return OK
    several = len({project for project, _ in jobs}) > 1
    if is_terminal() and columns is None and not several:
        shown = _without_project(shown)
    with paged(is_wanted=is_paged):
        print_table(jobs, shown, [job for _, job in jobs], nothing="no jobs", json=json)
    return OK


def _without_project(columns: list[Column[Listed]]) -> list[Column[Listed]]:
    return [column for column in columns if column.name != "project"]


def _single_project(named: NamedProjects, selection: Selection) -> ProjectId | None:
    """Return the project, if all jobs of one are listed."""
    first, *others = named.names
    is_all = not (others or named.pipelines or selection.include_retried)
    return None if not is_all or selection.limit or isinstance(first, GroupTarget) else first


def _rows(project: Project, selection: Selection) -> AsyncGenerator[Job, None]:
    return project.iter_jobs(scope=parse_scopes(selection.scope), ref=selection.ref)


async def _stream(
    rows: AsyncGenerator[Job, None], name: str, columns: list[Column[Listed]]
) -> None:
    """Print the jobs of a project page by page."""
    part: list[Listed] = []
    table = views.streamed_table(columns, datetime.now(UTC))
    async with aclosing(rows):
        async for job in rows:
            part.append((name, job))
            if len(part) == _PAGE:
                table.add(part)
                part = []
    if part:
        table.add(part)
    if table.is_empty:
        write("no jobs\n")


async def _selected(gitlab: GitLab, named: NamedProjects, selection: Selection) -> list[Listed]:
    if named.pipelines:
        return await _of_pipeline(named.finder(gitlab), named.pipelines, selection)
    if selection.include_retried:
        raise usage_error("--include-retried: expected --pipeline")
    scope = parse_scopes(selection.scope)
    named.note()
    if selection.limit is None:
        found = await gitlab.list_jobs(named.names, scope=scope, ref=selection.ref)
        return [(str(name), job) for name, jobs in found.items() for job in jobs]
    names = await _every_project(gitlab, named.names)
    handles = [gitlab.project(name) for name in names]
    # Iterators stop after N jobs, where list_jobs would read all pages.
    rows = [handle.iter_jobs(scope=scope, ref=selection.ref) for handle in handles]
    newest = await gather_all([_first(row, selection.limit) for row in rows])
    return [(str(name), job) for name, jobs in zip(names, newest, strict=True) for job in jobs]


async def _every_project(
    gitlab: GitLab, named: Sequence[ProjectId | GroupTarget]
) -> list[ProjectId]:
    """Return the projects, with those of groups by their paths, each once."""
    found: dict[ProjectId, None] = {}
    for name in named:
        if isinstance(name, GroupTarget):
            rows = await gitlab.group(name.group).list_projects(archived=False)
            found |= dict.fromkeys(row.path_with_namespace for row in rows)
        else:
            found[name] = None
    return list(found)


async def _of_pipeline(
    finder: "finding.Finder", pipelines: Sequence[PipelineName], selection: Selection
) -> list[Listed]:
    name, *others = pipelines
    if others:
        raise usage_error("--pipeline: expected one pipeline")
    if selection.ref is not None:
        raise usage_error("--ref and --pipeline: expected only one, since a pipeline has one ref")
    scope, retried = parse_scopes(selection.scope), selection.include_retried
    at = await finder.pipeline(name)
    if selection.limit is None:
        jobs = await at.project.list_pipeline_jobs(at.id, scope=scope, include_retried=retried)
    else:
        rows = at.project.iter_pipeline_jobs(at.id, scope=scope, include_retried=retried)
        jobs = await _first(rows, selection.limit)
    return [(finder.name, job) for job in jobs]


async def _first(rows: AsyncIterator[T], limit: int) -> list[T]:
    """Return the first *limit* rows without requesting more."""
    found: list[T] = []
    async for row in rows:
        found.append(row)
        if len(found) == limit:
            break
    return found
