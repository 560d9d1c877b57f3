"""The command `watch`: many projects, or some pipelines, as one stream of events.

A person sees a live picture, a program gets a line an event.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Annotated, Protocol

from attrs import frozen
from cyclopts import Group, Parameter
from cyclopts.validators import Number

from gitlab_jobs_async.cli.arguments import project_id
from gitlab_jobs_async.cli.commands.plan import print_plan
from gitlab_jobs_async.cli.config.client import connect
from gitlab_jobs_async.cli.config.project_files import projects_of
from gitlab_jobs_async.cli.errors import FAILED, NOT_FOUND, OK, CommandError, bad_input, line_of
from gitlab_jobs_async.cli.event_command import Executed
from gitlab_jobs_async.cli.options import ANY_SERVER, Json, ServerOptions
from gitlab_jobs_async.cli.signals import ended_like_an_interrupt
from gitlab_jobs_async.cli.terminal import (
    break_line,
    complain,
    console,
    is_terminal,
    while_somebody_reads,
    write,
    write_json,
)
from gitlab_jobs_async.cli.views.events import event_json, is_failure, plain_event, short_reason
from gitlab_jobs_async.cli.views.live import Picture, living
from gitlab_jobs_async.cli.views.log_pane import LogPane
from gitlab_jobs_async.client import GitLab
from gitlab_jobs_async.clock import SystemClock
from gitlab_jobs_async.concurrency import gather_all
from gitlab_jobs_async.errors import AuthenticationError, NotFoundError, PermissionDeniedError
from gitlab_jobs_async.events import AllTargetsUnreachable, Event
from gitlab_jobs_async.models.jobs import JobBasic
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.monitor.targets import PipelineTarget
from gitlab_jobs_async.ratelimit.budget import RequestBudget

Count = Annotated[int | None, Parameter(validator=Number(gte=1))]
_PLAN = Group("What to expect", sort_key=5)


@Parameter(name="*")
@frozen(kw_only=True)
class What:
    """What to watch beside the projects named."""

    group: Annotated[
        Path | None,
        Parameter(
            name="--group",
            help="A file of projects: one a line, # begins a comment, - is stdin.",
            allow_leading_hyphen=True,
        ),
    ] = None
    pipeline: Annotated[
        tuple[int, ...],
        Parameter(
            help="Only this pipeline of the one PROJECT, to its end. Several: again.",
            validator=Number(gte=1),
        ),
    ] = ()
    logs: Annotated[bool, Parameter(help="The lines of running jobs' logs, too.")] = False
    downstream: Annotated[
        bool, Parameter(help="Child and other pipelines that trigger jobs make, too.")
    ] = False
    failed_only: Annotated[
        bool, Parameter(help="Only jobs that fail, and projects that cannot be watched.")
    ] = False
    checkpoint: Annotated[
        Path | None,
        Parameter(help="Where to remember what was told: after a restart it goes on there."),
    ] = None
    wait_for_projects: Annotated[
        bool,
        Parameter(
            help="Go on even if none of them can be reached; else that ends it, with exit code 4."
        ),
    ] = False
    execute: Annotated[
        str | None,
        Parameter(
            name="--exec",
            help="Run this for each event, as --json has it, on stdin; one at a time, no shell.",
        ),
    ] = None


@Parameter(name="*", group=_PLAN)
@frozen(kw_only=True)
class Planned:
    """The numbers of a user, and the limit that holds when watching."""

    per_minute: Annotated[Count, Parameter(help="Ask at most so many requests a minute.")] = None
    plan: Annotated[
        Count,
        Parameter(help="Watch nothing: say how soon changes of so many projects would be seen."),
    ] = None
    busy: Annotated[
        int | None,
        Parameter(
            validator=Number(gte=0),
            help="With --plan: how many of them have jobs running; else 2 %.",
        ),
    ] = None


_NOTHING_MORE = What()
_UNPLANNED = Planned()


class Events(Protocol):
    """What a monitor gives: events, and how many targets are watched."""

    def __aiter__(self) -> AsyncIterator[Event]: ...

    def __len__(self) -> int: ...


async def watch(
    *projects: Annotated[str, Parameter(name="PROJECT", help="Ids or full paths: 17, group/app.")],
    what: What = _NOTHING_MORE,
    planned: Planned = _UNPLANNED,
    json: Json = False,
    server: ServerOptions = ANY_SERVER,
) -> int:
    """Watch projects until Ctrl-C, or pipelines until they have ended."""
    if planned.plan is not None:
        _print_plan(
            planned, planned.plan, is_alone=not projects and what == _NOTHING_MORE, json=json
        )
        return OK
    if planned.busy is not None:
        raise bad_input("--busy goes with --plan")
    names = _names(projects, what)
    command = None if what.execute is None else Executed.parse(what.execute)
    budget = RequestBudget(per_minute=planned.per_minute)
    with ended_like_an_interrupt(), _refusals_as_not_found():
        async with connect(server, budget) as gitlab:
            targets = await _targets(gitlab, names, what.pipeline)
            logs, downstream = what.logs, what.downstream
            async with gitlab.monitor(
                targets, logs=logs, downstream=downstream, checkpoint=what.checkpoint
            ) as events:
                await show(events, gitlab.budget, what, command, json=json)
            return await _code(gitlab, names, what.pipeline)


@contextmanager
def _refusals_as_not_found() -> Iterator[None]:
    """Say that what was named cannot be reached, where GitLab refuses it or the token."""
    try:
        yield
    except (AuthenticationError, PermissionDeniedError, NotFoundError) as error:
        raise CommandError(line_of(error), NOT_FOUND) from error


def _print_plan(planned: Planned, projects: int, *, is_alone: bool, json: bool) -> None:
    if not is_alone:
        raise bad_input("--plan watches nothing: only --busy, --per-minute and --json go with it")
    busy = max(1, projects // 50) if planned.busy is None else planned.busy
    if busy > projects:
        raise bad_input(f"--busy {busy} is more than --plan {projects}")
    print_plan(projects, busy, planned.per_minute, json=json)


def _names(projects: Sequence[str], what: What) -> list[str]:
    """Return the projects to watch, each once."""
    if what.logs and what.failed_only:
        raise bad_input("--logs does not go with --failed-only: a job's log comes before it fails")
    if what.pipeline and (what.group is not None or len(projects) != 1):
        raise bad_input("--pipeline goes with one PROJECT")
    listed = [] if what.group is None else projects_of(what.group)
    names = list({project_id(name): name for name in [*projects, *listed]}.values())
    if not names:
        raise bad_input("name a PROJECT, or several, or say --group FILE")
    return names


async def _targets(
    gitlab: GitLab, names: Sequence[str], pipelines: Sequence[int]
) -> list[int | str | PipelineTarget]:
    """What to monitor; a pipeline is asked for, so that one that is not there is said at once."""
    if not pipelines:
        return [gitlab.project(project_id(name)).id for name in names]
    project = gitlab.project(project_id(names[0]))
    await gather_all([project.get_pipeline(number) for number in pipelines])
    return [PipelineTarget(project.id, number) for number in pipelines]


async def show(
    events: Events,
    budget: RequestBudget,
    what: What,
    command: Executed | None,
    *,
    json: bool,
) -> None:
    """Show events until there are no more.

    Raises:
        CommandError: nothing that is watched can be reached, and nobody wants to wait for it.
    """
    screen = console()
    if is_terminal() and not screen.is_dumb_terminal and not json and command is None:
        picture = Picture(
            budget,
            lambda: len(events),
            SystemClock(),
            failed_only=what.failed_only,
            logs=LogPane() if what.logs else None,
        )
        async with living(screen, picture) as tell:
            async for event in events:
                tell(event)
                _check_reachable(event, what)
        return
    try:
        async with while_somebody_reads():
            async for event in events:
                if not what.failed_only or is_failure(event):
                    await _write(event, command, json=json)
                _check_reachable(event, what)
    except asyncio.CancelledError:
        break_line()
        raise


def _check_reachable(event: Event, what: What) -> None:
    if not isinstance(event, AllTargetsUnreachable) or what.wait_for_projects:
        return
    which = "what is watched" if event.targets == 1 else f"any of the {event.targets} targets"
    raise CommandError(
        f"cannot reach {which}: {short_reason(event.reason)}; check the names and that the token "
        "may read them, or say --wait-for-projects",
        NOT_FOUND,
    )


async def _write(event: Event, command: Executed | None, *, json: bool) -> None:
    line = event_json(event) if json or command else ""
    if json:
        write_json(line)
    else:
        write(plain_event(event, datetime.now(UTC)))
    if command is not None:
        await command.run(event.key, line)


async def _code(gitlab: GitLab, names: Sequence[str], pipelines: Sequence[int]) -> int:
    """Return the exit code, once the pipelines have ended; it is said which jobs failed."""
    if not pipelines:
        return OK
    project = gitlab.project(project_id(names[0]))
    jobs = await gather_all([project.list_pipeline_jobs(number) for number in pipelines])
    bridges = await gather_all([project.list_bridges(number) for number in pipelines])
    every: list[JobBasic] = [*chain(*jobs), *chain(*bridges)]
    failed = [
        job
        for job in every
        if job.status in {JobStatus.FAILED, JobStatus.CANCELED} and not job.allow_failure
    ]
    for job in failed:
        reason = f" ({job.failure_reason})" if job.failure_reason else ""
        complain(f"job {job.id} {job.name} {job.status}{reason}")
    return FAILED if failed else OK
