"""A process that monitors shards of a store: start it, follow its reports, and end it."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from signal import SIGKILL
from typing import Any, Self

from attrs import define, field

from gitlab_jobs_async.concurrency import finished


@define(eq=False, repr=False)
class NodeProcess:
    """A running process of the module *program*, which reports by lines of JSON."""

    number: int
    process: asyncio.subprocess.Process
    shards: list[int] = field(factory=list[int])

    @classmethod
    async def start(cls, number: int, program: str, task: str, errors: int | None = None) -> Self:
        """Start *program* with *task* as the only line of its input."""
        starting = asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            program,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            # Ctrl-C in a terminal must not reach it: its owner ends it without a traceback.
            start_new_session=True,
        )
        # A start that is cancelled itself never returns in Python 3.11.
        process = await finished(starting, _kill)
        if process.stdin is not None:
            process.stdin.write(task.encode())
            with suppress(ConnectionError):
                await process.stdin.drain()
        return cls(number, process)

    @property
    def held(self) -> str:
        """Return the numbers of its shards, or "none"."""
        return ", ".join(str(number) for number in self.shards) or "none"

    async def reports(self) -> AsyncIterator[Any]:
        """Yield what the process reports, until it ends."""
        if self.process.stdout is not None:
            async for line in self.process.stdout:
                yield json.loads(line)

    def signal(self, number: int) -> None:
        """Send a signal, also if the process has just ended."""
        with suppress(ProcessLookupError):
            self.process.send_signal(number)

    async def kill(self) -> None:
        """End the process as `kill -9` does, and wait for its end."""
        await _kill(self.process)


async def _kill(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(SIGKILL)
    await process.wait()
