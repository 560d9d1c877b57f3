"""Commands that show logs: `trace` prints the current one, `tail` follows it to the job's end.

A file or pipe gets the bytes of a trace. A terminal gets lines, without any control but colours.
"""

from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import Annotated

from attrs import frozen
from cyclopts import Parameter
from cyclopts.validators import Number

from gitlab_jobs_async.cli.errors import OK, usage_error
from gitlab_jobs_async.cli.finding.resolve import Finder, open_project
from gitlab_jobs_async.cli.finding.selection import Selection, select, select_job
from gitlab_jobs_async.cli.log_writer import LogWriter
from gitlab_jobs_async.cli.options import (
    ANY_PIPELINE,
    ANY_SERVER,
    ANYWHERE,
    OUTPUT_GROUP,
    Color,
    FindOptions,
    Interval,
    JobWord,
    Output,
    PipelineOptions,
    ServerOptions,
)
from gitlab_jobs_async.cli.output_files import atomic_file
from gitlab_jobs_async.cli.terminal import (
    is_terminal,
    print_error,
    stdout_bytes,
    supports_colour,
    write,
    write_json,
)
from gitlab_jobs_async.cli.views.log_lines import LogStyle, LogView, line_as_json
from gitlab_jobs_async.concurrency import gather_all
from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.models.logs import LogLine
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.project import Project

Count = Annotated[int | None, Parameter(validator=Number(gte=0), metavar="N")]


@Parameter(name="*")
@frozen(kw_only=True)
class LogRange:
    """Options that select the logs, and the part of them to show."""

    lines: Annotated[
        Count,
        Parameter(
            alias="-n",
            help="Show only the last N existing lines; --section and --grep then filter them.",
        ),
    ] = None
    offset: Annotated[
        Count,
        Parameter(
            metavar="BYTE", help="Start at this byte of the log, as printed by an earlier call."
        ),
    ] = None
    follow: Annotated[
        bool,
        Parameter(negative="--no-follow", help="Follow the log until the job ends (default)."),
    ] = True


_WHOLE = LogRange()
_DEFAULT_STYLE = LogStyle()


async def trace(
    *words: JobWord,
    where: FindOptions = ANYWHERE,
    output: Output = None,
    color: Color = None,
    server: ServerOptions = ANY_SERVER,
) -> int:
    """Print a job's current log, in constant memory.

    A pipe or file gets the bytes that GitLab stores. A terminal gets lines with colours, and no
    other control sequences.
    """
    selection = select_job(words, where)
    async with open_project(server, selection) as finder:
        handle, (job,) = await finder.jobs(selection.jobs, selection.pipeline)
        if output is None and is_terminal():
            view = LogView(_DEFAULT_STYLE, is_coloured=_is_coloured(color))
            async with aclosing(handle.tail(job, follow=False)) as lines:
                async for line in lines:
                    write(view.text(job, line))
            return OK
        async with handle.stream_trace(job) as chunks:
            with atomic_file(output) if output else stdout_bytes() as out:
                async for chunk in chunks:
                    out.write(chunk)
    return OK


