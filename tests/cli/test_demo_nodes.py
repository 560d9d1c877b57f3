"""The command `demo --nodes`: its report, and the processes that it starts and kills."""

import asyncio
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from gitlab_jobs_async import SqliteStore
from gitlab_jobs_async.cli.demo.nodes import most_in_a_minute

QUICK = ["demo", "--nodes", "2", "--seconds", "7"]


@pytest.mark.parametrize(
    ("times", "most"),
    [
        ([], 0),
        ([5.0], 1),
        ([0.0, 30.0, 59.0], 3),
        ([0.0, 60.5, 121.0], 1),
        ([0.0, 50.0, 70.0, 100.0, 105.0, 200.0], 4),
        ([105.0, 0.0, 70.0, 50.0], 3),
    ],
)
def test_any_60_seconds_are_counted(times, most):
    assert most_in_a_minute(times) == most


@pytest.fixture
def demo(spawn, tmp_path):
    """Start the demo; its processes inherit a variable by which `left` finds them."""
    environ = {**os.environ, "TMPDIR": str(tmp_path)}

    def start(*options):
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return spawn(*QUICK, *options, env=environ, text=True, **pipes)

    return start


@pytest.fixture
def left(tmp_path):
    """Return a function that returns the processes of the demo that still run."""
    variable = f"TMPDIR={tmp_path}".encode()

    def find():
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                is_ours = variable in (process / "environ").read_bytes().split(b"\0")
            except OSError:  # it has just ended, or is another user's
                continue
            if is_ours:
                found.append(process.name)
        return found

    return find


@pytest.mark.timeout(60)  # idle projects are polled every few seconds of real time
def test_report_says_that_nothing_was_lost(demo, left):
    process = demo("--json")
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    report = json.loads(out)
    assert report["kills"] >= 1
    assert report["nodes"] == 2 + report["kills"]
    assert report["jobs"] >= 5
    assert (report["lost"], report["repeated"]) == (0, 0)
    assert 0 < report["most_requests_a_minute"] <= report["requests_allowed"]
    assert left() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_all_processes(demo, left, tmp_path, number):
    process = demo()
    while "holds shards" not in process.stdout.readline():
        assert process.poll() is None
    assert len(left()) == 3
    process.send_signal(number)
    assert process.wait(10) == 130
    assert process.stderr.read() == ""
    assert left() == []
    assert list(tmp_path.glob("tmp*")) == []


def test_kill_ends_all_processes(demo, left):
    process = demo()
    while "holds shards" not in process.stdout.readline():
        assert process.poll() is None
    process.kill()
    assert process.wait(10) == -signal.SIGKILL
    until = time.monotonic() + 10
    while left() and time.monotonic() < until:
        time.sleep(0.05)
    assert left() == []


def test_store_of_another_server_is_refused(run, assert_one_line, tmp_path):
    async def use():
        store = SqliteStore(tmp_path / "ci.db")
        await store.open("https://gitlab.example.com")
        await store.close()

    asyncio.run(use())
    result = run(*QUICK, "--store", tmp_path / "ci.db", "--json")
    assert_one_line(result, 2, "https://gitlab.example.com")


@pytest.mark.parametrize("option", [("--store", "ci.db"), ("--seconds", "7")])
def test_option_without_nodes_is_a_usage_error(run, assert_one_line, option):
    assert_one_line(run("demo", *option), 2, "--nodes")
