"""Show the events of a monitor: a live table on a terminal, a line per event elsewhere."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Protocol

from gitlab_jobs_async.cli.closed_pipe import until_reader_closes
from gitlab_jobs_async.cli.commands.watch_options import WatchOptions
from gitlab_jobs_async.cli.errors import NOT_FOUND, CommandError
from gitlab_jobs_async.cli.event_command import EventCommand
from gitlab_jobs_async.cli.log_capture import captured_warnings
from gitlab_jobs_async.cli.terminal import break_line, print_error, supports_live, write, write_json
from gitlab_jobs_async.cli.views.columns import Column, select_columns
from gitlab_jobs_async.cli.views.events import (
    EVENT_COLUMNS,
    EVENT_DEFAULT,
    NamedTarget,
    Seen,
    any_of,
    is_failure,
    plain_event,
    short_reason,
)
from gitlab_jobs_async.cli.views.live import Dashboard, live_view
from gitlab_jobs_async.cli.views.log_pane import LogPane
from gitlab_jobs_async.cli.views.rows import json_line
from gitlab_jobs_async.cli.views.screen import console
from gitlab_jobs_async.clock import SystemClock
from gitlab_jobs_async.events import AllTargetsUnreachable, AnyEvent
from gitlab_jobs_async.ratelimit.budget import RequestBudget


class Events(Protocol):
    """A monitor: its events, and the number of its targets."""

    def __aiter__(self) -> AsyncIterator[AnyEvent]: ...

    def __len__(self) -> int: ...


async def show(
    events: Events,
    targets: Sequence[NamedTarget],
    budget: RequestBudget,
    options: WatchOptions,
    command: EventCommand | None,
    *,
    json: bool,
) -> None:
    """Show events until the monitor ends.

    Raises:
        CommandError: no target is reachable, unless `wait_for_projects` is set.
    """
    # The output of a command would break the live table, and columns are those of lines.
    is_live = not json and command is None and options.columns is None
    if is_live and supports_live():
        await _show_table(events, targets, budget, options)
        return
    columns = select_columns(options.columns, EVENT_COLUMNS, EVENT_DEFAULT)
    try:
        async with until_reader_closes():
            async for event in events:
                if not options.failed_only or is_failure(event):
                    await _write(event, columns, command, json=json)
                check_reachable(event, targets, options)
    except asyncio.CancelledError:
        break_line()
        raise


async def _show_table(
    events: Events, targets: Sequence[NamedTarget], budget: RequestBudget, options: WatchOptions
) -> None:
    dashboard = Dashboard(
        budget,
        lambda: len(events),
        SystemClock(),
        failed_only=options.failed_only,
        logs=LogPane() if options.logs else None,
    )
    try:
        async with until_reader_closes(), live_view(console(), dashboard) as show_event:
            # A file for stderr takes them as they come.
            with captured_warnings(dashboard.warn) if sys.stderr.isatty() else nullcontext():
                async for event in events:
                    show_event(event)
                    check_reachable(event, targets, options)
    finally:
        for words in dashboard.warnings:
            print_error(words)


def check_reachable(event: AnyEvent, targets: Sequence[NamedTarget], options: WatchOptions) -> None:
    """Check that a target is reachable, unless `wait_for_projects` is set.

    Raises:
        CommandError: none is.
    """
    if not isinstance(event, AllTargetsUnreachable) or options.wait_for_projects:
        return
    raise CommandError(
        f"cannot reach {any_of(targets)}: {short_reason(event.reason)}; check the names and the "
        "token's permissions, or use --wait-for-projects",
        NOT_FOUND,
        reason=event.reason,
    )


async def _write(
    event: AnyEvent,
    columns: Sequence[Column[Seen]],
    command: EventCommand | None,
    *,
    json: bool,
) -> None:
    line = json_line(event) if json or command else ""
    if json:
        write_json(line)
    else:
        write(plain_event(event, datetime.now(UTC), columns))
    if command is not None:
        # The next event waits, so that a slow command slows the polls down, too.
        await command.run(event.key, line)
