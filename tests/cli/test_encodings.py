"""JSON in UTF-8 and times in the reader's zone, whatever the locale of the process is."""

import contextlib
import io
import json
import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest

from gitlab_jobs_async.cli.views.rows import json_line
from gitlab_jobs_async.cli.views.times import local_time, utc_time
from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.simulator import BytesLog, JobPlan

pytestmark = pytest.mark.usefixtures("signed_in")

NAME = "сборка 日本 ✓ é"
LOCALES = {
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "utf-16": {"PYTHONIOENCODING": "utf-16"},
    "C": {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
}


@pytest.fixture
def world(world, clock):
    wide = world.add_project("group/wide")
    pipeline = world.add_pipeline(wide, stages=("test",), ref=NAME)
    log = BytesLog(f"{NAME}\n".encode())
    world.add_job(pipeline, NAME, plan=JobPlan(duration=1.0, queued=0.0, log=log))
    manual = JobPlan(when="manual", duration=1.0, queued=0.0)
    world.add_job(pipeline, f"{NAME} by hand", plan=manual)
    failed = JobPlan(duration=1.0, queued=0.0, outcome="failed")
    world.add_job(pipeline, f"{NAME} failed", plan=failed)
    world.settle(clock.now() + 120.0)
    return world


@pytest.fixture
def ids(world):
    return {
        job.name.removeprefix(NAME).strip(): job for job in world.jobs.values() if NAME in job.name
    }


COMMANDS = {
    "list": lambda _: ["list", "group/wide"],
    "show": lambda ids: ["show", "group/wide", ids[""].id],
    "tail": lambda ids: ["tail", "group/wide", ids[""].id],
    "tail of several": lambda ids: [
        "tail",
        "group/wide",
        ids[""].id,
        ids["failed"].id,
        "--no-follow",
    ],
    "watch": lambda ids: ["watch", "group/wide", "--pipeline", ids[""].pipeline.id],
    "cancel": lambda ids: ["cancel", "group/wide", ids[""].id],
    "retry": lambda ids: ["retry", "group/wide", ids["failed"].id],
    "play": lambda ids: ["play", "group/wide", ids["by hand"].id],
    "erase": lambda ids: ["erase", "group/wide", ids[""].id, "--yes"],
}


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "cp437", "utf-16"])
def test_json_is_utf8_in_every_command(run, ids, name, encoding):
    assert isinstance(sys.stdout, io.TextIOWrapper)
    before = sys.stdout.encoding
    sys.stdout.reconfigure(encoding=encoding, errors="replace")
    try:
        result = run(*COMMANDS[name](ids), "--json")
    finally:
        sys.stdout.reconfigure(encoding=before, errors="strict")
    assert result.code in {0, 1}, result.err
    rows = [json.loads(line) for line in result.lines]
    assert rows
    names = [row.get("name") or row.get("text") or row["job"]["name"] for row in rows]
    assert any(NAME in name for name in names)
    assert not any("?" in name for name in names)
    # A reader that takes it for the locale's encoding finds the same.
    assert result.out.isascii()


@pytest.mark.parametrize("locale", LOCALES)
def test_json_of_a_process_is_utf8(spawn, locale):
    environ = os.environ | LOCALES[locale]
    arguments = ("list", "group/wide", "group/app", "--json")
    process = spawn(*arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, b"")
    assert b"\r" not in out
    assert NAME in {json.loads(line)["name"] for line in out.decode("utf-8").splitlines()}
    assert out.isascii()


@pytest.mark.parametrize("spelled", ["utf8", "UTF_8:strict"])
def test_json_of_a_utf8_process_is_readable(spawn, spelled):
    environ = os.environ | {"PYTHONIOENCODING": spelled}
    process = spawn("list", "group/wide", "--json", stdout=subprocess.PIPE, env=environ)
    out, _ = process.communicate(timeout=30)
    assert NAME.encode() in out


