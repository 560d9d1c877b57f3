"""The command `watch`: full screen or live table on a terminal, a line per event in a pipe."""

from collections.abc import Sequence
from itertools import chain

from gitlab_jobs_async.cli import fullscreen
from gitlab_jobs_async.cli.commands.plan import ForecastOptions, print_plan
from gitlab_jobs_async.cli.commands.watch_events import check_reachable, show
from gitlab_jobs_async.cli.commands.watch_options import WatchOptions
from gitlab_jobs_async.cli.config.client import connect_to
from gitlab_jobs_async.cli.errors import (
    FAILED,
    INTERRUPTED,
    NOT_FOUND,
    OK,
    CommandError,
    usage_error,
)
from gitlab_jobs_async.cli.event_command import EventCommand
from gitlab_jobs_async.cli.finding.resolve import FoundPipeline
from gitlab_jobs_async.cli.named_projects import NamedProjects, named_projects
from gitlab_jobs_async.cli.options import (
    ANY_SERVER,
    NO_PROJECTS,
    Json,
    ProjectOptions,
    ProjectWord,
    ServerOptions,
)
from gitlab_jobs_async.cli.output import chosen_columns
from gitlab_jobs_async.cli.terminal import (
    print_error,
    supports_full_screen,
)
from gitlab_jobs_async.cli.views.events import (
    EVENT_COLUMNS,
    EVENT_DEFAULT,
    NamedTarget,
)
from gitlab_jobs_async.client import GitLab
from gitlab_jobs_async.clock import SystemClock
from gitlab_jobs_async.concurrency import gather_all
from gitlab_jobs_async.group import with_projects_of_groups
from gitlab_jobs_async.models.jobs import JobBasic
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.monitor.targets import GroupTarget, PipelineTarget
from gitlab_jobs_async.ratelimit.budget import RequestBudget

_DEFAULT_OPTIONS = WatchOptions()
_NO_FORECAST = ForecastOptions()


async def watch(
    *projects: ProjectWord,
    many: ProjectOptions = NO_PROJECTS,
    options: WatchOptions = _DEFAULT_OPTIONS,
    forecast: ForecastOptions = _NO_FORECAST,
    json: Json = False,
    server: ServerOptions = ANY_SERVER,
) -> int:
    """Watch projects until Ctrl-C, or pipelines until they have ended."""
    if forecast.plan is not None:
        is_named = bool(projects) or many != NO_PROJECTS
        if options != _DEFAULT_OPTIONS or is_named != (forecast.plan is True):
            raise usage_error(
                "--plan: expected a number or projects, and no other option but --busy, --json and "
                "those of limits and of the server"
            )
        number = await _count(projects, many, server) if is_named else int(forecast.plan)
        print_plan(forecast, number, json=json)
        return OK
    if forecast.busy is not None:
        raise usage_error("--busy: expected --plan")
    named = named_projects(projects, many, server, options.pipeline)
    if options.web:
        async with connect_to(named.server, server) as gitlab:
            return await named.show_pages(gitlab, "pipelines")
    _check(options, is_of_pipelines=bool(named.pipelines))
    chosen_columns(options.columns, EVENT_COLUMNS, EVENT_DEFAULT, json=json)
    command = None if options.execute is None else EventCommand.parse(options.execute)
    budget = forecast.budget()
    if is_full_screen(options, command, json=json):
        return await _show_full_screen(named, options, budget, server)
    async with connect_to(named.server, server, budget, interval=options.interval) as gitlab:
        pipelines = await _pipelines(gitlab, named)
        targets = await _targets(gitlab, named, pipelines)
        async with gitlab.monitor(
            targets,
            logs=options.logs,
            downstream=options.downstream,
            checkpoint=options.checkpoint,
            shards=options.shards,
            # The reason of a failure is missing in a partial job.
            complete=options.complete or options.failed_only,
        ) as events:
            if not events.shards:
                print_error("standing by: another process watches with this checkpoint")
            await show(events, targets, gitlab.budget, options, command, json=json)
        return await _code(pipelines)


def is_full_screen(options: WatchOptions, command: EventCommand | None, *, json: bool) -> bool:
    """Return whether the full screen is shown, in place of a live table or lines."""
    # The table shows all logs at once, and lines can be mixed with the output of a command.
    is_wanted = not (options.plain or options.logs or json) and command is None
    return is_wanted and options.columns is None and supports_full_screen()


