"""The command `wait`: until jobs or a pipeline have ended."""

from typing import Annotated

from cyclopts import Parameter

from gitlab_jobs_async.cli.cleaning import clean
from gitlab_jobs_async.cli.closed_pipe import until_reader_closes
from gitlab_jobs_async.cli.commands.following import Until, result_of
from gitlab_jobs_async.cli.errors import OK, usage_error
from gitlab_jobs_async.cli.finding.resolve import Finder, open_project
from gitlab_jobs_async.cli.finding.selection import Selection, select
from gitlab_jobs_async.cli.options import (
    ANY_PIPELINE,
    ANY_SERVER,
    Interval,
    JobWord,
    Json,
    PipelineOptions,
    ServerOptions,
    Web,
    check_seconds,
)
from gitlab_jobs_async.cli.output import print_result
from gitlab_jobs_async.cli.terminal import print_note
from gitlab_jobs_async.cli.views.counts import counted
from gitlab_jobs_async.cli.web_page import show_selected
from gitlab_jobs_async.concurrency import gather_all
from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.models.pipelines import Pipeline


async def wait(
    *words: JobWord,
    where: PipelineOptions = ANY_PIPELINE,
    until: Annotated[
        Until, Parameter(help="blocked: also end when only a manual job can continue a pipeline.")
    ] = "finished",
    timeout: Annotated[
        float | None,
        Parameter(
            metavar="SECONDS",
            validator=check_seconds,
            help="End with exit code 1 after this time.",
        ),
    ] = None,
    interval: Interval = None,
    web: Web = False,
    json: Json = False,
    server: ServerOptions = ANY_SERVER,
) -> int:
    """Wait for jobs or a pipeline and return the exit code of their results."""
    takes_project = where.pipeline is not None
    selection = select(words, where.project, where.pipeline, takes_project=takes_project)
    if selection.jobs and until != "finished":
        raise usage_error(f"--until {until}: expected a pipeline, not a JOB")
    async with (
        open_project(server, selection, interval=interval) as finder,
        until_reader_closes(),
    ):
        if web:
            await show_selected(finder, selection)
        if selection.jobs:
            return await _wait_for_jobs(finder, selection, timeout, json=json)
        at = await finder.pipeline(selection.pipeline)
        await at.read()  # a wrong server fails at once, which a wait rides out
        done = await at.project.wait_for_pipeline(
            at.id, until=until, timeout=timeout, progress=_note_pipeline
        )
    print_result(f"pipeline {done.id}: {clean(done.status)}", done, json=json)
    return result_of(done)


async def _wait_for_jobs(
    finder: Finder, selection: Selection, timeout: float | None, *, json: bool
) -> int:
    project, ids = await finder.jobs(selection.jobs, selection.pipeline)
    # A wrong server fails at once, which a wait rides out.
    await gather_all([project.get_job(number) for number in ids])
    ended = await gather_all(
        [project.wait_for_job(number, timeout=timeout, progress=_note_job) for number in ids]
    )
    for job in ended:
        reason = f", {job.failure_reason}" if job.failure_reason else ""
        sentence = f"job {job.id} {clean(job.name)}: {clean(job.status)}{clean(reason)}"
        print_result(sentence, job, json=json)
    return max((result_of(job) for job in ended), default=OK)


def _note_pipeline(pipeline: Pipeline, jobs: list[Job]) -> None:
    if not pipeline.status.is_finished:
        ended = sum(job.status.is_finished for job in jobs)
        print_note(
            f"pipeline {pipeline.id} is {pipeline.status}, {ended} of {counted(len(jobs), 'job')} "
            "ended"
        )


def _note_job(job: Job) -> None:
    if not job.status.is_finished:
        print_note(f"job {job.id} {job.name} is {job.status}")
