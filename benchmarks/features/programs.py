"""The programs that are run, each in a checkout beside a fresh simulated server."""

import os
import re
import shlex
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from attrs import frozen

from benchmarks.features.answers import Answer, Cell, Outcome, Try, cell_of
from benchmarks.features.scene import PROJECT, world
from benchmarks.features.terminal import press
from gitlab_jobs_async.simulator import AcceleratedClock, Faults, Simulator

_SECONDS = 30.0
_HOST = "gitlab.example"
_GLAB_CONFIG = """\
check_update: false
host: {name}
hosts:
  {name}:
    token: {token}
    api_protocol: http
    api_host: {host}
    git_protocol: https
    user: root
"""
_KEPT = ("PATH", "LANG", "LC_ALL")


@frozen
class Program:
    """A program that is run; `command` is empty where it is not installed.

    `prepare` writes what it reads into its home, and returns its environment and the address of
    GitLab in the checkout's remote.
    """

    name: str
    command: Sequence[str]
    prepare: Callable[[Path, Simulator], tuple[dict[str, str], str]]


def _ours(_home: Path, simulator: Simulator) -> tuple[dict[str, str], str]:
    environment = {"GITLAB_URL": simulator.url, "GITLAB_TOKEN": simulator.token}
    return environment, simulator.url


def _glab(home: Path, simulator: Simulator) -> tuple[dict[str, str], str]:
    # Of a remote, glab ignores the port, so that the API gets an address of its own.
    host = urlsplit(simulator.url).netloc
    file = home / "config.yml"
    file.write_text(_GLAB_CONFIG.format(name=_HOST, host=host, token=simulator.token))
    file.chmod(0o600)
    return {"GLAB_CONFIG_DIR": str(home)}, f"https://{_HOST}"


def _python_gitlab(_home: Path, simulator: Simulator) -> tuple[dict[str, str], str]:
    environment = {"GITLAB_URL": simulator.url, "GITLAB_PRIVATE_TOKEN": simulator.token}
    return environment, simulator.url


def all_programs() -> list[Program]:
    """Return the programs; that of glab is named by the variable GLAB."""
    glab = os.environ.get("GLAB", "")
    peer = Path(sysconfig.get_path("scripts")) / "gitlab"
    return [
        Program("gitlab-jobs", (sys.executable, "-m", "gitlab_jobs_async.cli"), _ours),
        Program("glab", (glab,) if glab else (), _glab),
        Program("gitlab", (str(peer),) if peer.exists() else (), _python_gitlab),
    ]


def version_of(program: Program) -> str:
    """Return the number that the program prints as its version."""
    if not program.command:
        return "not run"
    done = subprocess.run(
        [*program.command, "--version"], capture_output=True, text=True, check=False
    )
    found = re.search(r"\d[\w.+]*", done.stdout)
    return found[0] if found else "unknown"


def judge(program: Program, tries: Sequence[Try], *, explain: bool = False) -> Cell:
    """Return the answer of the first try that succeeds; *explain* prints why others do not."""
    if not program.command:
        return Cell(answer=Answer.NOT_RUN)
    for attempt in tries:
        with _checkout(program, attempt) as (simulator, folder, remote, environment):
            words = attempt.words.replace("{url}", remote)
            command = [*program.command, *shlex.split(words)]
            if attempt.steps:
                done, text = press(
                    command,
                    attempt.steps,
                    folder=folder,
                    environment=environment,
                    seconds=_SECONDS / 3,
                )
                code = attempt.code if done else -1
            else:
                code, text = _run(command, attempt, folder, environment)
            outcome = Outcome(code, text, list(simulator.requests), simulator.world, folder)
            if _is_met(attempt, outcome):
                return cell_of(attempt, len(outcome.requests))
            if explain:
                print(f"--- {program.name} {attempt.words}: {outcome.code}\n{outcome.text[-1500:]}")
    return Cell(answer=Answer.NO)


def _is_met(attempt: Try, outcome: Outcome) -> bool:
    return (
        attempt.code in {None, outcome.code}
        and all(re.search(pattern, outcome.text) for pattern in attempt.shows)
        and not any(re.search(pattern, outcome.text) for pattern in attempt.hides)
        and attempt.holds(outcome)
    )


@contextmanager
def _checkout(
    program: Program, attempt: Try
) -> Iterator[tuple[Simulator, Path, str, Mapping[str, str]]]:
    clock = AcceleratedClock(attempt.speed)
    with (
        tempfile.TemporaryDirectory() as made,
        Simulator(world(clock.now()), clock=clock) as server,
    ):
        server.faults = Faults()
        server.faults.add(*attempt.faults)
        home, folder = Path(made) / "home", Path(made) / "payments"
        home.mkdir()
        folder.mkdir()
        own, remote = program.prepare(home, server)
        browser = home / "browser"
        browser.write_text("#!/bin/sh\ntouch opened\n")
        browser.chmod(0o700)
        for command in (
            ("init", "-q", "-b", "main"),
            ("remote", "add", "origin", f"{remote}/{PROJECT}.git"),
            ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x", "--allow-empty"),
        ):
            subprocess.run(["git", *command], cwd=folder, check=True)
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        yield (
            server,
            folder,
            remote,
            {**kept, "HOME": str(home), "BROWSER": str(browser), **own, **attempt.variables},
        )


def _run(
    command: Sequence[str], attempt: Try, folder: Path, environment: Mapping[str, str]
) -> tuple[int | None, str]:
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={"NO_COLOR": "1", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    stopped = threading.Event()

    def stop() -> None:
        stopped.set()
        process.send_signal(signal.SIGINT)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()

    timer = threading.Timer(_SECONDS, stop)
    timer.start()
    text = ""
    for line in process.stdout or ():
        text += line.decode(errors="replace")
        if attempt.until and not stopped.is_set() and re.search(attempt.until, text):
            timer.cancel()
            stop()
    timer.cancel()
    code = process.wait()
    if not stopped.is_set():
        return code, text
    return (attempt.code if attempt.until and re.search(attempt.until, text) else None), text
