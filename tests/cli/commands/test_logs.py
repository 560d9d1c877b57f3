"""`trace` and `tail`: the very bytes to a file or pipe, clean lines to a person."""

import json
import shlex
import signal
import subprocess

import pytest

from gitlab_jobs_async.simulator import BytesLog, Fault, JobPlan, RepeatedLog, RunnerScript

BIG = 24 * 1024 * 1024
PROMPT = ["--interval", 0.2]
"""The server is 100 times as fast as the command, which would wait for 5 real seconds."""

pytestmark = pytest.mark.usefixtures("signed_in")


@pytest.fixture
def running(world):
    """A job that runs for 40 seconds of the simulated clock and uploads every 3."""
    project = world.add_project("group/slow")
    pipeline = world.add_pipeline(project, stages=("test",))
    plan = JobPlan(duration=40.0, queued=0.0, first_upload=1.0, upload_interval=3.0)
    return world.add_job(pipeline, "slow", plan=plan), plan


def trace_of(job):
    return b"".join(job.log.read(0, job.log.size))


def test_pipe_gets_unchanged_bytes(run):
    whole = run("trace", "group/evil", 5).out
    assert whole.startswith("\x1b[32mgreen")
    assert "\x1b]0;owned\x07title \x1b[2J" in whole


def test_full_device_is_named(run):
    result = run("trace", "group/evil", 5, "-o", "/dev/full")
    words = "/dev/full: No space left on device; free some space, or write elsewhere"
    assert (result.code, result.err) == (2, f"gitlab-jobs: {words}\n")


def test_file_gets_unchanged_bytes(run, tmp_path):
    out = tmp_path / "job.log"
    result = run("trace", "group/evil", 5, "-o", out)
    assert (result.code, result.out, result.err) == (0, "", "")
    assert out.read_bytes().startswith(b"\x1b[32mgreen")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_replaced_file_keeps_mode_and_link(run, tmp_path):
    target, link = tmp_path / "real.log", tmp_path / "link.log"
    target.write_text("before")
    target.chmod(0o640)
    link.symlink_to(target)
    assert run("trace", "group/evil", 5, "--output", link).code == 0
    assert link.is_symlink()
    assert target.read_bytes().startswith(b"\x1b[32mgreen")
    assert target.stat().st_mode & 0o777 == 0o640


def test_unstarted_job_has_an_empty_trace(run):
    assert run("trace", "group/app", 4).out == ""


def test_terminal_gets_a_note_of_an_empty_trace(run, monkeypatch):
    notes = []
    monkeypatch.setattr("gitlab_jobs_async.cli.commands.logs.is_terminal", lambda: True)
    monkeypatch.setattr("gitlab_jobs_async.cli.commands.logs.print_note", notes.append)
    assert run("trace", "group/app", 4).out == ""
    assert notes == ["job 4 has no log lines yet"]
    assert run("trace", "group/app", 1).code == 0
    assert len(notes) == 1


