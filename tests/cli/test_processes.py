"""The command as a process of its own: the demo, the simulator, pipes and interrupts."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.support.command import COMMAND, output_of

COMMANDS = "list show trace tail watch cancel retry erase play artifacts simulate demo"
STEPS = ["list", "watch", "follow", "retry", "play", "child"]


def test_demo_in_a_pipe_prints_plain_lines():
    shown = output_of("demo", "--speed", "100")
    assert "\x1b" not in shown
    assert "\r" not in shown
    lines = shown.splitlines()
    assert [line for line in lines if line.startswith("== ")] == ["== Summary"]
    events = [line.split("\t") for line in lines if "\t" in line]
    assert {"job_appeared", "job_changed", "job_finished"} <= {cells[5] for cells in events}
    assert any(
        cells[4:6] == ["contract", "job_appeared"] and "replaces" in cells[7] for cells in events
    )
    logs = [cells for cells in events if cells[5] == "job_log_line"]
    assert {cells[4] for cells in logs} == {"end-to-end"}
    assert logs[-1][7] == "Job succeeded"
    assert any(line.startswith("-- job 207 deploy production is played") for line in lines)
    assert lines[-1].split()[:3] == ["total", "✓", "6"]
    assert not any("✗ " in line for line in lines)


def test_demo_as_json_reports_each_step():
    environ = {**os.environ, "ALL_PROXY": "socks5://proxy.example"}
    shown = output_of("demo", "--json", "--speed", "200", env=environ)
    reports = [json.loads(line) for line in shown.splitlines()]
    assert [report["step"] for report in reports] == [*STEPS, "total"]
    assert all(report["ok"] for report in reports)
    assert int(reports[0]["detail"].split()[0]) >= 150
    assert reports[-1]["requests"] == sum(report["requests"] for report in reports[:-1])
    assert all(report["bytes"] > 0 for report in reports)


def test_closed_streams_keep_the_exit_code():
    def code_of(line):
        command = f"{shlex.quote(sys.executable)} -m gitlab_jobs_async.cli {line}"
        done = subprocess.run(["sh", "-c", command], capture_output=True, timeout=30, check=False)
        assert b"Traceback" not in done.stderr
        return done.returncode, done.stderr.decode()

    assert code_of("--help >&-") == (2, "gitlab-jobs: stdout is closed\n")
    assert code_of("lst 2>&-") == (2, "")
    assert code_of("erase group/app 1 2>&-") == (2, "")
    code, words = code_of("erase group/app 1 <&-")
    assert (code, words.endswith("expected --yes\n")) == (2, True)


def test_demo_runs_without_utf8():
    shown = output_of("demo", "--speed", "200", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert "total" in shown


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_simulate_serves_until_a_signal(spawn, run, number):
    process = spawn(
        "simulate", "--world", "small", "--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    served = json.loads(process.stdout.readline())
    listed = run("list", "group/app", "--url", served["url"], "--token", served["token"])
    assert len(listed.lines) == 4
    process.send_signal(number)
    assert process.wait(10) == 0
    assert process.stderr.read() == b""


def test_simulate_prints_url_and_token(spawn):
    process = spawn("simulate", "--world", "empty", stdout=subprocess.PIPE)
    first, second = process.stdout.readline(), process.stdout.readline()
    assert first.startswith(b"export GITLAB_URL=http://127.0.0.1:")
    assert second == b"export GITLAB_TOKEN=glpat-root\n"


def test_simulate_plays_an_older_release(spawn):
    process = spawn(
        "simulate", "--world", "empty", "--json", "--server-version", "16.0", stdout=subprocess.PIPE
    )
    served = json.loads(process.stdout.readline())
    connection = HTTPConnection(served["url"].removeprefix("http://"), timeout=10)
    connection.request("GET", "/api/v4/version", headers={"PRIVATE-TOKEN": served["token"]})
    with closing(connection), connection.getresponse() as answer:
        assert json.load(answer)["version"] == "16.0.0"


def test_taken_port_fails(gitlab, run, assert_one_line):
    assert_one_line(run("simulate", "--port", gitlab.url.rpartition(":")[2]), 2, "in use")


@pytest.mark.usefixtures("signed_in")
def test_interrupt_ends_tail_and_prints_offset(spawn):
    process = spawn("tail", "group/app", 2, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert re.fullmatch(
        rb"gitlab-jobs: to resume: gitlab-jobs tail group/app 2 --offset \d+\n", err
    )


@pytest.mark.parametrize("arguments", [["--help"], ["list", "--help"], ["demo", "--help"], []])
def test_help(run, arguments):
    result = run(*arguments)
    assert result.code == 0
    assert "Usage: gitlab-jobs" in result.out
    assert "\x1b" not in result.out


def test_help_lists_exit_codes_and_commands(run):
    shown = run("--help").out
    assert "Exit codes: 0 success" in shown
    assert "4 not found" in shown
    for name in [
        "list",
        "show",
        "trace",
        "tail",
        "watch",
        "cancel",
        "retry",
        "erase",
        "play",
        "artifacts",
        "simulate",
        "demo",
    ]:
        assert f" {name} " in shown


def test_help_loads_no_client():
    script = (
        "import sys\n"
        "from gitlab_jobs_async.cli.runner import run\n"
        "run(['--help'])\n"
        "sys.exit(','.join({'aiohttp', 'cattrs', 'yaml', 'orjson'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.stderr.strip() == b""


@pytest.mark.parametrize("arguments", [["--help"], ["demo", "--speed", "200"]])
def test_reader_may_close_the_pipe(spawn, arguments):
    reading, writing = os.pipe()
    os.close(reading)
    process = spawn(*arguments, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert process.wait(20) == 0
    assert process.stderr.read() == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_full_disk_fails():
    with Path("/dev/full").open("wb") as full:
        process = subprocess.run(
            [*COMMAND, "--version"],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert process.returncode == 2
    assert process.stderr == (
        b"gitlab-jobs: stdout: No space left on device; free some space, or write elsewhere\n"
    )


def test_version(run):
    assert run("--version").out.strip().count(".") == 2
