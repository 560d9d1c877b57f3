"""Every command against every kind of failure: one table of exit codes, one line on stderr."""

import asyncio
import io
import os
import signal
import socket
import sys
import threading
from contextlib import closing
from functools import partial

import pytest

from gitlab_jobs_async.cli.config import client
from gitlab_jobs_async.cli.help.acting import ACTING
from gitlab_jobs_async.cli.help.reading import READING
from gitlab_jobs_async.cli.runner import run as run_command
from gitlab_jobs_async.cli.signals import run_until_signal
from gitlab_jobs_async.client import GitLab
from gitlab_jobs_async.simulator import Fault

COMMANDS = {
    "list": ["group/app"],
    "show": ["group/app", "1"],
    "trace": ["group/app", "1"],
    "tail": ["group/app", "1"],
    "pipelines": ["group/app"],
    "wait": ["group/app", "1"],
    "timeline": ["group/app", "1"],
    "failures": ["group/app"],
    "watch": ["group/app", "--pipeline", "1"],
    "artifacts": ["group/app", "1"],
    "doctor": [],
    "run": ["group/app", "main"],
    "cancel": ["group/app", "2"],
    "retry": ["group/app", "2"],
    "erase": ["group/app", "1", "--yes"],
    "play": ["group/app", "4"],
}
"""Arguments with which each command sends a request to the server."""

OTHERS = {"exporter", "events", "config"}
"""Commands that ride out a failing server, or need none; their own tests have their codes."""

READERS = ("list", "show", "trace", "artifacts")

NOT_JSON = Fault(status=200, body=b'[{"id": 1', content_type="application/json", times=None)
REFUSALS = {
    "500": (Fault(status=500, times=None), 3),
    "502": (Fault.bad_gateway(times=None), 3),
    "429": (Fault.throttled(times=None, retry_after=600), 3),
    "lost connection": (Fault(reset="before", times=None), 3),
    "bad JSON": (NOT_JSON, 3),
    "HTML": (Fault.sign_in_page(times=None), 3),
    "400": (Fault(status=400, times=None), 2),
    "401": (Fault(status=401, times=None), 4),
    "403": (Fault(status=403, times=None), 4),
    "404": (Fault(status=404, times=None), 4),
}
SUCCESSES = {
    # Bytes are written as they are, whatever they hold.
    "bad JSON": {"trace": 0, "artifacts": 0},
    # The report says what is refused; it names no project here.
    "403": {"doctor": 0},
}


def codes(run, *options):
    """Run every command; return its code, once it has printed one line for a failure."""
    found = {}
    for name, arguments in COMMANDS.items():
        result = run(name, *arguments, "--attempts", "1", *options)
        lines = result.err.splitlines()
        assert len(lines) == int(result.code > 0), (name, result)
        for line in lines:
            assert line.startswith("gitlab-jobs: "), (name, result)
            assert line.isprintable()
        assert "glpat" not in result.err
        found[name] = result.code
    return found


def test_table_has_every_command():
    assert COMMANDS.keys() | OTHERS == {command.name for command in (*READING, *ACTING)}


@pytest.mark.parametrize("kind", REFUSALS)
def test_failing_answer_has_its_code(signed_in, run, kind):
    fault, code = REFUSALS[kind]
    signed_in.faults.add(fault)
    assert codes(run) == dict.fromkeys(COMMANDS, code) | SUCCESSES.get(kind, {})


@pytest.fixture
def silent():
    """A server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def url_of(listener):
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_unreachable_server_is_code_3(signed_in, run):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = url_of(listener)
    no_tls = signed_in.url.replace("http:", "https:")
    for url in (closed, no_tls, "http://gitlab.invalid"):
        assert set(codes(run, "--url", url, "--token", "t").values()) == {3}, url


def test_slow_server_is_code_3(silent, run, monkeypatch):
    monkeypatch.setattr(client, "GitLab", partial(GitLab, timeout=0.05))
    assert set(codes(run, "--url", url_of(silent), "--token", "t").values()) == {3}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_is_code_130(run, number):
    def interrupt(listener):
        with closing(listener.accept()[0]) as connection:
            connection.recv(1)  # the command waits for its answer
            os.kill(os.getpid(), number)
            while connection.recv(65536):
                pass

    for name, arguments in COMMANDS.items():
        # A server for each: several connections of one command may be open.
        with socket.create_server(("127.0.0.1", 0)) as listener:
            sender = threading.Thread(target=interrupt, args=(listener,))
            sender.start()
            result = run(name, *arguments, "--url", url_of(listener), "--token", "t")
            sender.join()
        assert (name, result.code, result.out) == (name, 130, "")


def test_ignored_signal_does_not_end_a_command():
    """As `nohup` starts a command."""

    async def command():
        os.kill(os.getpid(), signal.SIGHUP)
        for _ in range(20):
            await asyncio.sleep(0)
        return 5

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert run_until_signal(command()) == 5
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("signed_in")
def test_closed_pipe_is_code_0(monkeypatch, capfd):
    for name in READERS:
        reading, writing = os.pipe()
        os.close(reading)
        with os.fdopen(writing, "wb") as pipe, io.TextIOWrapper(pipe) as out:
            with monkeypatch.context() as patched:
                patched.setattr(sys, "stdout", out)
                assert (name, run_command([name, *COMMANDS[name]])) == (name, 0)
    assert capfd.readouterr().err == ""