async def tail(
    *words: JobWord,
    where: PipelineOptions = ANY_PIPELINE,
    log_range: LogRange = _WHOLE,
    style: LogStyle = _DEFAULT_STYLE,
    raw: Annotated[
        bool,
        Parameter(
            group=OUTPUT_GROUP, help="Write the bytes of one log unchanged, to a file or pipe."
        ),
    ] = False,
    json: Annotated[
        bool,
        Parameter(
            group=OUTPUT_GROUP,
            help="Print one JSON object per line: project, job_id and the fields of the line.",
        ),
    ] = False,
    interval: Interval = None,
    server: ServerOptions = ANY_SERVER,
) -> int:
    """Follow logs line by line until their jobs have ended.

    The exit code is 1 if a job failed or was canceled; with --no-follow it is always 0.
    """
    is_whole = where.pipeline is not None
    selection = select(words, where.project, where.pipeline, takes_project=is_whole)
    if not selection.jobs and selection.pipeline is None:
        raise usage_error("missing JOB: expected at least one, or --pipeline")
    _check(len(selection.jobs), log_range)
    if interval is not None and not log_range.follow:
        raise usage_error("--interval does not go with --no-follow")
    if raw:
        _check_raw(len(selection.jobs), log_range, style, json=json)
    async with open_project(server, selection, interval=interval) as finder:
        handle, found = await _jobs(finder, selection)
        if not found:
            print_error(f"no job of pipeline {selection.pipeline} is running")
            return OK
        options = _options(style, server, interval, raw=raw, json=json)
        # A single job is written without its name.
        is_named = len(found) > 1 or not selection.jobs
        names = {job.id: job.name if is_named else "" for job in found}
        resume_at: dict[int, int | None] = dict.fromkeys(names, log_range.offset)
        project = str(handle.id)
        writer = LogWriter(finder.gitlab, handle, project, found, options, resume_at)
        if raw:
            await writer.write_bytes(follow=log_range.follow)
        else:
            await writer.write_lines(
                _line_writer(project, names, style, json=json),
                last=log_range.lines,
                follow=log_range.follow,
                is_counted=json or style.sections or style.section is not None,
            )
        return await writer.exit_code() if log_range.follow else writer.code_so_far


def _check(jobs: int, log_range: LogRange) -> None:
    if log_range.offset is None:
        return
    if jobs != 1:
        raise usage_error("--offset needs exactly one JOB")
    if log_range.lines is not None or not log_range.follow:
        raise usage_error("--offset does not go with --lines or --no-follow")


def _check_raw(jobs: int, log_range: LogRange, style: LogStyle, *, json: bool) -> None:
    if jobs != 1:
        raise usage_error("--raw needs exactly one JOB")
    if json or log_range.lines is not None or style != _DEFAULT_STYLE:
        raise usage_error(
            "--raw writes the bytes unchanged: expected no options but --offset and --no-follow"
        )
    if is_terminal():
        raise usage_error("--raw needs a file or pipe: job output could control the terminal")


async def _jobs(finder: Finder, selection: Selection) -> tuple[Project, list[Job]]:
    """Return the jobs of a selection, or the running ones of its pipeline, with their project."""
    if not selection.jobs:
        at = await finder.pipeline(selection.pipeline)
        running = await at.project.list_pipeline_jobs(at.id, scope=JobStatus.RUNNING)
        return at.project, sorted(running, key=lambda job: job.id)
    # Even a single job is requested, so that a missing server or job is reported at once.
    project, ids = await finder.jobs(selection.jobs, selection.pipeline)
    return project, await gather_all([project.get_job(job_id) for job_id in ids])


def _line_writer(
    project: str, names: Mapping[int, str], style: LogStyle, *, json: bool
) -> Callable[[int, LogLine], None]:
    """Return a function that writes a line of a job."""
    labels = {job_id: f"{project}/{job_id} {name}" for job_id, name in names.items() if name}
    view = LogView(style, is_coloured=_is_coloured(style.color), labels=labels)

    def write_line(job_id: int, line: LogLine) -> None:
        if not json:
            write(view.text(job_id, line))
        elif view.is_shown(line):
            write_json(line_as_json(project, job_id, line))

    return write_line


def _options(
    style: LogStyle, server: ServerOptions, interval: float | None, *, raw: bool, json: bool
) -> list[str]:
    """Return the options that repeat this call, without the token."""
    named = {"interval": interval, "url": server.url, "profile": server.profile}
    switches = {"raw": raw, "json": json}
    options = [f"--{name}" for name, value in switches.items() if value]
    # With an equals sign, as a value may begin with a dash.
    options += [f"--{name}={value}" for name, value in named.items() if value is not None]
    return options + style.arguments()


def _is_coloured(wanted: bool | None) -> bool:  # noqa: FBT001 - None leaves it to the terminal
    return supports_colour() if wanted is None else wanted
