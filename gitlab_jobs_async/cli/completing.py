"""The hidden command `__complete`: print candidates for a shell, within a second, never an error.

gitlab-jobs __complete bash POINT LINE CUT
gitlab-jobs __complete zsh|fish WORD... CURRENT
"""

import json
import logging
import math
import os
import select
import signal
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Final, NoReturn

from attrs import asdict

from gitlab_jobs_async.cli.completion.answers import Answer, Candidate, Kind, answer
from gitlab_jobs_async.cli.completion.bash_line import parse_line, replies
from gitlab_jobs_async.cli.completion.cache import read_cached, write_cached
from gitlab_jobs_async.cli.completion.grammar import Grammar, grammar_from
from gitlab_jobs_async.version import __version__

FRESH_SECONDS: Final = 60.0
STALE_SECONDS: Final = 3600.0
"""Age of names that are still better than none, if the server is away or slow."""

PATIENCE: Final = 1.0
"""Seconds from the start of the process for which a Tab waits for the server."""

LONGEST_FETCH: Final = 10
"""Seconds after which the process that asks the server ends; until then no other one asks."""

_PENDING: Final = "pending "

_SERVER_VARIABLES: Final = ("GITLAB_", "GL_", "GLAB_", "CI_", "PYTHON_GITLAB_", "XDG_", "HOME")


def run_process(arguments: Sequence[str]) -> None:
    """Print the candidates and end the process, even while a request is still open."""
    started = time.monotonic()
    logging.disable()
    # A warning would be printed into the line that the user edits.
    sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - until the end of the process
    try:
        lines = complete(arguments, started + PATIENCE)
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        sys.stdout.flush()
    finally:
        os._exit(0)


def complete(arguments: Sequence[str], until: float) -> list[str]:
    """Return the lines for the shell; names of the server are awaited until that time."""
    shell, *rest = arguments
    if shell == "bash":
        point, line, cut = rest
        typed = parse_line(line[: int(point)])
        _, *words = typed.words or ("",)
        found = answer(_grammar(), words, typed.current)
        if found.is_file:
            return [":file"]
        values = [found.prefix + one.value for one in _candidates(found, until)]
        return replies(typed, cut, values)
    *words, current = rest
    found = answer(_grammar(), words, current)
    if found.is_file:
        return [":file"]
    return [f"{found.prefix}{one.value}\t{one.about}" for one in _candidates(found, until)]


def _candidates(found: Answer, until: float) -> list[Candidate]:
    names = [
        Candidate(value, about)
        for kind in found.kinds
        # The other kinds are of no project.
        for value, about in _names(kind, found, until)
    ]
    return [*found.candidates, *dict.fromkeys(names)]


def _names(kind: Kind, found: Answer, until: float) -> list[list[str]]:
    key = _key(kind, found)
    rows, age = _cached(key)
    if age < FRESH_SECONDS or _is_pending(key) or not hasattr(os, "fork"):
        return rows
    write_cached(_PENDING + key, True)  # noqa: FBT003 - a JSON value
    reading, writing = os.pipe()
    if os.fork() == 0:
        _fetch_apart(key, kind, found)
    os.close(writing)
    # The other process closes its end when it ends, or is left to fill the cache.
    select.select([reading], [], [], max(0.0, until - time.monotonic()))
    return _cached(key)[0]


def _cached(key: str) -> tuple[list[list[str]], float]:
    kept = read_cached(key)
    return kept if kept is not None and kept[1] < STALE_SECONDS else ([], math.inf)


def _is_pending(key: str) -> bool:
    kept = read_cached(_PENDING + key)
    return kept is not None and kept[1] < LONGEST_FETCH


def _fetch_apart(key: str, kind: Kind, found: Answer) -> NoReturn:
    """Write the names to the cache in this forked process, and end it."""
    try:
        # Ctrl-C at the prompt is not for it, and the shell does not wait for its output.
        os.setsid()
        signal.alarm(LONGEST_FETCH)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(nowhere, number)
        # Here, since its import takes a third of a second.
        module = import_module("gitlab_jobs_async.cli.completion.names")
        write_cached(key, module.find_names(kind, found.project, found.server))
    finally:
        os._exit(0)


def _key(kind: Kind, found: Answer) -> str:
    """Return the key of names: all that selects server and project, but no token."""
    options = {name: value for name, value in found.server.items() if name != "--token"}
    variables = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(_SERVER_VARIABLES) and "TOKEN" not in name
    }
    place = "" if found.project else os.getcwd()  # noqa: PTH109 - a deleted folder raises as well
    # Shells pass variables in orders of their own.
    return json.dumps([kind, found.project, place, options, variables], sort_keys=True)


def _grammar() -> Grammar:
    """Return the grammar, from the cache if no module of the commands has changed."""
    folder = Path(__file__).parent
    newest = max(file.stat().st_mtime_ns for file in [*folder.glob("*.py"), *folder.glob("*/*.py")])
    key = json.dumps(["grammar", __version__, str(folder), newest])
    if (kept := read_cached(key)) is not None:
        return grammar_from(kept[0])
    grammar: Grammar = import_module("gitlab_jobs_async.cli.grammar_of_app").grammar_of_app()
    write_cached(key, {name: asdict(command) for name, command in grammar.items()})
    return grammar
