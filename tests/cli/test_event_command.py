"""`--exec`: a program per event with its JSON, ended with us, never a shell."""

import asyncio
import shlex
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from gitlab_jobs_async.cli.errors import CommandError
from gitlab_jobs_async.cli.event_command import EventCommand
from tests.support.command import is_running
from tests.support.tasks import others, until


def python(script, *arguments):
    return EventCommand.parse(shlex.join([sys.executable, "-c", script, *map(str, arguments)]))


async def test_the_program_reads_the_event(tmp_path):
    out = tmp_path / "out"
    script = "import sys; open(sys.argv[1], 'ab').write(sys.stdin.buffer.read())"
    command = python(script, out)
    await command.run("a", '{"name": "größe"}\n')
    await command.run("b", "x" * 300_000)
    assert out.read_text() == '{"name": "größe"}\n' + "x" * 300_000


async def test_no_shell_reads_the_line(tmp_path):
    out = tmp_path / "out"
    script = "import sys; open(sys.argv[1], 'w').write(' '.join(sys.argv[2:]))"
    await python(script, out, "$HOME; *", "`id`").run("a", "")
    assert out.read_text() == "$HOME; * `id`"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("", ""),
        ("raise SystemExit(3)", "gitlab-jobs: --exec: exit code 3 (job/1)\n"),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
            "gitlab-jobs: --exec: ended by SIGKILL (job/1)\n",
        ),
        ("import sys; sys.stdin.close()", ""),
    ],
)
async def test_failed_command_is_reported(script, said, capsys):
    await python(script).run("job/1", "x" * 300_000)
    assert capsys.readouterr().err == said


async def test_missing_program_is_reported(tmp_path, capsys):
    program = tmp_path / "notify"
    program.write_text("#!/nowhere\n")
    program.chmod(0o755)
    command = EventCommand.parse(str(program))
    await command.run("job/1", "")
    assert capsys.readouterr().err.startswith("gitlab-jobs: --exec: ")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "expected a command"),
        ("nowhere/at-all x", "program 'nowhere/at-all' not found"),
        ("notify 'a", "No closing quotation"),
    ],
)
def test_refusals(line, words):
    with pytest.raises(CommandError, match=words) as raised:
        EventCommand.parse(line)
    assert raised.value.code == 2


@pytest.mark.parametrize("is_stubborn", [False, True])
async def test_interrupt_leaves_no_process(tmp_path, is_stubborn):
    emitted = tmp_path / "pids"
    script = (
        "import os, signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        f"signal.signal(signal.SIGTERM, signal.{'SIG_IGN' if is_stubborn else 'SIG_DFL'});"
        "open(sys.argv[1] + '.new', 'w').write(f'{os.getpid()} {child.pid}');"
        "os.rename(sys.argv[1] + '.new', sys.argv[1]); time.sleep(60)"
    )
    command = python(script, emitted)
    command = EventCommand(command.arguments, grace=0.2 if is_stubborn else 30.0)
    task = asyncio.create_task(command.run("a", "x"))
    await until(emitted.exists)
    program, child = map(int, emitted.read_text().split())
    assert is_running(program)
    assert is_running(child)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not is_running(program)
    await until(lambda: not is_running(child) or is_zombie(child))


async def test_interrupt_at_the_start_leaves_no_process(tmp_path, monkeypatch):
    """Cancel while asyncio connects to a program that has started a child."""
    program, emitted = tmp_path / "program", tmp_path / "pids"
    program.write_text(
        f"#!/bin/sh\nsleep 60 &\necho $$ $! > {emitted}.new; mv {emitted}.new {emitted}; wait\n"
    )
    program.chmod(0o700)
    task = asyncio.create_task(EventCommand((str(program),)).run("a", "x"))
    loop = asyncio.get_running_loop()
    connect = loop.connect_write_pipe

    async def connect_late(*arguments):
        await until(emitted.exists)
        task.cancel()
        return await connect(*arguments)

    monkeypatch.setattr(loop, "connect_write_pipe", connect_late)
    async with asyncio.timeout(5):
        await asyncio.wait([task])
    assert task.cancelled()
    for pid in map(int, emitted.read_text().split()):
        await until(lambda pid=pid: not is_running(pid) or is_zombie(pid))
    assert not await others()


def is_zombie(pid):
    """Whether it has ended and only init, here none that reaps, has yet to notice."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return False
