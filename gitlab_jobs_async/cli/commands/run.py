"""The command `run`: create a pipeline, and print its jobs' changes until it has ended."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

from attrs import define, field
from cyclopts import Parameter

from gitlab_jobs_async.cli.arguments import parse_pairs, parse_typed_pairs
from gitlab_jobs_async.cli.closed_pipe import until_reader_closes
from gitlab_jobs_async.cli.errors import FAILED, OK, usage_error
from gitlab_jobs_async.cli.finding.references import is_url, parse_url
from gitlab_jobs_async.cli.finding.resolve import Finder, open_project
from gitlab_jobs_async.cli.finding.selection import Selection, parse_project
from gitlab_jobs_async.cli.options import (
    ANY_SERVER,
    Interval,
    Json,
    ProjectOption,
    ServerOptions,
    Variables,
)
from gitlab_jobs_async.cli.terminal import break_line, print_error, write, write_json
from gitlab_jobs_async.cli.views.rows import json_line, plain_line
from gitlab_jobs_async.cli.views.times import utc_time
from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.models.pipelines import Pipeline
from gitlab_jobs_async.models.statuses import JobStatus

Until = Literal["finished", "blocked"]


async def run(
    *words: Annotated[
        str,
        Parameter(
            name="REF",
            help="Branch or tag; the project may precede it. Default: both of the git checkout.",
        ),
    ],
    project: ProjectOption = None,
    variables: Variables = (),
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
    selection, ref = _branch(words, project)
    async with open_project(server, selection, interval=interval) as finder, until_reader_closes():
        wanted = _current(finder) if ref is None else ref
        finder.note(wanted)
        view = _Progress(finder.name, is_json=json)
        try:
            ended = await finder.project.run_pipeline(
                wanted,
                variables=values or None,
                inputs=given or None,
                until=until,
                progress=view.show,
            )
        except BaseException as error:
            view.on_error(error)
            raise
    return FAILED if ended.status in {JobStatus.FAILED, JobStatus.CANCELED} else OK


def _branch(words: Sequence[str], project: str | None) -> tuple[Selection, str | None]:
    """Return the project, and the ref if one is named."""
    names = list(words)
    if project is None and (len(names) > 1 or (names and is_url(names[0]))):
        project = names.pop(0)
    if len(names) > 1:
        raise usage_error(f"REF {names[1]!r}: expected at most a PROJECT and a REF")
    ref = names[0] if names else None
    if project is None:
        return Selection(), ref
    page = parse_url(project) if is_url(project) else None
    return Selection(page or parse_project(project)), page.ref if ref is None and page else ref


def _current(finder: Finder) -> str:
    branch = finder.checkout.branch if finder.checkout else None
    if branch is None:
        raise usage_error("missing REF: expected a branch or tag, or a git checkout of a branch")
    return branch


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
            write(plain_line([utc_time(datetime.now(UTC)), self.project, *cells]))
