"""The commands `list` and `show`."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, TypeVar

from attrs import frozen
from cyclopts import Parameter

from gitlab_jobs_async.api.parameters import ProjectId
from gitlab_jobs_async.cli.arguments import parse_scopes
from gitlab_jobs_async.cli.config.client import connect_to
from gitlab_jobs_async.cli.errors import OK, usage_error
from gitlab_jobs_async.cli.finding.references import PipelineName
from gitlab_jobs_async.cli.finding.resolve import Finder, open_project
from gitlab_jobs_async.cli.finding.selection import select_job
from gitlab_jobs_async.cli.named_projects import NamedProjects, named_projects
from gitlab_jobs_async.cli.options import (
    ANY_SERVER,
    ANYWHERE,
    NO_PROJECTS,
    PIPELINE_FORMS,
    Columns,
    FindOptions,
    JobWord,
    Json,
    Positive,
    ProjectOptions,
    ProjectWord,
    ServerOptions,
    Switch,
)
from gitlab_jobs_async.cli.output import chosen_columns, print_facts, print_table
from gitlab_jobs_async.cli.terminal import is_terminal
from gitlab_jobs_async.cli.views.job_columns import JOB_COLUMNS, JOB_DEFAULT
from gitlab_jobs_async.cli.views.rows import Listed, pipeline_of
from gitlab_jobs_async.cli.views.times import length, local_and_ago, plain_seconds, utc_time
from gitlab_jobs_async.client import GitLab
from gitlab_jobs_async.concurrency import gather_all
from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.monitor.targets import GroupTarget

T = TypeVar("T")


@Parameter(name="*")
@frozen(kw_only=True)
class Selection:
    """Options that select jobs."""

    scope: Annotated[
        tuple[str, ...],
        Parameter(
            metavar="STATUS...",
            help="Only jobs with this status, such as failed. Repeatable, or separated by commas.",
        ),
    ] = ()
    ref: Annotated[
        str | None, Parameter(metavar="REF", help="Only jobs of this branch or tag.")
    ] = None
    limit: Annotated[Positive, Parameter(help="Show only the newest N jobs per project.")] = None
    pipeline: Annotated[
        str | None,
        Parameter(
            metavar="PIPELINE", help=f"Only jobs of this pipeline of one PROJECT: {PIPELINE_FORMS}."
        ),
    ] = None
    include_retried: Annotated[
        Switch, Parameter(help="With --pipeline: include jobs that were retried.")
    ] = False


_EVERYTHING = Selection()


async def list_jobs(
    *projects: ProjectWord,
    many: ProjectOptions = NO_PROJECTS,
    selection: Selection = _EVERYTHING,
    columns: Columns = None,
    json: Json = False,
    server: ServerOptions = ANY_SERVER,
) -> int:
    """Print jobs of projects or of a pipeline, newest first."""
    shown = chosen_columns(columns, JOB_COLUMNS, JOB_DEFAULT, json=json)
    pipelines = [] if selection.pipeline is None else [selection.pipeline]
    named = named_projects(projects, many, server, pipelines)
    async with connect_to(named.server, server) as gitlab:
        jobs = await _selected(gitlab, named, selection)
    several = len({project for project, _ in jobs}) > 1
    if is_terminal() and columns is None and not several:
        shown = [column for column in shown if column.name != "project"]
    print_table(jobs, shown, [job for _, job in jobs], nothing="no jobs", json=json)
    return OK


async def _selected(gitlab: GitLab, named: NamedProjects, selection: Selection) -> list[Listed]:
    if named.pipelines:
        return await _of_pipeline(named.finder(gitlab), named.pipelines, selection)
    if selection.include_retried:
        raise usage_error("--include-retried: expected --pipeline")
    scope = parse_scopes(selection.scope)
    named.note()
    if selection.limit is None:
        found = await gitlab.list_jobs(named.names, scope=scope, ref=selection.ref)
        return [(str(name), job) for name, jobs in found.items() for job in jobs]
    names = await _every_project(gitlab, named.names)
    handles = [gitlab.project(name) for name in names]
    # Iterators stop after N jobs, where list_jobs would read all pages.
    rows = [handle.iter_jobs(scope=scope, ref=selection.ref) for handle in handles]
    newest = await gather_all([_first(row, selection.limit) for row in rows])
    return [(str(name), job) for name, jobs in zip(names, newest, strict=True) for job in jobs]


async def _every_project(
    gitlab: GitLab, named: Sequence[ProjectId | GroupTarget]
) -> list[ProjectId]:
    """Return the projects, with those of groups by their paths, each once."""
    found: dict[ProjectId, None] = {}
    for name in named:
        if isinstance(name, GroupTarget):
            rows = await gitlab.group(name.group).list_projects(archived=False)
            found |= dict.fromkeys(row.path_with_namespace for row in rows)
        else:
            found[name] = None
    return list(found)


async def _of_pipeline(
    finder: Finder, pipelines: Sequence[PipelineName], selection: Selection
) -> list[Listed]:
    name, *others = pipelines
    if others:
        raise usage_error("--pipeline: expected one pipeline")
    if selection.ref is not None:
        raise usage_error("--ref and --pipeline: expected only one, since a pipeline has one ref")
    scope, retried = parse_scopes(selection.scope), selection.include_retried
    at = await finder.pipeline(name)
    if selection.limit is None:
        jobs = await at.project.list_pipeline_jobs(at.id, scope=scope, include_retried=retried)
    else:
        rows = at.project.iter_pipeline_jobs(at.id, scope=scope, include_retried=retried)
        jobs = await _first(rows, selection.limit)
    return [(finder.name, job) for job in jobs]


async def _first(rows: AsyncIterator[T], limit: int) -> list[T]:
    """Return the first *limit* rows without requesting more."""
    found: list[T] = []
    async for row in rows:
        found.append(row)
        if len(found) == limit:
            break
    return found


async def show(
    *words: JobWord,
    where: FindOptions = ANYWHERE,
    json: Json = False,
    server: ServerOptions = ANY_SERVER,
) -> int:
    """Print one job with its details."""
    selection = select_job(words, where)
    async with open_project(server, selection) as finder:
        project, (job,) = await finder.jobs(selection.jobs, selection.pipeline)
        found = await project.get_job(job)
    print_facts(job_facts(found), found, json=json)
    return OK


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
