"""Logs: read by ranges, and written as a runner writes them (gitlab.md, 4)."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlab_jobs_async.simulator import BytesLog, RepeatedLog, RunnerScript

HEADER = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z [0-9a-f]{2}[OE][+ ]")


def whole(log):
    return b"".join(log.read(0, log.size))


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=9), st.integers(0, 300_000), st.data())
def test_repeated_log_is_its_pattern(pattern, size, data):
    log = RepeatedLog(pattern, size)
    everything = (pattern * (size // len(pattern) + 1))[:size]
    start = data.draw(st.integers(0, size))
    stop = data.draw(st.integers(start, size + 5))
    assert b"".join(log.read(start, stop)) == everything[start:stop]


@settings(deadline=None)
@given(st.binary(max_size=200_000), st.data())
def test_bytes_log_by_ranges(content, data):
    log = BytesLog(content)
    start = data.draw(st.integers(0, len(content)))
    stop = data.draw(st.integers(start, len(content) + 5))
    assert b"".join(log.read(start, stop)) == content[start:stop]


def test_timestamped_log():
    log = whole(RunnerScript(lines=50, progress=2).record("job", 1_750_000_000.0, 60.0, "success"))
    lines = log.split(b"\n")
    assert lines.pop() == b""
    assert all(HEADER.match(line) for line in lines)
    stamps = [line[:27] for line in lines]
    assert stamps == sorted(stamps)
    assert stamps[0].startswith(b"2025-06-15T15:06:40")
    log.decode("utf-8")
    assert b"Z 01O+Downloading" in log
    assert b"\x1b[32;1m$ pytest -v\x1b[0;m\n" in log


@pytest.mark.parametrize("timestamps", [True, False])
def test_sections_open_and_close(timestamps):
    log = whole(RunnerScript(timestamps=timestamps).record("job", 1_750_000_000.0, 60.0, "success"))
    marks = re.findall(rb"section_(start|end):(\d+):([a-zA-Z0-9_.-]+)\r\x1b\[0K", log)
    opened = []
    for kind, at, name in marks:
        assert 1_750_000_000 <= int(at) <= 1_750_000_060
        if kind == b"start":
            opened.append(name)
        else:
            assert opened.pop() == name
    assert not opened
    assert len(marks) == 10


def test_plain_log_has_no_headers():
    log = whole(RunnerScript(timestamps=False).record("job", 1_750_000_000.0, 60.0, "success"))
    assert not HEADER.search(log)
    assert b"Downloading layers  25%\rDownloading layers  50%\r" in log


def test_same_seed_same_log():
    def written(seed, name="job"):
        return whole(RunnerScript(seed=seed).record(name, 0.0, 9.0, "success"))

    assert written(1) == written(1)
    assert len({written(1), written(2), written(1, "other")}) == 3


@pytest.mark.parametrize(
    ("outcome", "ending"),
    [
        ("success", b"Job succeeded"),
        ("failed", b"ERROR: Job failed: exit code 1"),
        ("canceled", b"ERROR: Job failed: canceled"),
    ],
)
def test_last_line_names_the_outcome(outcome, ending):
    log = whole(RunnerScript().record("job", 0.0, 9.0, outcome))
    assert ending in log.splitlines()[-1]


def test_only_the_last_command_repeats_lines():
    words = {"make": ("one", "two"), "run": ("<number>: <percent>%",)}
    script = RunnerScript(lines=5, progress=0, timestamps=False, words=words)
    log = whole(script.record("job", 0.0, 9.0, "success")).decode()
    assert "$ make\x1b[0;m\none\ntwo\n" in log
    assert "$ run\x1b[0;m\n2:  60%\n3:  80%\n4: 100%\n" in log