def test_log_begins_before_the_line_of_a_url(run, world, signed_in, monkeypatch):
    whole = run("trace", "group/app", 1).out
    every = [line["text"] for line in map(json.loads, run("tail", "1", "1", "--json").lines)]
    url = f"{signed_in.url}/group/app/-/jobs/1#L"
    assert run("tail", f"{url}8").lines == every[4:]
    assert run("tail", f"{url}2").lines == every
    assert run("tail", f"{url}8", "-n", 1).lines == every[-1:]
    # The bytes of the same lines.
    assert run("trace", f"{url}2").out == whole
    tail = run("trace", f"{url}8").out
    assert whole.endswith(tail)
    assert every[4] in tail.splitlines()[0]
    missing = f"gitlab-jobs: job 1 has no log line 999: its last one is {len(every)}\n"
    result = run("trace", f"{url}999")
    assert (result.code, result.out, result.err) == (0, "", missing)
    for options in [], ["--no-follow"]:
        result = run("tail", f"{url}999", *options)
        assert (result.code, result.out, result.err) == (0, "", missing)
    assert run("tail", f"{url}999", "-n", 1).err == ""
    result = run("show", f"{url}999")
    assert ("line 9" in result.out, result.err) == (False, missing)
    # One after the last: the lines before it are there.
    beyond = len(every) + 1
    for command in "trace", "tail", "show":
        result = run(command, f"{url}{beyond}")
        assert every[-1] in result.lines[-1]
        assert f"no log line {beyond}: " in result.err
    no_lines = "gitlab-jobs: job 4 has no log line 9: it has none\n"
    assert run("trace", f"{signed_in.url}/group/app/-/jobs/4#L9").err == no_lines
    shown = [line.split("\t") for line in run("show", f"{url}8").lines]
    assert shown[-7:] == [[f"line {n}", every[n - 1]] for n in range(5, 12)]
    # A long log arrives in many parts.
    long = BytesLog(b"".join(b"%08d\n" % number for number in range(1, 12_001)))
    pipeline = world.add_pipeline(world.project("group/app"), stages=("test",))
    job = world.add_job(pipeline, "long", plan=JobPlan(duration=0.0, queued=0.0, log=long))
    world.settle(world.now + 60)
    near_its_end = f"{url.replace('/1#', f'/{job.id}#')}11000"
    rest = run("trace", near_its_end).out
    result = run("tail", near_its_end)
    assert (result.out, result.err) == (rest, "")
    assert rest == "".join(f"{number:08}\n" for number in range(10_997, 12_001))
    notes = []
    monkeypatch.setattr("gitlab_jobs_async.cli.commands.logs.is_terminal", lambda: True)
    monkeypatch.setattr("gitlab_jobs_async.cli.commands.logs.print_note", notes.append)
    lines = run("trace", f"{url}8", "--no-pager", "--no-color").lines
    assert lines[-1] == every[-1]
    assert len(lines) == len(every) - 4
    assert run("trace", f"{url}999").err == missing
    assert notes == []


def test_big_trace_needs_little_memory(world, spawn, tmp_path):
    pipeline = world.add_pipeline(world.project("group/empty"), stages=("test",))
    log = RepeatedLog(b"0123456789abcdef" * 4 + b"\n", BIG)
    job = world.add_job(pipeline, "big", plan=JobPlan(duration=0.0, queued=0.0, log=log))
    world.settle(world.now + 60)
    script = (
        "import resource, sys\n"
        "from gitlab_jobs_async.cli.runner import run\n"
        "run(['--version'])\n"
        "import gitlab_jobs_async.cli.commands.logs\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "code = run(sys.argv[1:])\n"
        "sys.stderr.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))\n"
        "sys.exit(code)\n"
    )
    out = tmp_path / "big.log"
    arguments = ["trace", "group/empty", str(job.id), "--output", str(out)]
    done = subprocess.run(
        [spawn.python, "-c", script, *arguments], capture_output=True, check=True, timeout=30
    )
    assert out.stat().st_size == BIG
    assert int(done.stderr) < 12 * 1024


def test_tail_follows_to_the_end(running, run):
    job, _ = running
    result = run("tail", "group/slow", job.id, *PROMPT)
    assert result.code == 0
    assert result.err == ""
    assert result.lines[0].startswith("Running with gitlab-runner")
    assert result.lines[-1] == "Job succeeded"
    assert "\x1b" not in result.out


def test_tail_reports_a_failed_job(run):
    result = run("tail", "group/app", 3)
    assert result.code == 1
    assert result.err == "gitlab-jobs: job 3 failed (script_failure)\n"
    assert result.lines[0].startswith("Running with gitlab-runner")


def test_tail_requests_a_finished_job_twice(signed_in, run):
    assert run("tail", "group/app", 3).code == 1
    # For its name and at the beginning of the log; the exit code needs no third request.
    assert [r.path.rpartition("/")[2] for r in signed_in.requests].count("3") == 2


