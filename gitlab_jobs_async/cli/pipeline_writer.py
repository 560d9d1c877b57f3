"""Write a pipeline and its jobs whenever one of them changes its status."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from attrs import define, field

from gitlab_jobs_async.cli import views
from gitlab_jobs_async.cli.terminal import break_line, is_terminal, print_error, write, write_json
from gitlab_jobs_async.cli.views.rows import json_line, plain_line
from gitlab_jobs_async.cli.views.times import utc_time
from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.models.pipelines import Pipeline
from gitlab_jobs_async.models.statuses import JobStatus


@define(eq=False, repr=False)
class PipelineWriter:
    """Writes changes as lines: for people on a terminal, in the columns of `watch` in a pipe.

    *first* is the event of the first line.
    """

    project: str
    is_json: bool
    first: str = "pipeline_created"
    _pipeline: Pipeline | None = field(default=None, init=False)
    _statuses: dict[int, JobStatus] = field(factory=dict, init=False)

    def show(self, pipeline: Pipeline, jobs: list[Job]) -> None:
        """Print what has changed; the end of the pipeline comes last."""
        is_new, before = self._pipeline is None, self._pipeline
        self._pipeline = pipeline
        if is_new:
            self._show_pipeline(pipeline, self.first, pipeline.web_url)
        for job in reversed(jobs):
            previous = self._statuses.get(job.id)
            if job.status != previous:
                self._show_job(job, previous)
        self._statuses = {job.id: job.status for job in jobs}
        if before is not None and before.status != pipeline.status:
            what = "pipeline_finished" if pipeline.status.is_finished else "pipeline_changed"
            self._show_pipeline(pipeline, what, f"was {before.status}")

    def on_error(self, error: BaseException) -> None:
        """Print on stderr which pipeline continues."""
        if isinstance(error, asyncio.CancelledError):
            break_line()
        for note in getattr(error, "__notes__", ()):
            print_error(note)

    def _show_pipeline(self, pipeline: Pipeline, what: str, detail: str) -> None:
        cells = [pipeline.id, None, None, what, pipeline.status, detail]
        self._write(pipeline, cells)

    def _show_job(self, job: Job, previous: JobStatus | None) -> None:
        if job.status.is_finished:
            what = "job_finished"
        else:
            what = "job_appeared" if previous is None else "job_changed"
        detail = job.failure_reason or ("" if previous is None else f"was {previous}")
        self._write(job, [job.pipeline.id, job.id, job.name, what, job.status, detail])

    def _write(self, value: Pipeline | Job, cells: Sequence[object]) -> None:
        now = datetime.now(UTC)
        if self.is_json:
            write_json(json_line(value))
        elif is_terminal():
            views.console().print(views.change_line(now.astimezone(), value, str(cells[-1])))
        else:
            write(plain_line([utc_time(now), self.project, *cells]))
