"""A user's command that runs for each event, one at a time, and leaves no process behind."""

import asyncio
import os
import shlex
import shutil
import signal
from contextlib import suppress
from typing import Self

from attrs import frozen

from gitlab_jobs_async.cli.errors import error_line, usage_error
from gitlab_jobs_async.cli.terminal import json_bytes, print_error
from gitlab_jobs_async.concurrency import finished


@frozen
class EventCommand:
    """A program and its arguments; *grace* is the time in seconds between SIGTERM and SIGKILL."""

    arguments: tuple[str, ...]
    grace: float = 5.0

    @classmethod
    def parse(cls, line: str) -> Self:
        """Split *line* as a shell does, but expand nothing.

        Raises:
            CommandError: unbalanced quotes, or the program does not exist.
        """
        try:
            arguments = tuple(shlex.split(line))
        except ValueError as error:
            raise usage_error(f"--exec {line!r}: {error}") from error
        if not arguments:
            raise usage_error("--exec: expected a command")
        # Else the mistake would show at the first event, perhaps hours later.
        if shutil.which(arguments[0]) is None:
            raise usage_error(f"--exec: program {arguments[0]!r} not found")
        return cls(arguments)

    async def run(self, about: str, text: str) -> None:
        """Run the program with *text* on its stdin until it ends; report a failure on stderr.

        Cancellation ends its whole process group.
        """
        try:
            # In a separate process group, so that its children can be ended with it. A start that
            # is cancelled itself never returns in Python 3.11.
            starting = asyncio.create_subprocess_exec(
                *self.arguments, stdin=asyncio.subprocess.PIPE, process_group=0
            )
            process = await finished(starting, self._end)
        except OSError as error:
            # A command that cannot start must not end the watch.
            print_error(f"--exec: {error_line(error)} ({about})")
            return
        try:
            await process.communicate(json_bytes(text))
        finally:
            if process.returncode is None:
                await self._end(process)
        if process.returncode:
            print_error(f"--exec: {_outcome(process.returncode)} ({about})")

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        """End the process and its children."""
        try:
            _send(process, signal.SIGTERM)
            with suppress(TimeoutError):
                async with asyncio.timeout(self.grace):
                    await process.wait()
        finally:
            # Children may ignore SIGTERM or outlive their parent.
            _send(process, signal.SIGKILL)
        await process.wait()


def _outcome(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    with suppress(ValueError):
        return f"ended by {signal.Signals(-code).name}"
    return f"ended by signal {-code}"


def _send(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        if os.name == "posix":
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
