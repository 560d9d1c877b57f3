"""The command `doctor`: ask a server what the client assumes of it."""

from contextlib import nullcontext
from typing import Annotated

from attrs import evolve
from cyclopts import Parameter

from gitlab_jobs_async.api.parameters import ProjectId, project_path
from gitlab_jobs_async.cli.arguments import project_id
from gitlab_jobs_async.cli.config.client import connect
from gitlab_jobs_async.cli.doctor.checks import checks_of, exit_code
from gitlab_jobs_async.cli.doctor.findings import Findings
from gitlab_jobs_async.cli.doctor.probe import diagnose
from gitlab_jobs_async.cli.doctor.questions import MOST_REQUESTS
from gitlab_jobs_async.cli.doctor.report import as_json, as_table, names_of, plain_rows
from gitlab_jobs_async.cli.doctor.request_cap import RequestCap
from gitlab_jobs_async.cli.errors import NOT_FOUND, CommandError, error_line, usage_error
from gitlab_jobs_async.cli.options import ANY_SERVER, Json, ServerOptions
from gitlab_jobs_async.cli.output import print_rows
from gitlab_jobs_async.cli.terminal import is_terminal
from gitlab_jobs_async.cli.views.screen import console
from gitlab_jobs_async.clock import SystemClock
from gitlab_jobs_async.errors import NotFoundError


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
    targets = _checked("--project", project), _checked("--group", group)
    findings, url = await _asked(server, *targets, quiet=json)
    checks = checks_of(findings)
    shown = names_of(findings, url) if names else {}
    print_rows(
        [as_json(findings, checks, shown)],
        plain_rows(checks, shown),
        lambda: as_table(findings, checks, shown),
        json=json,
    )
    return exit_code(findings, checks)


def _checked(option: str, text: str | None) -> ProjectId | None:
    if text is None:
        return None
    target = project_id(text)
    try:
        project_path(target)
    except ValueError:
        raise usage_error(
            f"{option} {text!r}: expected an id or a full path such as group/app"
        ) from None
    return target


async def _asked(
    server: ServerOptions, project: ProjectId | None, group: ProjectId | None, *, quiet: bool
) -> tuple[Findings, str]:
    cap = RequestCap(most=MOST_REQUESTS)
    # Each repetition is decided where an answer is missing: some errors are answers.
    once = evolve(server, attempts=1)
    is_shown = is_terminal() and not quiet
    waiting = console().status("asking the server") if is_shown else nullcontext()
    async with connect(once, cap) as gitlab:
        try:
            with waiting:
                findings = await diagnose(
                    gitlab,
                    cap,
                    SystemClock(),
                    project=project,
                    group=group,
                    attempts=server.attempts,
                )
        except NotFoundError as error:
            raise CommandError(f"{error_line(error)}; expected a GitLab", NOT_FOUND) from error
        return findings, gitlab.url
