"""The command `show`: one job, or one pipeline with its jobs."""

from collections.abc import Sequence
from contextlib import aclosing, suppress
from datetime import UTC, datetime

from attrs import frozen

from gitlab_jobs_async.api.json_writing import to_dict
from gitlab_jobs_async.cli import views
from gitlab_jobs_async.cli.errors import NOT_FOUND, OK, CommandError, usage_error
from gitlab_jobs_async.cli.finding.resolve import Finder, open_project
from gitlab_jobs_async.cli.finding.selection import Selection, select
from gitlab_jobs_async.cli.options import (
    ANY_PIPELINE,
    ANY_SERVER,
    JobWord,
    Json,
    NoPager,
    PipelineOptions,
    ServerOptions,
    Web,
)
from gitlab_jobs_async.cli.output import print_facts, print_rows
from gitlab_jobs_async.cli.pager import paged
from gitlab_jobs_async.cli.progress import progress
from gitlab_jobs_async.cli.terminal import is_terminal, print_error, shows_links
from gitlab_jobs_async.cli.views.pipeline_rows import job_lines, pipeline_facts
from gitlab_jobs_async.cli.views.rows import pipeline_of
from gitlab_jobs_async.cli.views.times import length, local_and_ago, plain_seconds, utc_time
from gitlab_jobs_async.cli.web_page import show_selected
from gitlab_jobs_async.errors import NotFoundError
from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.models.pipelines import Pipeline
from gitlab_jobs_async.project import Project


async def show(
    *words: JobWord,
    where: PipelineOptions = ANY_PIPELINE,
    web: Web = False,
    no_pager: NoPager = False,
    json: Json = False,
    server: ServerOptions = ANY_SERVER,
) -> int:
    """Print one job with its details, or a pipeline with its jobs."""
    takes_project = where.pipeline is not None
    selection = select(words, where.project, where.pipeline, takes_project=takes_project)
    if len(selection.jobs) > 1:
        raise usage_error(f"expected one JOB, not {len(selection.jobs)}")
    with progress("show") as waiting:
        async with open_project(server, selection, hooks=waiting.hooks()) as finder:
            if web:
                return await show_selected(finder, selection)
            if selection.jobs:
                project, job = await _job(finder, selection)
                lines, missing = await _lines(project, job, selection)
            else:
                found = await _pipeline(finder, selection)
    if selection.jobs:
        print_facts([*job_facts(job), *lines], job, json=json)
        if missing:
            print_error(missing)
        return OK
    with paged(is_wanted=not (no_pager or json)):
        _print_pipeline(found, json=json)
    return OK


@frozen
class ShownPipeline:
    """A pipeline and its jobs."""

    pipeline: Pipeline
    jobs: Sequence[Job]
    bridges: Sequence[Bridge]


async def _pipeline(finder: Finder, selection: Selection) -> ShownPipeline:
    at = await finder.pipeline(selection.pipeline)
    pipeline = await at.read()
    jobs = await at.project.list_pipeline_jobs(pipeline.id)
    return ShownPipeline(pipeline, jobs, await at.project.list_bridges(pipeline.id))


async def _job(finder: Finder, selection: Selection) -> tuple[Project, Job]:
    project, (job,) = await finder.jobs(selection.jobs, selection.pipeline)
    try:
        return project, await project.get_job(job)
    except NotFoundError as error:
        with suppress(NotFoundError):
            await project.get_pipeline(job)
            words = f"job {job} does not exist in {finder.name}, but a pipeline {job}"
            raise CommandError(f"{words}: expected --pipeline {job}", NOT_FOUND) from error
        raise


async def _lines(
    project: Project, job: Job, selection: Selection
) -> tuple[list[tuple[str, object]], str]:
    """Return the line of the log that the URL names and those around it, or why it is missing."""
    found: list[tuple[str, object]] = []
    number = 0
    if selection.line is None:
        return found, ""
    last = 2 * selection.line - selection.first_line
    async with aclosing(project.tail(job.id, follow=False)) as lines:
        async for line in lines:
            number = line.number
            if number >= selection.first_line:
                found.append((f"line {number}", line.text))
            if number >= last:
                break
    return found, selection.missing_line(number)


def _print_pipeline(shown: ShownPipeline, *, json: bool) -> None:
    pipeline, jobs, bridges = shown.pipeline, shown.jobs, shown.bridges
    every = sorted([*jobs, *bridges], key=lambda job: job.id)
    facts = pipeline_facts(pipeline, every, datetime.now(UTC) if is_terminal() else None)
    value = to_dict(pipeline) | {
        "jobs": [to_dict(job) for job in jobs],
        "bridges": [to_dict(bridge) for bridge in bridges],
    }
    print_rows(
        [value],
        [*facts, *job_lines(every)],
        lambda: views.pipeline_view(facts, every, links=shows_links()),
        json=json,
    )


def job_facts(job: Job) -> list[tuple[str, object]]:
    """Return the names and values that describe a job, without the empty ones."""
    user, commit, runner = job.user, job.commit, job.runner
    now = datetime.now(UTC)

    def time(at: datetime | None) -> str:
        return local_and_ago(at, now) if is_terminal() else utc_time(at)

    def duration(seconds: float | None) -> str:
        return length(seconds) if is_terminal() else plain_seconds(seconds)

    facts = [
        ("id", job.id),
        ("name", job.name),
        ("status", job.status),
        ("failure_reason", job.failure_reason),
        ("allow_failure", "yes" if job.allow_failure else None),
        ("stage", job.stage),
        ("pipeline", pipeline_of(job)),
        ("ref", job.ref),
        ("commit", None if commit is None else f"{commit.short_id or commit.id} {commit.title}"),
        ("user", None if user is None else user.username),
        ("created_at", time(job.created_at)),
        ("started_at", time(job.started_at)),
        ("finished_at", time(job.finished_at)),
        ("queued_duration", duration(job.queued_duration)),
        ("duration", duration(job.duration)),
        ("coverage", job.coverage),
        ("runner", None if runner is None else runner.description),
        ("tags", ", ".join(job.tag_list)),
        ("artifacts_file", None if job.artifacts_file is None else job.artifacts_file.filename),
        ("erased_at", time(job.erased_at)),
        ("web_url", job.web_url),
    ]
    return [(name, value) for name, value in facts if value not in (None, "", ())]