def test_tail_without_follow_prints_present_lines(run):
    every = run("tail", "group/app", 3, "--no-follow")
    assert every.code == 0
    last = run("tail", "group/app", 3, "--no-follow", "--lines", 3)
    assert last.lines == every.lines[-3:]
    assert run("tail", "group/app", 3, "--no-follow", "-n", 0).out == ""


def test_failure_reason_cannot_drive_the_terminal(signed_in, run, job_of):
    job_of("broken").failure_reason = "x\x1b]0;PWN\x07\x1b[2Jy"
    result = run("tail", "group/evil", 6, "-n", 0)
    assert (result.code, result.err) == (1, "gitlab-jobs: job 6 failed (xy)\n")
    body = b'{"id":6,"name":"n","stage":"s","status":"\\u001b[2Jodd","web_url":"x"}'
    signed_in.faults.add(
        Fault(path="*/jobs/6", status=200, body=body, content_type="application/json", times=None)
    )
    result = run("show", "group/evil", 6)
    assert result.code == 0
    assert "\x1b" not in result.out + result.err


def test_tail_as_json(run):
    lines = [json.loads(line) for line in run("tail", "group/app", 1, "--json").lines]
    assert [line["number"] for line in lines] == list(range(1, len(lines) + 1))
    assert list(lines[0])[:4] == ["project", "job_id", "job_name", "number"]
    assert {"text", "raw", "at", "stream", "section", "markers", "end"} < set(lines[0])
    assert (lines[0]["project"], lines[0]["job_id"]) == ("group/app", 1)
    (begun,) = next(line["markers"] for line in lines if line["markers"])
    assert set(begun) == {"path", "started_at", "ended_at", "options"}
    assert lines[0]["at"].endswith("Z")
    assert ["step_script"] in [line["section"] for line in lines]
    assert all("\x1b" not in line["text"] for line in lines)


def test_tail_of_a_hostile_log_in_a_pipe_is_plain(run):
    lines = run("tail", "group/evil", 5).lines
    assert lines == ["green plain", "title moved 31m c1", "red, not closed"]


SECTIONS = (
    b"section_start:100:step_script\r\x1b[0K\x1b[36mRun\x1b[0m\n"
    b"section_start:110:mine[hide_duration=true]\r\x1b[0KMine\n"
    b"ok 1\nnot ok 2\nsection_end:120:mine\r\x1b[0Ksection_end:165:step_script\r\x1b[0KEnd\n"
    b"unfinished"
)
HEADED = ["▾ step_script", "Run", "  ▾ mine", "Mine", "ok 1", "not ok 2"]


@pytest.fixture
def logged(world):
    """A finished job in group/empty that has written these bytes; gives its id."""
    pipelines = []

    def add(log, **plan):
        if not pipelines:
            pipelines.append(world.add_pipeline(world.project("group/empty"), stages=("test",)))
        plan = {"duration": 0.0, "queued": 0.0, "log": BytesLog(log), **plan}
        job = world.add_job(pipelines[0], f"job {len(pipelines[0].jobs)}", plan=JobPlan(**plan))
        world.settle(world.now + 60)
        return job.id

    return add


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        ([], ["Run", "Mine", "ok 1", "not ok 2", "End", "unfinished"]),
        (["--sections"], [*HEADED, "▴ step_script 1m 05s", "End", "unfinished"]),
        (["--section", "mine"], ["Mine", "ok 1", "not ok 2"]),
        (["--section", "mine", "--sections"], ["  ▾ mine", "Mine", "ok 1", "not ok 2"]),
        (["--section", "step_script"], ["Run", "Mine", "ok 1", "not ok 2"]),
        (["--grep", "^ok|fin"], ["ok 1", "unfinished"]),
        (["--grep", "o", "--section", "mine"], ["ok 1", "not ok 2"]),
        (["--lines", 2], ["End", "unfinished"]),
        (["--timestamps", "-n", 1], [" " * 25 + "unfinished"]),
        (["--offset", len(SECTIONS) - 10], ["unfinished"]),
        (["--offset", SECTIONS.index(b"ok"), "--section", "mine"], ["ok 1", "not ok 2"]),
        (["--offset", 10**6, "--section", "mine"], ["Mine", "ok 1", "not ok 2"]),
    ],
)
def test_style_filters_lines(run, logged, options, lines):
    result = run("tail", "group/empty", logged(SECTIONS), *options)
    assert (result.code, result.lines, result.err) == (0, lines, "")