async def _show_full_screen(
    named: NamedProjects,
    options: WatchOptions,
    budget: RequestBudget,
    server: ServerOptions,
) -> int:
    """Show the full screen until the user quits; return the exit code.

    Quitting while a pipeline of --pipeline runs is an interruption, since its result is unknown.
    In a checkout, the filter is its branch.
    """
    branch = None if named.checkout is None or named.pipelines else named.checkout.branch
    connection = fullscreen.ConnectionState(SystemClock())
    async with connect_to(
        named.server, server, budget, interval=options.interval, hooks=connection.hooks
    ) as gitlab:
        pipelines = await _pipelines(gitlab, named)
        targets = await _targets(gitlab, named, pipelines)
        watched = fullscreen.Watched(
            downstream=options.downstream or bool(named.pipelines),
            checkpoint=options.checkpoint,
            shards=options.shards,
            complete=options.complete or options.failed_only,
            check=lambda event: check_reachable(event, targets, options),
            ref=branch,
        )
        app = fullscreen.make_app(
            gitlab, connection, targets, watched,
            theme=options.theme, filter_text="failed" if options.failed_only else branch or "",
        )  # fmt: skip
        code = await fullscreen.show(app)
        if code == OK and pipelines and not app.session.feed.has_ended:
            code = INTERRUPTED
        return code or await _code(pipelines)


async def _count(projects: Sequence[str], many: ProjectOptions, server: ServerOptions) -> int:
    """Return the number of the named projects; a group is listed once."""
    named = named_projects(projects, many, server)
    if not any(isinstance(name, GroupTarget) for name in named.names):
        return len(named.names)
    async with connect_to(named.server, server) as gitlab:
        found = await with_projects_of_groups(named.names, gitlab.group)
    if not found:
        raise CommandError("--plan: the group has no project to watch", NOT_FOUND)
    return len(found)


def _check(options: WatchOptions, *, is_of_pipelines: bool) -> None:
    """Raise for options that exclude each other."""
    if options.logs and options.failed_only:
        raise usage_error("--logs and --failed-only: expected only one; a log precedes the failure")
    if options.shards > 1 and options.checkpoint is None:
        raise usage_error("--shards: expected --checkpoint, which processes share")
    if options.interval is not None and not (is_of_pipelines or options.logs or options.downstream):
        # Projects are polled by their activity.
        raise usage_error("--interval: expected --pipeline, --logs or --downstream")


async def _pipelines(gitlab: GitLab, named: NamedProjects) -> list[FoundPipeline]:
    """Return the named pipelines, each once; raise at once for an unknown one."""
    if not named.pipelines:
        named.note()
        return []
    finder = named.finder(gitlab)
    found = await gather_all([finder.pipeline(name) for name in named.pipelines])
    # A monitor would go on polling a pipeline that does not exist.
    await gather_all([at.read() for at in found])
    return list({(at.project.id, at.id): at for at in found}.values())


async def _targets(
    gitlab: GitLab, named: NamedProjects, pipelines: Sequence[FoundPipeline]
) -> list[NamedTarget]:
    """Return the targets of the monitor; raise at once for an unknown group."""
    if pipelines:
        return [PipelineTarget(at.project.id, at.id) for at in pipelines]
    await named.check_groups(gitlab)
    return list(named.names)


async def _code(pipelines: Sequence[FoundPipeline]) -> int:
    """Return the exit code once the pipelines have ended; report failed jobs on stderr."""
    if not pipelines:
        return OK
    jobs = await gather_all([at.project.list_pipeline_jobs(at.id) for at in pipelines])
    # A failed downstream pipeline fails its bridge, which is not among the jobs.
    bridges = await gather_all([at.project.list_bridges(at.id) for at in pipelines])
    every: list[JobBasic] = [*chain(*jobs), *chain(*bridges)]
    failed = [
        job
        for job in every
        if job.status in {JobStatus.FAILED, JobStatus.CANCELED} and not job.allow_failure
    ]
    for job in failed:
        reason = f" ({job.failure_reason})" if job.failure_reason else ""
        print_error(f"job {job.id} {job.name} {job.status}{reason}")
    return FAILED if failed else OK
