"""Run the code blocks of the documentation against a simulated GitLab."""

import ast
import asyncio
import contextlib
import inspect
import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from gitlab_jobs_async import GitLab
from gitlab_jobs_async.cli.runner import run as run_command
from gitlab_jobs_async.clock import SystemClock
from gitlab_jobs_async.simulator import AcceleratedClock, Simulator, demo_world
from tests.support.command import COMMAND
from tests.support.doc_blocks import Block

NOW = 1_750_000_000.0
SPEED = 300.0


@contextlib.contextmanager
def demo_server(monkeypatch, folder: Path) -> Iterator[Simulator]:
    """Serve the demo world at 300 times real time; the environment names it, *folder* is home.

    Clients of this process wait as fast.
    """
    monkeypatch.chdir(folder)
    clock = AcceleratedClock(SPEED)
    monkeypatch.setattr(SystemClock, "now", lambda _: clock.now())
    monkeypatch.setattr(SystemClock, "sleep", lambda _, seconds: clock.sleep(seconds))
    with Simulator(demo_world(clock.now()), clock=clock) as simulator:
        variables = {"GITLAB_URL": simulator.url, "GITLAB_TOKEN": simulator.token}
        for name, value in {**variables, "HOME": str(folder)}.items():
            monkeypatch.setenv(name, value)
        yield simulator


def commands(block: Block) -> list[str]:
    """Return the commands of a console block, without their prompts."""
    return [line.removeprefix("$ ") for line in block.code.splitlines() if line.startswith("$ ")]


def exit_code_of(command: str) -> int:
    """Return the exit code that *command* must have: 1 where `tail` shows a failure."""
    follows = command.startswith("gitlab-jobs tail ") and "--no-follow" not in command
    failures = (" 200", "--log-failed", "--pipeline 19")
    return int(follows and any(word in command for word in failures))


def run_line(command: str) -> int:
    """Run a `gitlab-jobs` command in this process and return its exit code."""
    program, *arguments = shlex.split(command)
    assert program == "gitlab-jobs"
    return run_command(arguments)


@contextlib.contextmanager
def interrupted_after_output() -> Iterator[None]:
    """Press Ctrl-C within the block once something is on stdout or stderr, which are files."""
    is_over = threading.Event()

    def interrupt():
        while not is_over.wait(0.01):
            if os.fstat(1).st_size or os.fstat(2).st_size:
                os.kill(os.getpid(), signal.SIGINT)
                return

    waiting = threading.Thread(target=interrupt)
    waiting.start()
    try:
        yield
    finally:
        is_over.set()
        waiting.join()


def is_endless(command: str) -> bool:
    """Tell a command that runs until a signal."""
    return command.startswith("gitlab-jobs events ") or command.endswith("&")


@contextlib.contextmanager
def running(lines: Iterable[str]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run commands as processes, which SIGTERM ends with the block."""
    with contextlib.ExitStack() as stack:
        processes = []
        for line in lines:
            program, *arguments = shlex.split(line.removesuffix(" > /dev/null &"))
            assert program == "gitlab-jobs"
            started = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.DEVNULL)
            processes.append(stack.enter_context(started))
            stack.callback(started.terminate)
        yield processes


async def run_snippet(block: Block) -> None:
    """Run *block* with a `gitlab` that the environment names, and a `project` of it."""
    # Any free port: another run of the tests may use the documented one.
    source = block.code.replace('"127.0.0.1", 8081', '"127.0.0.1", 0')
    code = compile(source, block.page, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    async with GitLab.from_env() as gitlab:
        names = {"gitlab": gitlab, "project": gitlab.project("shop/checkout")}
        running = eval(code, names)
        if inspect.iscoroutine(running):
            await running


def run_script(block: Block, server: Simulator, monkeypatch, has_result=lambda: True) -> None:
    """Run *block* on the clock of *server*; stop one that serves for ever once it *has_result*."""
    real_run = asyncio.run

    async def until_result(main):
        running = asyncio.ensure_future(main)
        while not has_result():
            await asyncio.wait([running], timeout=0.05)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running

    with monkeypatch.context() as patched:
        patched.setattr("gitlab_jobs_async.server_client.SystemClock", lambda: server.clock)
        if block.is_endless:
            patched.setattr(asyncio, "run", lambda main: real_run(until_result(main)))
        with contextlib.suppress(SystemExit):  # a gate exits with the result of its pipeline
            exec(compile(block.code, block.page, "exec"), {"__name__": "__main__"})


def typed(block: Block) -> str:
    """Return *block* as a module for a type checker: snippets get the names that they use."""
    if not block.is_snippet:
        return block.code
    body = "".join(f"    {line}" if line.strip() else line for line in block.code.splitlines(True))
    return (
        "from gitlab_jobs_async import GitLab, Project\n\n\n"
        f"async def snippet(gitlab: GitLab, project: Project) -> None:\n{body}"
    )
