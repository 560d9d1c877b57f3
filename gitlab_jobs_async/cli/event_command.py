"""A command of the user's that is run for each event, one at a time, and leaves nothing running."""

import asyncio
import os
import shlex
import shutil
import signal
from contextlib import suppress
from typing import Self

from attrs import frozen

from gitlab_jobs_async.cli.errors import bad_input, line_of
from gitlab_jobs_async.cli.terminal import complain, json_bytes


@frozen
class Executed:
    """A program and its arguments, given as one line; no shell reads it.

    *grace* is how many seconds it has to end by itself once it is told to.
    """

    arguments: tuple[str, ...]
    grace: float = 5.0

    @classmethod
    def parse(cls, line: str) -> Self:
        """Return the command that *line* names.

        Raises:
            CommandError: its quotes do not match, or there is no such program.
        """
        try:
            arguments = tuple(shlex.split(line))
        except ValueError as error:
            raise bad_input(f"--exec {line!r}: {error}") from error
        if not arguments:
            raise bad_input("--exec names no command")
        if shutil.which(arguments[0]) is None:
            raise bad_input(f"--exec: there is no program {arguments[0]!r}")
        return cls(arguments)

    async def run(self, about: str, text: str) -> None:
        """Run it with *text* on its stdin until it has ended; say on stderr if it failed.

        It is a process group of its own, which is ended when this is cancelled.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                *self.arguments, stdin=asyncio.subprocess.PIPE, process_group=0
            )
        except OSError as error:
            complain(f"--exec: {line_of(error)} ({about})")
            return
        try:
            await process.communicate(json_bytes(text))
        finally:
            if process.returncode is None:
                await self._end(process)
        if process.returncode:
            complain(f"--exec: {_outcome(process.returncode)} ({about})")

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        """End the process and those that it has started."""
        try:
            _send(process, signal.SIGTERM)
            with suppress(TimeoutError):
                async with asyncio.timeout(self.grace):
                    await process.wait()
        finally:
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
