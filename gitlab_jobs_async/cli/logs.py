"""The commands that show logs: `trace` as it is, `tail` to the job's end.

A file or pipe gets a trace's very bytes; a terminal gets lines, in which only colours are left.
"""

from collections.abc import AsyncIterator, Callable
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from gitlab_jobs_async.cli.arguments import project_id
from gitlab_jobs_async.cli.connecting import connect
from gitlab_jobs_async.cli.failures import FAILED, OK
from gitlab_jobs_async.cli.files import whole_file
from gitlab_jobs_async.cli.options import (
    ANY_SERVER,
    JobNumber,
    Json,
    NoColor,
    Output,
    ProjectName,
    ServerOptions,
)
from gitlab_jobs_async.cli.rows import json_line
from gitlab_jobs_async.cli.terminal import complain, is_terminal, may_colour, stdout_bytes, write
from gitlab_jobs_async.models import LogLine
from gitlab_jobs_async.project import Project
from gitlab_jobs_async.statuses import JobStatus

_RESET = "\x1b[0m"


async def trace(
    project: ProjectName,
    job: JobNumber,
    /,
    *,
    output: Output = None,
    no_color: NoColor = False,
    server: ServerOptions = ANY_SERVER,
) -> int:
    """A job's log as it is now, in constant memory.

    A pipe or file gets the bytes that GitLab stores; a terminal the lines, with colours and
    without anything else that could drive it.
    """
    async with connect(server) as gitlab:
        handle = gitlab.project(project_id(project))
        if output is None and is_terminal():
            await _printed(handle.tail(job, follow=False), _line_of(no_color=no_color))
            return OK
        async with handle.stream_trace(job) as chunks:
            with whole_file(output) if output else stdout_bytes() as out:
                async for chunk in chunks:
                    out.write(chunk)
    return OK


async def tail(
    project: ProjectName,
    job: JobNumber,
    /,
    *,
    lines: Annotated[
        int | None,
        Parameter(
            alias="-n",
            validator=Number(gte=0),
            help="Of what is there already, only the last so many lines.",
        ),
    ] = None,
    follow: Annotated[
        bool,
        Parameter(negative="--no-follow", help="Go on until the job ends, which is the default."),
    ] = True,
    no_color: NoColor = False,
    json: Json = False,
    server: ServerOptions = ANY_SERVER,
) -> int:
    """Follow a job's log line by line until the job has ended.

    Exit code 1 when the job had failed or was canceled; with --no-follow it is 0 in any case.
    """
    async with connect(server) as gitlab:
        handle = gitlab.project(project_id(project))
        shown = json_line if json else _line_of(no_color=no_color)
        await _printed(handle.tail(job, lines=lines, follow=follow), shown)
        return await _code_of_job(handle, job) if follow else OK


async def _printed(lines: AsyncIterator[LogLine], shown: Callable[[LogLine], str]) -> None:
    async for line in lines:
        write(shown(line))


async def _code_of_job(project: Project, job_id: int) -> int:
    ended = await project.get_job(job_id)
    if ended.status in {JobStatus.FAILED, JobStatus.CANCELED}:
        reason = f" ({ended.failure_reason})" if ended.failure_reason else ""
        complain(f"job {job_id} {ended.status}{reason}")
        return FAILED
    return OK


def _line_of(*, no_color: bool) -> Callable[[LogLine], str]:
    if no_color or not may_colour():
        return lambda line: f"{line.text}\n"
    return lambda line: f"{line.raw}{_RESET}\n" if line.raw != line.text else f"{line.text}\n"
