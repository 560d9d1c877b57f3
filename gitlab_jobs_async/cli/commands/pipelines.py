"""The command `pipelines`: the newest pipelines of projects, branches and merge requests."""

from collections.abc import Sequence
from contextlib import aclosing
from typing import Annotated
from urllib.parse import urlencode

from attrs import asdict, evolve, frozen
from cyclopts import Parameter
from cyclopts.validators import Number

from gitlab_jobs_async.api.endpoints import PipelineFilters
from gitlab_jobs_async.cli.arguments import check_status
from gitlab_jobs_async.cli.config.client import connect_to
from gitlab_jobs_async.cli.errors import OK, usage_error
from gitlab_jobs_async.cli.finding.references import Latest, MergeRequest, PipelineName
from gitlab_jobs_async.cli.named_projects import named_projects
from gitlab_jobs_async.cli.options import (
    ANY_SERVER,
    NO_PROJECTS,
    Columns,
    Json,
    NoPager,
    ProjectOptions,
    ProjectWord,
    ServerOptions,
    Web,
)
from gitlab_jobs_async.cli.output import chosen_columns, print_table
from gitlab_jobs_async.cli.pager import paged
from gitlab_jobs_async.cli.progress import pages_of, progress
from gitlab_jobs_async.cli.terminal import is_terminal
from gitlab_jobs_async.cli.views.listed_columns import ListedPipeline
from gitlab_jobs_async.cli.views.pipeline_columns import (
    PIPELINE_COLUMNS,
    PIPELINE_DEFAULT,
)
from gitlab_jobs_async.concurrency import gather_all
from gitlab_jobs_async.group import with_projects_of_groups
from gitlab_jobs_async.models.pipelines import PipelineBasic
from gitlab_jobs_async.project import Project


@Parameter(name="*")
@frozen(kw_only=True)
class PipelineSelection:
    """Options that select pipelines."""

    ref: Annotated[
        str | None, Parameter(metavar="REF", help="Only pipelines of this branch or tag.")
    ] = None
    status: Annotated[
        str | None, Parameter(metavar="STATUS", help="Only those with this status, such as failed.")
    ] = None
    source: Annotated[
        str | None,
        Parameter(metavar="SOURCE", help="Only those with this trigger, such as schedule."),
    ] = None
    merge_request: Annotated[
        int | None,
        Parameter(
            validator=Number(gte=1), metavar="IID", help="Only those of this merge request: 12."
        ),
    ] = None
    limit: Annotated[
        int,
        Parameter(
            validator=Number(gte=1),
            metavar="N",
            show_default=True,
            help="Show only the newest N pipelines per project.",
        ),
    ] = 20


_NEWEST = PipelineSelection()


async def list_pipelines(
    *projects: ProjectWord,
    many: ProjectOptions = NO_PROJECTS,
    selection: PipelineSelection = _NEWEST,
    columns: Columns = None,
    web: Web = False,
    no_pager: NoPager = False,
    json: Json = False,
    server: ServerOptions = ANY_SERVER,
) -> int:
    """Print the newest pipelines of projects."""
    shown = chosen_columns(columns, PIPELINE_COLUMNS, PIPELINE_DEFAULT, json=json)
    if selection.status is not None:
        check_status("--status", selection.status)
    named = named_projects(projects, many, server)
    chosen = _selected(named.pipelines, selection)
    # The list of a merge request is read whole; those of a group are not counted.
    is_known = chosen.merge_request is None and many == NO_PROJECTS
    total = pages_of(chosen.limit, len(named.names)) if is_known else None
    with progress("pipelines", total=total) as waiting:
        async with connect_to(named.server, server, hooks=waiting.hooks()) as gitlab:
            if web:
                return await evolve(named, pipelines=()).show_pages(gitlab, _page(chosen))
            named.note()
            names = await with_projects_of_groups(named.names, gitlab.group)
            found = await gather_all([_newest(gitlab.project(name), chosen) for name in names])
            if not any(found):
                await named.note_unknown_ref(gitlab, chosen.ref)
    rows: list[ListedPipeline] = [
        (str(name), row) for name, pipelines in zip(names, found, strict=True) for row in pipelines
    ]
    if is_terminal() and columns is None and len(names) == 1:
        shown = [column for column in shown if column.name != "project"]
    with paged(is_wanted=not (no_pager or json)):
        print_table(rows, shown, [row for _, row in rows], nothing="no pipelines", json=json)
    return OK


def _page(selection: PipelineSelection) -> str:
    """Return the page of a project's pipelines with the same filters."""
    if selection.merge_request is not None:
        return f"merge_requests/{selection.merge_request}/pipelines"
    filters = {"ref": selection.ref, "status": selection.status, "source": selection.source}
    query = urlencode({name: value for name, value in filters.items() if value is not None})
    return "pipelines" + (f"?{query}" if query else "")


def _selected(pages: Sequence[PipelineName], selection: PipelineSelection) -> PipelineSelection:
    """Return the selection with the branch or merge request of a pasted URL."""
    for page in pages:
        if isinstance(page, Latest) and page.ref is not None:
            selection = evolve(selection, ref=page.ref)
        elif isinstance(page, MergeRequest):
            selection = evolve(selection, merge_request=page.iid)
        else:
            raise usage_error(f"pipeline {page}: expected a project or a branch; see show")
    return selection


async def _newest(project: Project, selection: PipelineSelection) -> list[PipelineBasic]:
    filters: PipelineFilters = {}
    if selection.ref is not None:
        filters["ref"] = selection.ref
    if selection.status is not None:
        filters["status"] = selection.status
    if selection.source is not None:
        filters["source"] = selection.source
    if selection.merge_request is not None:
        # GitLab's list of these has no filters.
        rows = await project.list_merge_request_pipelines(selection.merge_request)
        kept = [row for row in rows if filters.items() <= asdict(row).items()]
        return kept[: selection.limit]
    found: list[PipelineBasic] = []
    async with aclosing(project.iter_pipelines(**filters)) as pipelines:
        async for row in pipelines:
            found.append(row)
            if len(found) == selection.limit:
                break
    return found
