"""The command `trace`: print the current log of a job.

A file or pipe gets the bytes of a trace. A terminal gets lines, without any control but colours.
"""

from contextlib import aclosing

from gitlab_jobs_async.cli.errors import OK
from gitlab_jobs_async.cli.finding.resolve import open_project
from gitlab_jobs_async.cli.finding.selection import select_job
from gitlab_jobs_async.cli.options import (
    ANY_SERVER,
    ANYWHERE,
    Color,
    FindOptions,
    JobWord,
    NoPager,
    Output,
    ServerOptions,
)
from gitlab_jobs_async.cli.output_files import atomic_file
from gitlab_jobs_async.cli.pager import paged
from gitlab_jobs_async.cli.progress import progress
from gitlab_jobs_async.cli.terminal import (
    is_terminal,
    print_note,
    stdout_bytes,
    supports_colour,
    write,
)
from gitlab_jobs_async.cli.views.job_labels import ShownJob
from gitlab_jobs_async.cli.views.log_lines import LogView
from gitlab_jobs_async.cli.views.log_style import LogStyle


async def trace(
    *words: JobWord,
    where: FindOptions = ANYWHERE,
    output: Output = None,
    color: Color = None,
    no_pager: NoPager = False,
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
            shown = ShownJob(str(handle.id), job, "")
            view = LogView(LogStyle(), supports_colour() if color is None else color)
            is_empty = True
            with paged(is_wanted=not no_pager):
                async with aclosing(handle.tail(job, follow=False)) as lines:
                    async for line in lines:
                        is_empty = False
                        write(view.text(shown, line))
            if is_empty:
                print_note(f"job {job} has no log lines yet")
            return OK
        async with handle.stream_trace(job) as chunks:
            with (
                progress("log", "byte") as waiting,
                atomic_file(output) if output else stdout_bytes() as out,
            ):
                async for chunk in chunks:
                    out.write(chunk)
                    waiting.add(len(chunk))
    return OK
