"""The command `trace`: print the current log of a job.

A file or pipe gets the bytes of a trace. A terminal gets lines, without any control but colours.
"""

from contextlib import aclosing

from gitlab_jobs_async.cli.errors import OK
from gitlab_jobs_async.cli.finding.resolve import open_project
from gitlab_jobs_async.cli.finding.selection import Selection, select_job
from gitlab_jobs_async.cli.options import (
    ANY_SERVER,
    ANYWHERE,
    Color,
    FindOptions,
    JobWord,
    NoPager,
    Output,
    ServerOptions,
    Web,
)
from gitlab_jobs_async.cli.output_files import atomic_file
from gitlab_jobs_async.cli.pager import paged
from gitlab_jobs_async.cli.progress import Progress, progress
from gitlab_jobs_async.cli.terminal import (
    is_terminal,
    print_error,
    print_note,
    stdout_bytes,
    supports_colour,
    write,
)
from gitlab_jobs_async.cli.views.job_labels import ShownJob
from gitlab_jobs_async.cli.views.log_lines import LogView
from gitlab_jobs_async.cli.views.log_style import LogStyle
from gitlab_jobs_async.cli.web_page import show_selected
from gitlab_jobs_async.project import Project


async def trace(
    *words: JobWord,
    where: FindOptions = ANYWHERE,
    output: Output = None,
    color: Color = None,
    web: Web = False,
    no_pager: NoPager = False,
    server: ServerOptions = ANY_SERVER,
) -> int:
    """Print a job's current log, in constant memory.

    A pipe or file gets the bytes that GitLab stores. A terminal gets lines with colours, and no
    other control sequences.
    """
    selection = select_job(words, where)
    async with open_project(server, selection) as finder:
        if web:
            return await show_selected(finder, selection)
        project, (job,) = await finder.jobs(selection.jobs, selection.pipeline)
        if output is None and is_terminal():
            view = LogView(LogStyle(), supports_colour() if color is None else color)
            with (
                progress("log", "byte") as waiting,
                paged(is_wanted=not no_pager, starting=waiting.stop),
            ):
                await _write_lines(project, job, view, selection, waiting)
            return OK
        start = await _start_of(project, job, selection)
        async with project.stream_trace(job) as chunks:
            with (
                progress("log", "byte") as waiting,
                atomic_file(output) if output else stdout_bytes() as out,
            ):
                async for chunk in chunks:
                    out.write(chunk[start:])
                    start = max(0, start - len(chunk))
                    waiting.add(len(chunk))
    return OK


async def _write_lines(
    project: Project, job: int, view: LogView, selection: Selection, waiting: Progress
) -> None:
    """Write the lines of a log from the first selected one on."""
    shown = ShownJob(str(project.id), job, "")
    number = 0
    async with aclosing(project.tail(job, follow=False)) as lines:
        async for line in lines:
            number = line.number
            waiting.update(line.end, None)
            if number >= selection.first_line:
                write(view.text(shown, line))
    if not number:
        print_note(f"job {job} has no log lines yet")
    elif missing := selection.missing_line(number):
        print_error(missing)


async def _start_of(project: Project, job: int, selection: Selection) -> int:
    """Return the byte at which the first selected line of a log begins, or its end."""
    start = number = 0
    if selection.line is None:
        return start
    async with aclosing(project.tail(job, follow=False)) as lines:
        async for line in lines:
            number = line.number
            if number < selection.first_line:
                start = line.end
            if number >= selection.line:
                break
    if missing := selection.missing_line(number):
        print_error(missing)
    return start
