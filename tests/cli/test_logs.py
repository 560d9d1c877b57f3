"""`trace` and `tail`: the very bytes to a file or pipe, clean lines to a person."""

import json
import subprocess

import pytest

from gitlab_jobs_async.simulator import Fault, JobPlan, RepeatedLog

BIG = 24 * 1024 * 1024

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


def test_a_pipe_gets_the_bytes_as_they_are(run):
    whole = run("trace", "group/evil", 5).out
    assert whole.startswith("\x1b[32mgreen")
    assert "\x1b]0;owned\x07title \x1b[2J" in whole


def test_a_file_gets_the_bytes_as_they_are(run, tmp_path):
    out = tmp_path / "job.log"
    result = run("trace", "group/evil", 5, "-o", out)
    assert (result.code, result.out, result.err) == (0, "", "")
    assert out.read_bytes().startswith(b"\x1b[32mgreen")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_file_keeps_its_permissions_and_a_link_its_target(run, tmp_path):
    target, link = tmp_path / "real.log", tmp_path / "link.log"
    target.write_text("before")
    target.chmod(0o640)
    link.symlink_to(target)
    assert run("trace", "group/evil", 5, "--output", link).code == 0
    assert link.is_symlink()
    assert target.read_bytes().startswith(b"\x1b[32mgreen")
    assert target.stat().st_mode & 0o777 == 0o640


def test_a_job_that_has_not_begun_has_an_empty_trace(run):
    assert run("trace", "group/app", 4).out == ""


def test_a_big_trace_takes_no_memory(world, spawn, tmp_path):
    pipeline = world.add_pipeline(world.project("group/empty"), stages=("test",))
    log = RepeatedLog(b"0123456789abcdef" * 4 + b"\n", BIG)
    job = world.add_job(pipeline, "big", plan=JobPlan(duration=0.0, queued=0.0, log=log))
    world.settle(world.now + 60)
    script = (
        "import resource, sys\n"
        "from gitlab_jobs_async.cli.running import run\n"
        "run(['--version'])\n"
        "import gitlab_jobs_async.cli.logs\n"
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
    result = run("tail", "group/slow", job.id)
    assert result.code == 0
    assert result.err == ""
    assert result.lines[0].startswith("Running with gitlab-runner")
    assert result.lines[-1] == "Job succeeded"
    assert "\x1b" not in result.out


def test_tail_says_that_the_job_failed(run):
    result = run("tail", "group/app", 3)
    assert result.code == 1
    assert result.err == "gitlab-jobs: job 3 failed (script_failure)\n"
    assert result.lines[0].startswith("Running with gitlab-runner")


def test_tail_of_what_is_there_now(run):
    every = run("tail", "group/app", 3, "--no-follow")
    assert every.code == 0
    last = run("tail", "group/app", 3, "--no-follow", "--lines", 3)
    assert last.lines == every.lines[-3:]
    assert run("tail", "group/app", 3, "--no-follow", "-n", 0).out == ""


def test_what_a_server_says_of_the_end_cannot_drive_the_terminal(signed_in, run, job_of):
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
    assert set(lines[0]) == {"number", "text", "raw", "at", "stream", "section"}
    assert lines[0]["at"].endswith("Z")
    assert ["step_script"] in [line["section"] for line in lines]
    assert all("\x1b" not in line["text"] for line in lines)


def test_tail_of_a_hostile_log_in_a_pipe_is_plain(run):
    lines = run("tail", "group/evil", 5).lines
    assert lines == ["green plain", "title moved 31m c1", "red, not closed"]
