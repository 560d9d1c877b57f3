"""The command `events`: the events that monitors have recorded in a store."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter

from gitlab_jobs_async.api.json_writing import to_dict
from gitlab_jobs_async.cli.closed_pipe import until_reader_closes
from gitlab_jobs_async.cli.errors import OK, usage_error
from gitlab_jobs_async.cli.event_command import EventCommand
from gitlab_jobs_async.cli.options import Columns, Json
from gitlab_jobs_async.cli.output import chosen_columns
from gitlab_jobs_async.cli.terminal import break_line, print_error, write, write_json
from gitlab_jobs_async.cli.views.columns import Column
from gitlab_jobs_async.cli.views.counts import counted
from gitlab_jobs_async.cli.views.events import EVENT_COLUMNS, EVENT_DEFAULT, Seen, plain_event
from gitlab_jobs_async.cli.views.rows import json_line
from gitlab_jobs_async.consumers import RecordedEvent, consume


async def events(
    *,
    store: Annotated[
        str, Parameter(metavar="STORE", help="File of a monitor's progress, or postgresql://….")
    ],
    group: Annotated[str, Parameter(metavar="NAME", help="Consumer group; each reads all events.")],
    columns: Columns = None,
    json: Json = False,
    execute: Annotated[
        str | None,
        Parameter(
            name="--exec",
            metavar="COMMAND",
            help="Run this for each event with its JSON on stdin, one at a time, without a shell.",
        ),
    ] = None,
) -> int:
    """Read events until Ctrl-C or SIGTERM."""
    shown = chosen_columns(columns, EVENT_COLUMNS, EVENT_DEFAULT, json=json)
    command = None if execute is None else EventCommand.parse(execute)
    try:
        async with consume(store, group) as recorded, until_reader_closes():
            async for one in recorded:
                await _write(one, shown, command, json=json)
    except asyncio.CancelledError:
        break_line()
        raise
    except TypeError as error:
        raise usage_error(str(error)) from error
    return OK


async def _write(
    one: RecordedEvent,
    columns: Sequence[Column[Seen]],
    command: EventCommand | None,
    *,
    json: bool,
) -> None:
    if one.missed:
        print_error(f"{counted(one.missed, 'event')} deleted before this group had read them")
    line = json_line(to_dict(one.event) | {"key": one.key, "instance": one.instance})
    if json:
        write_json(line)
    else:
        write(plain_event(one.event, datetime.now(UTC), columns))
    if command is not None:
        # The next event waits; it is acknowledged only then.
        await command.run(one.key, line)
