"""Follow jobs or a pipeline that a command has started, to their ends."""

from collections.abc import Sequence
from typing import Final, Literal

from gitlab_jobs_async.cli.closed_pipe import until_reader_closes
from gitlab_jobs_async.cli.errors import FAILED, OK
from gitlab_jobs_async.cli.finding.resolve import FoundPipeline
from gitlab_jobs_async.cli.log_writer import LogWriter
from gitlab_jobs_async.cli.pipeline_writer import PipelineWriter
from gitlab_jobs_async.cli.tail.printer import LogPrinter
from gitlab_jobs_async.cli.terminal import supports_colour
from gitlab_jobs_async.cli.views.job_labels import ShownJob
from gitlab_jobs_async.cli.views.log_lines import LogView
from gitlab_jobs_async.cli.views.log_style import LogStyle
from gitlab_jobs_async.client import GitLab
from gitlab_jobs_async.clock import SystemClock
from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.models.pipelines import Pipeline
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.project import Project

Until = Literal["finished", "blocked"]
_CHECKS: Final = 10


async def follow_logs(gitlab: GitLab, project: Project, jobs: Sequence[Job], *, json: bool) -> int:
    """Write the logs of jobs until they end; return the exit code of their results."""
    printer = LogPrinter(LogView(LogStyle(), supports_colour()), is_json=json)
    name = str(project.id)
    for job in jobs:
        # A single job is written without its name.
        printer.add(ShownJob.of(name, job), job, is_labelled=len(jobs) > 1)
    options = ["--json"] if json else []
    resume_at: dict[int, int | None] = dict.fromkeys(job.id for job in jobs)
    writer = LogWriter(gitlab, project, name, jobs, options, resume_at)
    await writer.write_lines(printer, last=None)
    return await writer.exit_code()


async def follow_pipeline(
    at: FoundPipeline, view: PipelineWriter, *, until: Until = "finished"
) -> int:
    """Write the changes of a pipeline until it ends; return the exit code of its result."""
    async with until_reader_closes():
        try:
            ended = await at.project.wait_for_pipeline(at.id, until=until, progress=view.show)
        except BaseException as error:
            view.on_error(error)
            raise
    return result_of(ended)


async def until_restarted(at: FoundPipeline) -> None:
    """Return once the status of a retried pipeline is that of its new jobs."""
    clock = SystemClock()
    for _ in range(_CHECKS):
        pipeline = await at.project.get_pipeline(at.id)
        if not pipeline.status.is_finished:
            return
        # GitLab changes the status some time after the jobs.
        jobs = await at.project.list_pipeline_jobs(at.id)
        if all(job.status.is_finished or job.status == JobStatus.MANUAL for job in jobs):
            return
        await clock.sleep(1.0)


def result_of(ended: Pipeline | Job) -> int:
    """Return the exit code of a pipeline or job that has ended."""
    return FAILED if ended.status in {JobStatus.FAILED, JobStatus.CANCELED} else OK
