"""The command `run`: create a pipeline, and print its jobs' changes until it has ended."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

from attrs import define, field
from cyclopts import Parameter

from gitlab_jobs_async.cli.arguments import parse_pairs, parse_typed_pairs, project_id
from gitlab_jobs_async.cli.closed_pipe import until_reader_closes
from gitlab_jobs_async.cli.commands.actions import VariableOption
from gitlab_jobs_async.cli.config.client import connect
from gitlab_jobs_async.cli.errors import FAILED, OK
from gitlab_jobs_async.cli.options import ANY_SERVER, Interval, Json, ProjectName, ServerOptions
from gitlab_jobs_async.cli.terminal import break_line, print_error, write, write_json
from gitlab_jobs_async.cli.views.rows import json_line, moment, plain_line
from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.models.pipelines import Pipeline
from gitlab_jobs_async.models.statuses import JobStatus

Until = Literal["finished", "blocked"]


async def run(
    project: ProjectName,
    ref: Annotated[str, Parameter(name="REF", help="Branch or tag.")],
    /,
    *,
    variables: VariableOption = (),
    inputs: Annotated[
        tuple[str, ...],
        Parameter(
            name="--input",
            metavar="K=V...",
            help="Input that the configuration declares; V may be a JSON number, boolean, list "
            "or quoted string. Repeatable.",
        ),
    ] = (),
    until: Annotated[
        Until, Parameter(help="blocked: also end when only a manual job can continue it.")
    ] = "finished",
    interval: Interval = None,
    json: Json = False,
    server: ServerOptions = ANY_SERVER,
) -> int:
    """Create a pipeline, wait for it and return the exit code of its status."""
    values, given = parse_pairs("--variable", variables), parse_typed_pairs("--input", inputs)
    view = _Progress(project, is_json=json)
    async with connect(server, interval=interval) as gitlab, until_reader_closes():
        try:
            ended = await gitlab.project(project_id(project)).run_pipeline(
                ref,
                variables=values or None,
                inputs=given or None,
                until=until,
                progress=view.show,
            )
        except BaseException as error:
            view.on_error(error)
            raise
    return FAILED if ended.status in {JobStatus.FAILED, JobStatus.CANCELED} else OK


@define(eq=False, repr=False)
class _Progress:
    """Prints a pipeline and its jobs whenever one has changed its status."""

    project: str
    is_json: bool
    _pipeline: Pipeline | None = field(default=None, init=False)
    _statuses: dict[int, JobStatus] = field(factory=dict, init=False)

    def show(self, pipeline: Pipeline, jobs: list[Job]) -> None:
        """Print what has changed; the end of the pipeline comes last."""
        is_new, before = self._pipeline is None, self._pipeline
        self._pipeline = pipeline
        if is_new:
            self._show_pipeline(pipeline, "pipeline_created", pipeline.web_url)
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
        if self.is_json:
            write_json(json_line(value))
        else:
            write(plain_line([moment(datetime.now(UTC)), self.project, *cells]))
