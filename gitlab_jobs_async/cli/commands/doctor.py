"""The command `doctor`: ask a server what the client assumes of it."""

from contextlib import nullcontext
from typing import Annotated, TypeVar

from attrs import evolve
from cyclopts import Parameter

from gitlab_jobs_async.api.parameters import project_path
from gitlab_jobs_async.cli.config.client import connect_to
from gitlab_jobs_async.cli.doctor.checks import checks_of, exit_code
from gitlab_jobs_async.cli.doctor.findings import Findings
from gitlab_jobs_async.cli.doctor.probe import diagnose
from gitlab_jobs_async.cli.doctor.questions import MOST_REQUESTS
from gitlab_jobs_async.cli.doctor.report import as_json, as_table, names_of, plain_rows
from gitlab_jobs_async.cli.doctor.request_cap import RequestCap
from gitlab_jobs_async.cli.errors import NOT_FOUND, CommandError, error_line, usage_error
from gitlab_jobs_async.cli.finding.location import Located, locate
from gitlab_jobs_async.cli.finding.selection import parse_group, parse_project
from gitlab_jobs_async.cli.options import ANY_SERVER, Json, ServerOptions
from gitlab_jobs_async.cli.output import print_rows
from gitlab_jobs_async.cli.terminal import is_terminal
from gitlab_jobs_async.cli.views.screen import console
from gitlab_jobs_async.clock import SystemClock
from gitlab_jobs_async.errors import NotFoundError

T = TypeVar("T")


async def doctor(
    *,
    project: Annotated[
        str | None,
        Parameter(
            metavar="PROJECT",
            help="Project whose jobs are read. Default: one that the token is a member of.",
        ),
    ] = None,
    group: Annotated[
        str | None,
        Parameter(
            metavar="GROUP", help="Group, by id or path, whose projects GraphQL is asked about."
        ),
    ] = None,
    names: Annotated[
        bool, Parameter(help="Include the names of server, user, project and group.")
    ] = False,
    json: Json = False,
    server: ServerOptions = ANY_SERVER,
) -> int:
    """Ask the server, print the report and return the exit code."""
    # Each repetition is decided where an answer is missing: some errors are answers.
    once = evolve(server, attempts=1)
    place = locate(
        once,
        [] if project is None else [_checked("--project", parse_project(project))],
        groups=[] if group is None else [_checked("--group", parse_group(group))],
    )
    findings, url = await _asked(place, once, attempts=server.attempts, quiet=json)
    checks = checks_of(findings)
    shown = names_of(findings, url) if names else {}
    print_rows(
        [as_json(findings, checks, shown)],
        plain_rows(checks, shown),
        lambda: as_table(findings, checks, shown),
        json=json,
    )
    return exit_code(findings, checks)


def _checked(option: str, name: T) -> T:
    """Return an id, path or page; raise for an invalid path."""
    if isinstance(name, int | str):
        try:
            project_path(name)
        except ValueError:
            raise usage_error(
                f"{option} {name!r}: expected an id, a full path such as group/app or a URL"
            ) from None
    return name


async def _asked(
    place: Located, once: ServerOptions, *, attempts: int, quiet: bool
) -> tuple[Findings, str]:
    cap = RequestCap(most=MOST_REQUESTS)
    is_shown = is_terminal() and not quiet
    waiting = console().status("asking the server") if is_shown else nullcontext()
    async with connect_to(place.server, once, cap) as gitlab:
        try:
            with waiting:
                findings = await diagnose(
                    gitlab,
                    cap,
                    SystemClock(),
                    project=next(iter(place.projects), None),
                    group=next(iter(place.groups), None),
                    attempts=attempts,
                )
        except NotFoundError as error:
            raise CommandError(f"{error_line(error)}; expected a GitLab", NOT_FOUND) from error
        return findings, gitlab.url