@pytest.mark.parametrize("locale", LOCALES)
def test_exec_gets_utf8_and_its_own_arguments(spawn, ids, locale, tmp_path):
    written, script = tmp_path / "got", tmp_path / "tell.sh"
    script.write_text(f'cat >> {written}\nprintf \'%s\\n\' "$1" "$SAID" >> {written}\n')
    word = NAME.partition(" ")[0]
    line = f"sh {script} {word}"
    environ = os.environ | LOCALES[locale] | {"SAID": NAME}
    process = spawn(
        "watch", "group/wide", "--pipeline", ids[""].pipeline.id, "--exec", line,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environ,
    )  # fmt: skip
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    event, argument, said = written.read_bytes().decode("utf-8").splitlines()[:3]
    assert json.loads(event)["job"]["name"].startswith(NAME)
    assert (argument, said) == (word, NAME)


@pytest.mark.parametrize("locale", ["cp1252", "C"])
def test_reader_of_json_may_go(spawn, locale):
    reading, writing = os.pipe()
    os.close(reading)
    environ = os.environ | LOCALES[locale]
    process = spawn(
        "list", "group/wide", "--json", stdout=writing, stderr=subprocess.PIPE, env=environ
    )
    os.close(writing)
    assert process.wait(30) == 0
    assert process.stderr.read() == b""


@pytest.mark.parametrize(
    "arguments", [["trace"], ["tail", "--raw"], ["tail", "--raw", "--no-follow"]]
)
def test_bytes_in_a_pipe_stay_as_they_are(run, world, arguments):
    nasty = b"\x1b]0;owned\x07 \xe2\x80\xae \xf3\xa0\x81\x81 \x85\xff caf\xc3\xa9\n"
    pipeline = world.add_pipeline(world.project("group/wide"), stages=("test",))
    job = world.add_job(
        pipeline, "raw", plan=JobPlan(duration=1.0, queued=0.0, log=BytesLog(nasty))
    )
    world.settle(job.created_at + 60)
    command, *options = arguments
    result = run(command, "group/wide", job.id, *options)
    assert result.out.encode("utf-8", "surrogateescape") == nasty


@contextlib.contextmanager
def zone(monkeypatch, name):
    monkeypatch.setenv("TZ", name)
    time.tzset()
    try:
        yield
    finally:
        monkeypatch.undo()
        time.tzset()


EAST = timezone(timedelta(hours=5, minutes=30))
AT = datetime(2026, 1, 2, 3, 4, 5, 999, UTC)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("UTC", "2026-01-02T03:04:05Z"),
        ("XST-5:30", "2026-01-02T08:34:05+05:30"),
        ("XST8", "2026-01-01T19:04:05-08:00"),
    ],
)
@pytest.mark.parametrize("sent", [AT, AT.astimezone(EAST)])
def test_time_is_shown_in_the_readers_zone(monkeypatch, name, shown, sent):
    job = Job(id=1, name="a", stage="b", status=JobStatus.SUCCESS, created_at=sent)
    with zone(monkeypatch, name):
        assert local_time(sent) == shown
        assert utc_time(sent) == "2026-01-02T03:04:05Z"
        assert json.loads(json_line(job))["created_at"] == sent.isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize("year", [1, 9999])
def test_time_that_no_zone_has_is_shown_as_sent(monkeypatch, year):
    first, last = datetime(year, 1, 1, tzinfo=UTC), datetime(year, 12, 31, 23, tzinfo=UTC)
    for name in ("XST-14", "XST12"):
        with zone(monkeypatch, name):
            shown = {write(at)[:4] for at in (first, last) for write in (local_time, utc_time)}
            assert shown <= {"0001", "0002", "9998", "9999"}


@pytest.mark.parametrize("command", ["list", "show"])
def test_programs_get_times_in_utc(run, ids, monkeypatch, command):
    with zone(monkeypatch, "XST-5:30"):
        arguments = (
            ["list", "group/wide"] if command == "list" else ["show", "group/wide", ids[""].id]
        )
        out = run(*arguments).out
    assert re.search(r"\t\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ[\t\n]", out)
    assert "+05:30" not in out
