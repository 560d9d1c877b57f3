"""The commands that show logs: `trace` as it is, `tail` to the job's end.

A file or pipe gets a trace's very bytes; a terminal gets lines, in which only colours are left.
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
    """Which logs, from where on and how far."""

    pipeline: Annotated[
        int | None,
        Parameter(
            validator=Number(gte=1),
            help="Instead of JOB: all jobs of this pipeline that are running.",
        ),
    ] = None
    lines: Annotated[
        Count,
        Parameter(
            alias="-n",
            help="Of what is there already, only the last so many lines, before --section and "
            "--grep choose among them.",
        ),
    ] = None
    offset: Annotated[
        Count, Parameter(help="Begin at this byte of the log, where another call has stopped.")
    ] = None
    follow: Annotated[
        bool,
        Parameter(negative="--no-follow", help="Go on until the job ends, which is the default."),
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
    """A job's log as it is now, in constant memory.

    A pipe or file gets the bytes that GitLab stores; a terminal the lines, with colours and
    without anything else that could drive it.
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
    *jobs: Annotated[int, Parameter(name="JOB", help="Ids of jobs: one, or several side by side.")],
    extent: Extent = _WHOLE,
    look: Look = _PLAIN,
    raw: Annotated[
        bool, Parameter(help="One log's bytes as they are, into a file or pipe.")
    ] = False,
    json: Annotated[
        bool, Parameter(help="One JSON object a line: project, job_id and the parts of a line.")
    ] = False,
    server: ServerOptions = ANY_SERVER,
) -> int:
    """Follow logs line by line until their jobs have ended.

    Exit code 1 when a job had failed or was canceled; with --no-follow it is 0 in any case.
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
        raise bad_input("name a JOB, or several, or say --pipeline ID")
    if jobs and extent.pipeline is not None:
        raise bad_input("--pipeline does not go with JOB: it stands for all that are running")
    if extent.offset is None:
        return
    if len(jobs) != 1:
        raise bad_input("--offset goes with one JOB")
    if extent.lines is not None or not extent.follow:
        raise bad_input("--offset goes neither with --lines nor with --no-follow")


def _check_raw(jobs: Sequence[int], extent: Extent, look: Look, *, json: bool) -> None:
    if len(jobs) != 1:
        raise bad_input("--raw goes with one JOB")
    if json or extent.lines is not None or look != _PLAIN:
        raise bad_input(
            "--raw is for the bytes as they are; only --offset and --no-follow go with it"
        )
    if is_terminal():
        raise bad_input("--raw is for a file or pipe: what jobs print can drive a terminal")


async def _names(project: Project, jobs: Sequence[int], pipeline: int | None) -> dict[int, str]:
    """The jobs to follow and their names, which are shown only where there are several.

    Even the one is asked for: a server or job that is not there is said at once.
    """
    if pipeline is not None:
        running = await project.list_pipeline_jobs(pipeline, scope=JobStatus.RUNNING)
        return {job.id: job.name for job in sorted(running, key=lambda job: job.id)}
    found = await gather_all([project.get_job(job_id) for job_id in jobs])
    return {job.id: job.name if len(found) > 1 else "" for job in found}


def _line_writer(
    project: str, names: Mapping[int, str], look: Look, *, json: bool
) -> Callable[[int, LogLine], None]:
    """Return what writes a line of a job."""
    labels = {job_id: f"{project}/{job_id} {name}" for job_id, name in names.items() if name}
    view = LogView(look, is_coloured=_is_coloured(look.color), labels=labels)

    def write_line(job_id: int, line: LogLine) -> None:
        if not json:
            write(view.text(job_id, line))
        elif view.is_shown(line):
            write_json(line_as_json(project, job_id, line))

    return write_line


def _options(look: Look, server: ServerOptions, *, raw: bool, json: bool) -> list[str]:
    """What to type again for the same; the token is nothing to show."""
    named = {"url": server.url, "profile": server.profile}
    switches = {"raw": raw, "json": json}
    said = [f"--{name}" for name, value in switches.items() if value]
    said += [f"--{name}={value}" for name, value in named.items() if value is not None]
    return said + look.arguments()


def _is_coloured(wanted: bool | None) -> bool:  # noqa: FBT001 - yes, no, or as the terminal has it
    return may_colour() if wanted is None else wanted