WINDOWS = b"".join(
    b"2026-01-02T10:00:%02d.000000Z %s\n" % (second, record)
    for second, record in enumerate(
        [
            b"00O section_start:1:step_script\r\x1b[0K",
            b"00O+Executing",
            b"01O PS> ./build.ps1\r",
            b"01E warning\r",
            b"01O " + "Zugriff verweigert\r".encode("utf-16-le"),
            b"00O section_end:5:step_script\r\x1b[0K",
            b"00O+ERROR: Job failed: exit code 1",
        ]
    )
)
WARNING_AT = WINDOWS.index(b"2026-01-02T10:00:03")


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        (["--lines", 2], ["Zugriff verweigert", "ERROR: Job failed: exit code 1"]),
        (
            ["--section", "step_script"],
            ["Executing", "PS> ./build.ps1", "warning", "Zugriff verweigert"],
        ),
        (["--grep", "verweigert"], ["Zugriff verweigert"]),
        (["--offset", WARNING_AT, "--section", "step_script"], ["warning", "Zugriff verweigert"]),
        (["--offset", WARNING_AT, "--grep", "a|E"], ["warning", "ERROR: Job failed: exit code 1"]),
        (["--timestamps", "-n", 1], ["2026-01-02T10:00:06.000Z ERROR: Job failed: exit code 1"]),
    ],
)
def test_windows_lines_keep_their_place(run, logged, options, lines):
    result = run("tail", "group/empty", logged(WINDOWS), *options)
    assert (result.code, result.lines, result.err) == (0, lines, "")


def test_times_are_those_of_the_runner(run):
    first = run("tail", "group/app", 1, "--timestamps").lines[0]
    at, text = first.split(" ", 1)
    assert at[-5] == "."
    assert at.endswith("Z")
    assert text.startswith("Running with")


def test_color_forces_colours_in_a_pipe(run, logged):
    assert run("tail", "group/empty", logged(b"\x1b[31mred\n"), "--color").out == (
        "\x1b[31mred\x1b[0m\n"
    )


def test_raw_is_every_byte(run, logged):
    log = b"\x1b]0;t\x07 \xff\r\nsection_start:1:cut"
    for options in ([], ["--no-follow"]):
        result = run("tail", "group/empty", logged(log), "--raw", *options)
        assert result.out.encode("utf-8", "surrogateescape") == log
    job = logged(log)
    result = run("tail", "group/empty", job, "--raw", "--offset", 4)
    assert result.out.encode("utf-8", "surrogateescape") == log[4:]


def test_several_jobs_side_by_side(run, logged):
    first, second = logged(b"one\n" * 3), logged(b"two\n", outcome="failed")
    result = run("tail", "group/empty", first, second, first)
    assert result.code == 1
    assert [line for line in result.lines if "one" in line] == [
        f"group/empty job 0 {first} | one"
    ] * 3
    assert f"group/empty job 1 {second} | two" in result.lines
    assert result.err == f"gitlab-jobs: job {second} failed (script_failure)\n"


def test_options_may_stand_between_the_jobs(run, logged):
    first, second = logged(b"one\n"), logged(b"two\n")
    result = run("tail", "group/empty", first, "--lines", 1, second)
    assert sorted(line[-3:] for line in result.lines) == ["one", "two"]


def test_several_jobs_as_json(run, logged):
    ids = [logged(b"one\n"), logged(b"two\n")]
    lines = [json.loads(line) for line in run("tail", "group/empty", *ids, "--json").lines]
    assert sorted((line["job_id"], line["text"]) for line in lines) == list(
        zip(ids, ["one", "two"], strict=True)
    )


