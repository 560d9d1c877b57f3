"""The command `events`: recorded events of a store, for one consumer group."""

import asyncio
import json
import signal
import subprocess
import sys

import pytest

from tests.support.stores import record_for


@pytest.fixture
def path(tmp_path):
    """Return a store in which the group "bot" has three events to read."""
    path = tmp_path / "ci.db"
    asyncio.run(record_for(path, "bot"))
    return path


def read(process, count):
    return [process.stdout.readline().decode() for _ in range(count)]


def test_lines_are_those_of_watch(spawn, path):
    process = spawn("events", "--store", path, "--group", "bot", stdout=subprocess.PIPE)
    lines = [line.split("\t") for line in read(process, 3)]
    assert [(line[1], line[3], line[4]) for line in lines] == [
        ("shop/web", f"{number}", "unit") for number in (1, 2, 3)
    ]


def test_json_has_key_and_instance(spawn, path):
    process = spawn("events", "--store", path, "--group", "bot", "--json", stdout=subprocess.PIPE)
    events = [json.loads(line) for line in read(process, 3)]
    assert [event["key"] for event in events] == [
        f"gitlab.example.com/job/{number}" for number in (1, 2, 3)
    ]
    assert {event["instance"] for event in events} == {"https://gitlab.example.com"}
    assert events[0]["type"] == "JobFinished"


def test_sigterm_keeps_the_event_in_work(spawn, path):
    """End the process while a command runs; the next one begins with the same event."""
    script = "import sys, time; print(sys.stdin.read(), flush=True); time.sleep(9)"
    arguments = ["--exec", f'{sys.executable} -c "{script}"']
    process = spawn("events", "--store", path, "--group", "bot", *arguments, stdout=subprocess.PIPE)
    assert "\tunit\t" in read(process, 1)[0]
    assert json.loads(read(process, 1)[0])["key"].endswith("/job/1")
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 130
    again = spawn("events", "--store", path, "--group", "bot", "--json", stdout=subprocess.PIPE)
    assert json.loads(read(again, 1)[0])["key"].endswith("/job/1")


def test_unusable_store_is_one_line(run, tmp_path, assert_one_line):
    file = tmp_path / "ci.db"
    file.write_text("x" * 1000)
    result = run("events", "--store", file, "--group", "bot")
    assert_one_line(result, 2, "not a SQLite database")


@pytest.mark.parametrize("group", ["", "a" * 101])
def test_invalid_group_is_a_usage_error(run, tmp_path, assert_one_line, group):
    result = run("events", "--store", tmp_path / "ci.db", "--group", group)
    assert_one_line(result, 2, "invalid group")
