"""One call of the command line from its arguments to its exit code; nothing ends in a traceback."""

import contextlib
import io
import logging
import os
import sys
from collections.abc import Sequence
from types import TracebackType

from cyclopts import CycloptsError

from gitlab_jobs_async.cli.app import build
from gitlab_jobs_async.cli.errors import (
    BAD_INPUT,
    FAILED,
    INTERRUPTED,
    OK,
    CommandError,
    code_of,
    line_of,
)
from gitlab_jobs_async.cli.terminal import Complaints, Screen, complain
from gitlab_jobs_async.errors import GitLabError

_DEBUG = "GITLAB_JOBS_DEBUG"


def run_process(arguments: Sequence[str]) -> int:
    """Return the exit code of this process's own call, with what a process owes its streams."""
    if not os.environ.get(_DEBUG):
        sys.excepthook = _one_line
    logging.lastResort = Complaints(logging.WARNING)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - lives as long as the process
    if sys.stdout is None:
        return _say("stdout is closed", FAILED)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    code = run(arguments)
    try:
        sys.stdout.flush()
    except OSError:  # `run` has said so
        _forget_stdout()
    return code


def run(arguments: Sequence[str]) -> int:
    """Carry out the command that *arguments* name; say in one line what fails.

    A reader that has seen enough (`gitlab-jobs list … | head`) is no failure.
    """
    try:
        code = build()(arguments, console=Screen(), exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except CycloptsError as error:
        return _say(f"{error} Try --help.", BAD_INPUT)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _forget_stdout()
        return OK
    except (GitLabError, OSError, ValueError, CommandError) as error:
        return _say(line_of(error), code_of(error))
    return code if isinstance(code, int) else OK


def _say(line: str, code: int) -> int:
    complain(line)
    return code


def _forget_stdout() -> None:
    """Have the interpreter's last flush go nowhere, where it cannot fail again."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())


def _one_line(
    kind: type[BaseException], error: BaseException, _trace: TracebackType | None
) -> None:
    _say(f"{kind.__name__}: {line_of(error)} (a bug; {_DEBUG}=1 shows where)", FAILED)
