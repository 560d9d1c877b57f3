"""Commands that show logs: `trace` prints the current one, `tail` follows it to the job's end.

A file or pipe gets the bytes of a trace. A terminal gets lines, without any control but colours.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Annotated

from attrs import frozen
from cyclopts import Parameter
from cyclopts.validators import Number

from gitlab_jobs_async.cli.arguments import project_id
from gitlab_jobs_async.cli.config.client import connect
from gitlab_jobs_async.cli.errors import OK, bad_input
from gitlab_jobs_async.cli.log_writer import LogWriter
from gitlab_jobs_async.cli.options import (
    ANY_SERVER,
    Color,
    JobNumber,
    Output,
    ProjectName,
    ServerOptions,
)
from gitlab_jobs_async.cli.output_files import whole_file
from gitlab_jobs_async.cli.terminal import (
    complain,
    is_terminal,
    may_colour,
    stdout_bytes,
    write,
    write_json,
)
from gitlab_jobs_async.cli.views.log_lines import LogView, Look, line_as_json
from gitlab_jobs_async.concurrency import gather_all
from gitlab_jobs_async.models.jobs import LogLine
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.project import Project

Count = Annotated[int | None, Parameter(validator=Number(gte=0))]


@Parameter(name="*")
@frozen(kw_only=True)
class Extent:
    """Options that select the logs, and the part of them to show."""

    pipeline: Annotated[
        int | None,
        Parameter(
            validator=Number(gte=1),
            help="Follow all running jobs of this pipeline instead of JOB.",
        ),
    ] = None
    lines: Annotated[
        Count,
        Parameter(
            alias="-n",
            help="Show only the last N existing lines; --section and --grep then filter them.",
        ),
    ] = None
    offset: Annotated[
        Count, Parameter(help="Start at this byte of the log, as printed by an earlier call.")
    ] = None
    follow: Annotated[
        bool,
        Parameter(negative="--no-follow", help="Follow the log until the job ends (default)."),
    ] = True


_WHOLE = Extent()
_PLAIN = Look()


async def trace(
    project: ProjectName,
    job: JobNumber,
    /,
    *,
    output: Output = None,
    color: Color = None,
    server: ServerOptions = ANY_SERVER,
) -> int:
    """Print a job's current log, in constant memory.

    A pipe or file gets the bytes that GitLab stores. A terminal gets lines with colours, and no
    other control sequences.
    """
    async with connect(server) as gitlab:
        handle = gitlab.project(project_id(project))
        if output is None and is_terminal():
            view = LogView(_PLAIN, is_coloured=_is_coloured(color))
            async with aclosing(handle.tail(job, follow=False)) as lines:
                async for line in lines:
                    write(view.text(job, line))
            return OK
        async with handle.stream_trace(job) as chunks:
            with whole_file(output) if output else stdout_bytes() as out:
                async for chunk in chunks:
                    out.write(chunk)
    return OK


async def tail(
    project: ProjectName,
    /,
    *jobs: Annotated[int, Parameter(name="JOB", help="Job ids, one or several.")],
    extent: Extent = _WHOLE,
    look: Look = _PLAIN,
    raw: Annotated[
        bool, Parameter(help="Write the bytes of one log unchanged, to a file or pipe.")
    ] = False,
    json: Annotated[
        bool,
        Parameter(
            help="Print one JSON object per line: project, job_id and the fields of the line."
        ),
    ] = False,
    server: ServerOptions = ANY_SERVER,
) -> int:
    """Follow logs line by line until their jobs have ended.

    The exit code is 1 if a job failed or was canceled; with --no-follow it is always 0.
    """
    ids = tuple(dict.fromkeys(jobs))
    _check(ids, extent)
    if raw:
        _check_raw(ids, extent, look, json=json)
    async with connect(server) as gitlab:
        handle = gitlab.project(project_id(project))
        names = await _names(handle, ids, extent.pipeline)
        if not names:
            complain(f"no job of pipeline {extent.pipeline} is running")
            return OK
        options = _options(look, server, raw=raw, json=json)
        writer = LogWriter(gitlab, handle, project, options, dict.fromkeys(names, extent.offset))
        if raw:
            await writer.write_bytes(follow=extent.follow)
        else:
            await writer.write_lines(
                _line_writer(project, names, look, json=json),
                last=extent.lines,
                follow=extent.follow,
                is_counted=json or look.sections or look.section is not None,
            )
        return await writer.exit_code() if extent.follow else writer.code_so_far


def _check(jobs: Sequence[int], extent: Extent) -> None:
    if not jobs and extent.pipeline is None:
        raise bad_input("missing JOB: expected at least one, or --pipeline ID")
    if jobs and extent.pipeline is not None:
        raise bad_input("--pipeline does not go with JOB: expected one of them")
    if extent.offset is None:
        return
    if len(jobs) != 1:
        raise bad_input("--offset needs exactly one JOB")
    if extent.lines is not None or not extent.follow:
        raise bad_input("--offset does not go with --lines or --no-follow")


def _check_raw(jobs: Sequence[int], extent: Extent, look: Look, *, json: bool) -> None:
    if len(jobs) != 1:
        raise bad_input("--raw needs exactly one JOB")
    if json or extent.lines is not None or look != _PLAIN:
        raise bad_input(
            "--raw writes the bytes unchanged: expected no options but --offset and --no-follow"
        )
    if is_terminal():
        raise bad_input("--raw needs a file or pipe: job output could control the terminal")


async def _names(project: Project, jobs: Sequence[int], pipeline: int | None) -> dict[int, str]:
    """Return the names of the jobs by id; a single job has an empty one, which is not shown."""
    # Even a single job is requested, so that a missing server or job is reported at once.
    if pipeline is not None:
        running = await project.list_pipeline_jobs(pipeline, scope=JobStatus.RUNNING)
        return {job.id: job.name for job in sorted(running, key=lambda job: job.id)}
    found = await gather_all([project.get_job(job_id) for job_id in jobs])
    return {job.id: job.name if len(found) > 1 else "" for job in found}


def _line_writer(
    project: str, names: Mapping[int, str], look: Look, *, json: bool
) -> Callable[[int, LogLine], None]:
    """Return a function that writes a line of a job."""
    labels = {job_id: f"{project}/{job_id} {name}" for job_id, name in names.items() if name}
    view = LogView(look, is_coloured=_is_coloured(look.color), labels=labels)

    def write_line(job_id: int, line: LogLine) -> None:
        if not json:
            write(view.text(job_id, line))
        elif view.is_shown(line):
            write_json(line_as_json(project, job_id, line))

    return write_line


def _options(look: Look, server: ServerOptions, *, raw: bool, json: bool) -> list[str]:
    """Return the options that repeat this call, without the token."""
    named = {"url": server.url, "profile": server.profile}
    switches = {"raw": raw, "json": json}
    options = [f"--{name}" for name, value in switches.items() if value]
    options += [f"--{name}={value}" for name, value in named.items() if value is not None]
    return options + look.arguments()


def _is_coloured(wanted: bool | None) -> bool:  # noqa: FBT001 - None leaves it to the terminal
    return may_colour() if wanted is None else wanted
