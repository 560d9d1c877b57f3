"""The command `timeline`: a pipeline as a waterfall, live while it runs."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Final

from attrs import frozen
from cyclopts import Parameter

from gitlab_jobs_async.cli.closed_pipe import until_reader_closes
from gitlab_jobs_async.cli.errors import FAILED, OK, usage_error
from gitlab_jobs_async.cli.finding.resolve import Finder, FoundPipeline, open_project
from gitlab_jobs_async.cli.finding.selection import Selection, select_pipeline
from gitlab_jobs_async.cli.options import (
    ANY_SERVER,
    PIPELINE_FORMS,
    Columns,
    Interval,
    Json,
    NoPager,
    ProjectOption,
    ServerOptions,
    Web,
)
from gitlab_jobs_async.cli.output import chosen_columns, print_table
from gitlab_jobs_async.cli.output_files import atomic_file
from gitlab_jobs_async.cli.pager import paged
from gitlab_jobs_async.cli.progress import progress
from gitlab_jobs_async.cli.terminal import (
    is_terminal,
    moves_cursor,
    print_note,
    write_json,
)
from gitlab_jobs_async.cli.views.columns import Column
from gitlab_jobs_async.cli.views.rows import json_line
from gitlab_jobs_async.cli.views.screen import console
from gitlab_jobs_async.cli.waterfall.html import timeline_html
from gitlab_jobs_async.cli.waterfall.live import glyphs_of, print_waterfall, show_live
from gitlab_jobs_async.cli.waterfall.plain import (
    TIMELINE_COLUMNS,
    TIMELINE_DEFAULT,
    ShownAttempt,
    attempts_of,
    timeline_json,
)
from gitlab_jobs_async.cli.waterfall.rows import chart_of
from gitlab_jobs_async.cli.waterfall.svg import timeline_svg
from gitlab_jobs_async.cli.web_page import show_page
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.models.timelines import PipelineTimeline

_ROOM: Final = 60
"""Rows of a terminal, beyond which short jobs are folded."""

_PAGE_ROOM: Final = 120
_BAD: Final = frozenset({JobStatus.FAILED, JobStatus.CANCELED})


@Parameter(name="*")
@frozen(kw_only=True)
class TimelineOptions:
    """Options of what to show, and where."""

    follow: Annotated[
        bool | None,
        Parameter(
            negative="--no-follow",
            help="Until the pipeline has ended, with exit code 1 if it failed or was canceled. "
            "A terminal is live without it, and exits with 0.",
        ),
    ] = None
    show_all: Annotated[
        bool, Parameter(name="--all", help="Do not fold the short jobs of a large pipeline.")
    ] = False
    needs: Annotated[
        bool,
        Parameter(
            negative="--no-needs", help="Do not ask by GraphQL which job needs which; use stages."
        ),
    ] = True
    svg: Annotated[Path | None, Parameter(metavar="FILE", help="Write a picture to this file.")] = (
        None
    )
    html: Annotated[
        Path | None, Parameter(metavar="FILE", help="Write a page, which needs no other file.")
    ] = None
    ascii_only: Annotated[
        bool,
        Parameter(name="--ascii", help="Draw with ASCII only, as in a locale without Unicode."),
    ] = False


_DEFAULT = TimelineOptions()


async def timeline(
    *words: Annotated[
        str,
        Parameter(
            name="PIPELINE",
            help=f"{PIPELINE_FORMS[0].upper()}{PIPELINE_FORMS[1:]}; the project may precede it. "
            "Default: the newest of the git checkout.",
        ),
    ],
    project: ProjectOption = None,
    pipeline: Annotated[
        str | None,
        Parameter(metavar="PIPELINE", help="The same as PIPELINE, as other commands name it."),
    ] = None,
    options: TimelineOptions = _DEFAULT,
    interval: Interval = None,
    columns: Columns = None,
    web: Web = False,
    no_pager: NoPager = False,
    json: Json = False,
    server: ServerOptions = ANY_SERVER,
) -> int:
    """Show where the time of a pipeline goes."""
    shown = chosen_columns(columns, TIMELINE_COLUMNS, TIMELINE_DEFAULT, json=json)
    selection = select_pipeline(words, project, pipeline)
    if len(selection.jobs) > 1:
        raise usage_error("expected one PIPELINE")
    with progress("timeline") as waiting:
        client = open_project(server, selection, interval=interval, hooks=waiting.hooks())
        async with client as finder, until_reader_closes():
            found = await _pipeline_of(finder, selection)
            if web:
                await show_page((await found.read()).web_url)
                return OK
            writes = options.svg is not None or options.html is not None
            is_for_person = is_terminal() and not json and not writes and columns is None
            # None: a terminal follows what runs, all others take what is there.
            follows = is_for_person if options.follow is None else options.follow
            if follows:
                waiting.stop()
            timelines = await _read(
                found, options, follows=follows, is_live=is_for_person and moves_cursor()
            )
    with paged(is_wanted=not (no_pager or json or follows)):
        is_table = columns is not None
        _write(finder.name, timelines, options, shown, is_table=is_table, json=json)
    return FAILED if options.follow and timelines[0].pipeline.status in _BAD else OK


async def _pipeline_of(finder: Finder, selection: Selection) -> FoundPipeline:
    """Return the pipeline; the URL of a job stands for that of the job."""
    for job in selection.jobs:
        if isinstance(job, int):
            found = await finder.project.get_job(job)
            return await finder.pipeline(found.pipeline.id)
    return await finder.pipeline(selection.pipeline)


async def _read(
    found: FoundPipeline, options: TimelineOptions, *, follows: bool, is_live: bool
) -> Sequence[PipelineTimeline]:
    if not follows:
        return await found.project.list_timelines(found.id, needs=options.needs)
    followed = found.project.follow_timelines(found.id, needs=options.needs)
    if is_live:
        return await show_live(console(), followed, glyphs_of(is_ascii=options.ascii_only))
    return await _last(followed)


async def _last(
    followed: AsyncGenerator[Sequence[PipelineTimeline], None],
) -> Sequence[PipelineTimeline]:
    timelines: Sequence[PipelineTimeline] = ()
    async with aclosing(followed):
        async for newest in followed:
            timelines = newest
    return timelines


def _write(
    project: str,
    timelines: Sequence[PipelineTimeline],
    options: TimelineOptions,
    columns: Sequence[Column[ShownAttempt]],
    *,
    is_table: bool,
    json: bool,
) -> None:
    page = chart_of(timelines, None if options.show_all else _PAGE_ROOM)
    for path, document in ((options.svg, timeline_svg), (options.html, timeline_html)):
        if path is not None:
            with atomic_file(path) as out:
                out.write(document(page).encode())
            print_note(f"written: {path}")
    if json:
        write_json("".join(json_line(timeline_json(one)) for one in timelines))
    elif options.svg is None and options.html is None:
        if is_terminal() and not is_table:
            chart = chart_of(timelines, None if options.show_all else _ROOM)
            print_waterfall(console(), chart, glyphs_of(is_ascii=options.ascii_only))
        else:
            rows = list(attempts_of(project, timelines))
            print_table(rows, columns, [], nothing="no jobs", json=False)
