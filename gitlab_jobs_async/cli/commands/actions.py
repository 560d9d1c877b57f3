"""The commands that act on a job: `cancel`, `retry`, `erase` and `play`."""

import asyncio
import sys
from typing import Annotated

from cyclopts import Parameter

from gitlab_jobs_async.cli.arguments import pairs, project_id, typed_pairs
from gitlab_jobs_async.cli.cleaning import clean
from gitlab_jobs_async.cli.config.client import connect
from gitlab_jobs_async.cli.errors import FAILED, OK, CommandError, bad_input
from gitlab_jobs_async.cli.options import (
    ANY_SERVER,
    JobNumber,
    Json,
    ProjectName,
    ServerOptions,
    Switch,
    Yes,
)
from gitlab_jobs_async.cli.output import print_result

Inputs = Annotated[
    tuple[str, ...],
    Parameter(
        name="--input",
        help="An input of the job as K=V; a V that reads as a JSON number, boolean, list or "
        "quoted string is taken as such. May be given again.",
    ),
]
Variables = Annotated[
    tuple[str, ...],
    Parameter(
        name="--variable",
        help="A variable for this run as K=V. May be given again.",
    ),
]


async def cancel(
    project: ProjectName,
    job: JobNumber,
    /,
    *,
    force: Annotated[
        Switch, Parameter(help="End a job that hangs in canceling; for maintainers, since 18.x.")
    ] = False,
    json: Json = False,
    server: ServerOptions = ANY_SERVER,
) -> int:
    """Cancel a job. It may still be canceling for a while; a finished job stays as it is."""
    async with connect(server) as gitlab:
        found = await gitlab.project(project_id(project)).cancel_job(job, force=force)
    sentence = f"job {job} {clean(found.name)} is {clean(found.status)}"
    print_result(sentence, found, json=json)
    return OK


async def retry(
    project: ProjectName,
    job: JobNumber,
    /,
    *,
    inputs: Inputs = (),
    json: Json = False,
    server: ServerOptions = ANY_SERVER,
) -> int:
    """Run a job again. The new run is a job of its own, with a new id."""
    given = typed_pairs("--input", inputs)
    async with connect(server) as gitlab:
        found = await gitlab.project(project_id(project)).retry_job(job, inputs=given or None)
    sentence = f"job {job} {clean(found.name)} runs again as job {found.id}: {clean(found.status)}"
    print_result(sentence, found, json=json)
    return OK


async def play(
    project: ProjectName,
    job: JobNumber,
    /,
    *,
    variables: Variables = (),
    inputs: Inputs = (),
    json: Json = False,
    server: ServerOptions = ANY_SERVER,
) -> int:
    """Start a manual or delayed job."""
    values, given = pairs("--variable", variables), typed_pairs("--input", inputs)
    async with connect(server) as gitlab:
        found = await gitlab.project(project_id(project)).play_job(
            job, variables=values or None, inputs=given or None
        )
    again = "" if found.id == job else f" runs again as job {found.id}:"
    sentence = f"job {job} {clean(found.name)}{again or ' is'} {clean(found.status)}"
    print_result(sentence, found, json=json)
    return OK


def erase(
    project: ProjectName,
    job: JobNumber,
    /,
    *,
    yes: Yes = False,
    json: Json = False,
    server: ServerOptions = ANY_SERVER,
) -> int:
    """Remove a finished job's log and artifacts, for ever. Asks before; a script must say --yes."""
    if not yes:
        confirm(f"Erase the log and artifacts of job {job} in {clean(project)}?")
    return asyncio.run(_erase(project, job, json=json, server=server))


async def _erase(project: str, job: int, *, json: bool, server: ServerOptions) -> int:
    async with connect(server) as gitlab:
        found = await gitlab.project(project_id(project)).erase_job(job)
    print_result(f"job {job} {clean(found.name)} is erased", found, json=json)
    return OK


def confirm(question: str) -> None:
    """Go on only if the person at the terminal says yes.

    Asked before any loop runs, where Ctrl-C ends the waiting at once.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise bad_input(f"{question} Nobody is there to ask; say --yes")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise CommandError("nothing was done", FAILED)
