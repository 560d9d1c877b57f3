"""Run one command from its arguments to its exit code, without a traceback."""

import contextlib
import gc
import io
import logging
import os
import re
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from inspect import BoundArguments, iscoroutine
from typing import Any

from cyclopts import CycloptsError

from gitlab_jobs_async.cli import views
from gitlab_jobs_async.cli.app import build, show_help
from gitlab_jobs_async.cli.errors import (
    BUG,
    INTERRUPTED,
    OK,
    USAGE_ERROR,
    CommandError,
    error_line,
    exit_code_of,
)
from gitlab_jobs_async.cli.help.other_names import OTHER_NAMES
from gitlab_jobs_async.cli.terminal import WarningHandler, clear_line, print_error
from gitlab_jobs_async.errors import GitLabError

_DEBUG = "GITLAB_JOBS_DEBUG"
_PROJECT = re.compile(r"Unknown option: (?:-R|--project)(?![\w-])")
_TAKE_PROJECTS = frozenset({"exporter", "failures", "list", "pipelines", "watch"})
_GUESS = re.compile(
    r"Unknown option: --(?P<given>[\w-]+).*(?P<guess> Did you mean --(?P<name>[\w-]+)\?)"
)


def run_process(arguments: Sequence[str]) -> int:
    """Run the command of this process with safe streams, logging and error output.

    An unexpected exception is one line, too; with GITLAB_JOBS_DEBUG it is raised.
    """
    logging.lastResort = WarningHandler(logging.WARNING)
    # Closed by `2>&-`; print would fail on None.
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - lives as long as the process
    if sys.stdout is None:
        return _fail("stdout is closed", USAGE_ERROR)
    for stream in (sys.stdout, sys.stderr):
        # A name outside the locale's encoding must not end the command.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        code = run(arguments)
    except ImportError:  # perhaps of an extra; `main` names it
        raise
    except Exception as error:
        if os.environ.get(_DEBUG):
            raise
        code = _fail(_bug_line(error), BUG)
    try:
        sys.stdout.flush()
    except OSError:  # `run` has reported it
        _discard_stdout()
    return code


def run(arguments: Sequence[str]) -> int:
    """Run the command of *arguments* and return its exit code; print an error as one line.

    A closed pipe (`gitlab-jobs list … | head`) is a success.
    """
    try:
        # Errors are raised, so that each is printed as one line below.
        app = build()
        command, bound, _ = app.parse_args(arguments, exit_on_error=False, print_error=False)
        if command == app.help_print:
            show_help(app, bound.arguments["tokens"])
            code: object = OK
        else:
            code = _call(command, bound)
        sys.stdout.flush()
    except CycloptsError as error:
        words = _of_project(str(error), arguments) or _without_far_guess(str(error))
        return _fail(f"{words}{_other_name(arguments)} Try --help.", USAGE_ERROR)
    except KeyboardInterrupt:
        clear_line()
        return INTERRUPTED
    except BrokenPipeError:
        _discard_stdout()
        return OK
    except (GitLabError, OSError, ValueError, CommandError) as error:
        return _fail(error_line(error), exit_code_of(error))
    return code if isinstance(code, int) else OK


def _call(command: Callable[..., Any], bound: BoundArguments) -> object:
    if "console" in bound.arguments:  # the version, printed by cyclopts
        bound.arguments["console"] = views.Screen()
    # All imports are done, for which `main` has stopped the collector.
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
    result = command(*bound.args, **bound.kwargs)
    if not iscoroutine(result):
        return result
    # Late, since the help needs no loop.
    return import_module("gitlab_jobs_async.cli.signals").run_until_signal(result)


def _other_name(arguments: Sequence[str]) -> str:
    name = OTHER_NAMES.get(arguments[0]) if arguments else None
    return "" if name is None else f" Here it is {name}."


def _of_project(words: str, arguments: Sequence[str]) -> str:
    """Return the error of `--project` where projects are arguments; else nothing."""
    found = _PROJECT.match(words)
    if found is None or arguments[0] not in _TAKE_PROJECTS:
        return ""
    return f"{found[0]}. Here it is an argument: gitlab-jobs {arguments[0]} PROJECT."


def _without_far_guess(words: str) -> str:
    """Drop the guess of an option from an error, if little more than the dashes is alike."""
    found = _GUESS.search(words)
    if found is None:
        return words
    # Late, as errors are rare. The bound is that of cyclopts, which counts the dashes, too.
    matcher = import_module("difflib").SequenceMatcher(None, found["given"], found["name"])
    return words if matcher.ratio() >= 0.6 else words.replace(found["guess"], "")


def _fail(line: str, code: int) -> int:
    print_error(line)
    return code


def _discard_stdout() -> None:
    # The interpreter flushes stdout at exit and would print a traceback.
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())


def _bug_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error_line(error)} (a bug; {_DEBUG}=1 shows where)"
