"""The command `failures`: what failed lately, what is flaky, and the failing lines."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from attrs import frozen
from cyclopts import Parameter
from cyclopts.validators import Number
from rich.text import Text

from gitlab_jobs_async.cli.config.client import connect_to
from gitlab_jobs_async.cli.errors import OK, error_line, usage_error
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
from gitlab_jobs_async.cli.progress import Progress, progress
from gitlab_jobs_async.cli.tail.since import parse_since
from gitlab_jobs_async.cli.terminal import is_terminal, print_note
from gitlab_jobs_async.cli.views.counts import counted
from gitlab_jobs_async.cli.views.failures import (
    FAILURE_COLUMNS,
    FAILURE_DEFAULT,
    TABLE_DEFAULT,
    Failed,
    failure_json,
    failure_lines,
)
from gitlab_jobs_async.cli.views.screen import console
from gitlab_jobs_async.client import GitLab
from gitlab_jobs_async.concurrency import gather_all
from gitlab_jobs_async.errors import GitLabError
from gitlab_jobs_async.models.failure_groups import FailureGroup


@Parameter(name="*")
@frozen(kw_only=True)
class FailureOptions:
    """Options of which failures to show, and how much of them."""

    since: Annotated[
        str,
        Parameter(
            metavar="TIME",
            help="A span such as 12h or 7d, or a time such as 2026-01-31T10:00.",
            show_default=True,
        ),
    ] = "7d"
    ref: Annotated[
        str | None, Parameter(metavar="REF", help="Only jobs of this branch or tag.")
    ] = None
    limit: Annotated[
        int,
        Parameter(
            metavar="N",
            validator=Number(gte=1),
            help="Show only the N largest groups.",
            show_default=True,
        ),
    ] = 20
    lines: Annotated[
        int,
        Parameter(
            metavar="N",
            validator=Number(gte=0),
            help="Last lines of the failed section of each group's newest job.",
            show_default=True,
        ),
    ] = 5
    logs: Annotated[
        bool, Parameter(negative="--no-logs", help="Without logs, a request less per group.")
    ] = True


_DEFAULT = FailureOptions()


async def failures(
    *projects: ProjectWord,
    many: ProjectOptions = NO_PROJECTS,
    options: FailureOptions = _DEFAULT,
    columns: Columns = None,
    web: Web = False,
    no_pager: NoPager = False,
    json: Json = False,
    server: ServerOptions = ANY_SERVER,
) -> int:
    """Show the failed jobs of projects by name and reason, the most frequent first."""
    now = datetime.now(UTC)
    since = parse_since(options.since, now)
    shows_lines = is_terminal() and options.logs and columns is None
    default = TABLE_DEFAULT if is_terminal() else FAILURE_DEFAULT
    shown = chosen_columns(columns, FAILURE_COLUMNS, default, json=json)
    named = named_projects(projects, many, server)
    if named.pipelines:
        raise usage_error("failures: expected a URL of a project")
    with progress("failures") as waiting:
        async with connect_to(named.server, server, hooks=waiting.hooks()) as gitlab:
            if web:
                return await named.show_pages(gitlab, "jobs?statuses=FAILED")
            named.note()
            groups = await gitlab.list_failures(named.names, since=since, ref=options.ref)
            found = await _with_logs(gitlab, groups[: options.limit], options, waiting)
    with paged(is_wanted=not (no_pager or json)):
        if shows_lines and found and not json:
            blocks = [Text("\n").join(failure_lines(one, now)) for one in found]
            console().print(Text("\n\n").join(blocks), soft_wrap=True)
        else:
            values = [failure_json(one) for one in found] if json else []
            print_table(found, shown, values, nothing="no failed jobs", json=json)
    if len(groups) > len(found):
        print_note(
            f"{len(found)} of {counted(len(groups), 'group')}; --limit {len(groups)} shows all"
        )
    return OK


async def _with_logs(
    gitlab: GitLab, groups: Sequence[FailureGroup], options: FailureOptions, waiting: Progress
) -> list[Failed]:
    if not options.logs:
        return [Failed(group) for group in groups]

    async def read(group: FailureGroup) -> Failed:
        found = await _with_log(gitlab, group, options.lines)
        waiting.add()
        return found

    waiting.expect(len(groups), "log")
    return await gather_all([read(group) for group in groups])


async def _with_log(gitlab: GitLab, group: FailureGroup, lines: int) -> Failed:
    project = gitlab.project(group.newest.project_id or group.project)
    try:
        return Failed(group, await project.get_failure(group.newest, lines=lines))
    except GitLabError as error:
        # A log that cannot be read must not hide the other groups.
        return Failed(group, problem=error_line(error))