def test_unreadable_log_does_not_stop_the_others(signed_in, run, logged):
    ids = [logged(b"one\n"), logged(b"two\n")]
    signed_in.faults.add(Fault(path=f"*/jobs/{ids[0]}/trace", status=403, times=None))
    result = run("tail", "group/empty", *ids)
    assert result.code == 4
    assert result.lines == [f"group/empty job 1 {ids[1]} | two"]
    assert result.err.startswith(f"gitlab-jobs: job {ids[0]}: GET ")
    assert len(result.err.splitlines()) == 1


def test_names_in_prefixes_are_clean(run):
    lines = run("tail", "group/evil", 5, 6, "--no-follow").lines
    assert any(line.startswith("group/evil [bold]x[/] red tab line 5 |") for line in lines)
    assert not any("\x1b" in line or "\x9b" in line for line in lines)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "expected a PROJECT in front of the JOB"),
        ([1, "--pipeline", 1], "--pipeline: expected the name of a JOB with it"),
        ([1, 2, "--offset", 5], "one JOB"),
        ([1, "--offset", 5, "-n", 5], "--lines"),
        ([1, "--offset", 5, "--no-follow"], "--no-follow"),
        ([1, "--offset", -5], "--offset"),
        ([1, "--grep", "("], "--grep '('"),
        ([1, 2, "--raw"], "one JOB"),
        ([1, "--raw", "--json"], "--raw"),
        ([1, "--raw", "--grep", "x"], "--raw"),
    ],
)
def test_contradicting_options_are_refused(run, assert_one_line, arguments, word):
    assert_one_line(run("tail", "group/app", *arguments), 2, word)


def test_unknown_job_among_several(run, assert_one_line):
    assert_one_line(run("tail", "group/app", 1, 999), 4, "404")


@pytest.mark.parametrize(
    "options",
    [
        ["--raw"],
        ["--timestamps", "--grep", "o d|a"],
        ["--sections", "--section", "step_script"],
        ["--json"],
    ],
)
def test_interrupt_prints_a_lossless_resume(spawn, run, world, options):
    pipeline = world.add_pipeline(world.project("group/empty"), stages=("test",))
    log = RunnerScript(lines=500)
    plan = JobPlan(duration=3e3, queued=0.0, first_upload=50.0, upload_interval=3.0, log=log)
    job = world.add_job(pipeline, "long", plan=plan)
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "bufsize": 0}
    process = spawn("tail", "group/empty", job.id, *options, *PROMPT, **streams)
    before = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    rest, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert run("cancel", "group/empty", job.id).code == 0
    words = err.decode().strip().removeprefix("gitlab-jobs: to resume: gitlab-jobs ")
    after = run(*shlex.split(words))
    whole = run("tail", "group/empty", job.id, *options)
    assert (before + rest).decode() + after.out == whole.out
    assert after.out


@pytest.mark.parametrize("options", [[], ["--raw"]])
def test_closed_pipe_is_noticed_while_log_is_idle(spawn, world, options):
    pipeline = world.add_pipeline(world.project("group/empty"), stages=("test",))
    log = RepeatedLog(b"line\n", 5_000_000)
    plan = JobPlan(duration=1e5, queued=0.0, first_upload=50.0, upload_interval=9e4, log=log)
    job = world.add_job(pipeline, "quiet", plan=plan)
    process = spawn(
        "tail",
        "group/empty",
        job.id,
        *options,
        *PROMPT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(10) == 0
    assert process.stderr.read() == b""


def test_unreadable_log_prints_how_to_resume(signed_in, run, logged):
    job = logged(b"0123456\n" * 100_000)
    signed_in.faults.add(Fault(path="*/trace", status=403, skip=1, times=None))
    result = run("tail", "group/empty", job, "--grep", "3", "--interval", 7)
    assert result.code == 4
    again, why = result.err.splitlines()
    offset = 8 * len(result.lines)
    assert 0 < offset < 800_000
    assert again.removeprefix("gitlab-jobs: to resume: gitlab-jobs tail ") == (
        f"group/empty {job} --offset {offset} --interval=7.0 --grep=3"
    )
    assert "403" in why
