"""`watch` against a simulated GitLab: pipelines that end, interrupts, checkpoints, programs."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time

import pytest

from gitlab_jobs_async import GitLab
from gitlab_jobs_async.simulator import JobPlan
from tests.support.command import is_running

pytestmark = pytest.mark.usefixtures("signed_in")


@pytest.fixture
def ended(world):
    """A pipeline in group/empty whose jobs have ended so; gives its id."""

    def add(*plans):
        pipeline = world.add_pipeline(world.project("group/empty"), stages=("test",))
        for number, plan in enumerate(plans):
            quick = JobPlan(**{"queued": 0.0, "duration": 1.0, **plan})
            world.add_job(pipeline, f"job {number}", plan=quick)
        world.settle(world.now + 60)
        return pipeline.id

    return add


def program(script, *arguments):
    return shlex.join([sys.executable, "-c", script, *map(str, arguments)])


def wait_for(path):
    """Return the content of the file once it is complete, which a full stop marks."""
    while not path.exists() or not path.read_text().endswith("."):
        time.sleep(0.01)
    return path.read_text().removesuffix(".")


SLEEPER = (
    "import os, sys, time\n"
    "with open(sys.argv[1], 'w') as out: out.write(f'{sys.stdin.read()}{os.getpid()}.')\n"
    "time.sleep(60)"
)


@pytest.mark.parametrize(
    ("plans", "code", "said"),
    [
        ([{}, {}], 0, ""),
        ([{"outcome": "failed", "allow_failure": True}, {}], 0, ""),
        ([{"outcome": "failed"}], 1, "gitlab-jobs: job {} job 0 failed (script_failure)\n"),
        ([{"outcome": "canceled"}], 1, "gitlab-jobs: job {} job 0 canceled\n"),
        ([{}, {"when": "manual"}], 0, ""),
    ],
)
def test_pipeline_is_watched_to_its_end(run, world, ended, plans, code, said):
    pipeline = ended(*plans)
    result = run("watch", "group/empty", "--pipeline", pipeline)
    first = world.pipelines[pipeline].jobs[0].id
    assert (result.code, result.err) == (code, said.format(first))
    assert {line.split("\t")[2] for line in result.lines} == {str(pipeline)}
    assert {line.split("\t")[4] for line in result.lines} >= {f"job {n}" for n in range(len(plans))}


def test_several_pipelines(run, ended):
    pipelines = [ended({}), ended({"outcome": "failed"})]
    several = [word for number in pipelines for word in ("--pipeline", number)]
    result = run("watch", "group/empty", *several, "--json")
    assert result.code == 1
    found = [json.loads(line) for line in result.lines]
    assert {one["job"]["pipeline"]["id"] for one in found} == set(pipelines)
    assert {"JobAppeared"} <= {one["type"] for one in found}


def test_unknown_pipeline_fails_at_once(run, assert_one_line):
    assert_one_line(run("watch", "group/app", "--pipeline", 999), 4, "404")
    assert_one_line(run("watch", "group/app", "--token", "wrong"), 4, "401")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_projects_are_watched_until_an_interrupt(spawn, tmp_path, number):
    group = tmp_path / "group"
    group.write_text("group/app\n# and\ngroup/evil\n")
    process = spawn(
        "watch",
        "group/app",
        "--projects-from",
        group,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    projects = set()
    while projects != {"group/app", "group/evil"}:
        projects.add(process.stdout.readline().decode().split("\t")[1])
    process.send_signal(number)
    _, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (130, b"")


def test_background_command_ends_on_sigterm(spawn):
    """There a shell has SIGINT ignored."""
    ignored = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = spawn("watch", "group/app", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    finally:
        signal.signal(signal.SIGINT, ignored)
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (130, b"")


def test_projects_may_come_from_stdin(spawn, tmp_path):
    group = tmp_path / "group"
    group.write_text("group/app\n")
    with group.open() as stdin:
        process = spawn("watch", "--projects-from", "-", stdin=stdin, stdout=subprocess.PIPE)
    assert process.stdout.readline().split(b"\t")[1] == b"group/app"
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_ends_the_command_too(spawn, tmp_path, number):
    out = tmp_path / "out"
    process = spawn("watch", "group/app", "--exec", program(SLEEPER, out), stdout=subprocess.PIPE)
    pid = int(wait_for(out).rpartition("\n")[2])
    assert is_running(pid)
    process.send_signal(number)
    assert process.wait(10) == 130
    assert not is_running(pid)


def test_event_of_a_killed_command_is_repeated(spawn, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    checkpoint = tmp_path / "ci.db"
    emitted = []
    for out in (first, second):
        watching = ("watch", "group/app", "--checkpoint", checkpoint, "--exec")
        process = spawn(*watching, program(SLEEPER, out), stdout=subprocess.PIPE)
        event, _, pid = wait_for(out).rpartition("\n")
        emitted.append(json.loads(event))
        process.kill()
        process.wait()
        os.kill(int(pid), signal.SIGKILL)
    assert emitted[0]["key"] == emitted[1]["key"]
    assert emitted[0]["job"]["id"] == emitted[1]["job"]["id"]


def test_command_gets_no_token(spawn, gitlab, monkeypatch, tmp_path):
    monkeypatch.delenv("GITLAB_TOKEN")
    out = tmp_path / "out"
    script = (
        "import os, sys\n"
        "with open(sys.argv[1], 'w') as out: out.write(f'{dict(os.environ)}{sys.stdin.read()}.')"
    )
    arguments = ("watch", "group/app", "--token", gitlab.token, "--exec", program(script, out))
    process = spawn(*arguments, stdout=subprocess.PIPE)
    assert gitlab.token not in wait_for(out)
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130


def test_closed_pipe_ends_the_watch(spawn):
    process = spawn("watch", "group/app", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(20) == 0
    assert process.stderr.read() == b""


def test_event_job_equals_that_of_list(run, ended):
    pipeline = ended({}, {"outcome": "failed"})
    listed = [json.loads(line) for line in run("list", "group/empty", "--json").lines]
    emitted = [
        json.loads(line)
        for line in run("watch", "group/empty", "--pipeline", pipeline, "--json").lines
    ]
    jobs = {one["job"]["id"]: one["job"] for one in emitted}
    for job in (*listed, *jobs.values()):
        job["user"]["local_time"] = None  # a new minute may begin in between
    assert jobs == {job["id"]: job for job in listed if job["pipeline"]["id"] == pipeline}


def test_logs_prints_log_lines(run, world):
    pipeline = world.add_pipeline(world.project("group/empty"), stages=("test",))
    plan = JobPlan(duration=60.0, queued=0.0, first_upload=1.0, upload_interval=5.0)
    world.add_job(pipeline, "talking", plan=plan)
    world.settle(world.now + 1.0)
    result = run("watch", "group/empty", "--pipeline", pipeline.id, "--logs", "--interval", 0.2)
    assert (result.code, result.err) == (0, "")
    lines = [line.split("\t") for line in result.lines]
    logged = [cells[7] for cells in lines if cells[5] == "job_log_line"]
    assert logged[0].startswith("Running with gitlab-runner")
    assert logged[-1] == "Job succeeded"
    assert [cells[5] for cells in lines].count("job_log_ended") == 1


@pytest.mark.parametrize("names", [["group/none"], ["group/none", "group/neither"]])
def test_unknown_projects_end_the_watch(run, names):
    result = run("watch", *names)
    events = [line.split("\t")[5] for line in result.lines]
    assert events == ["project_unreachable"] * len(names) + ["all_targets_unreachable"]
    several = "any of 2 targets (project group/none, project group/neither)"
    said = f"cannot reach {'project group/none' if len(names) == 1 else several}"
    assert result.code == 4
    assert result.err.startswith(f"gitlab-jobs: {said}: HTTP 404: 404 Project Not Found; ")
    assert result.err.count("\n") == 1
    assert "--wait-for-projects" in result.err


@pytest.mark.parametrize(
    ("options", "is_complete"),
    [([], False), (["--complete"], True), (["--failed-only"], True)],
)
def test_complete_jobs_are_requested(run, ended, monkeypatch, options, is_complete):
    asked = []
    monitor = GitLab.monitor

    def recorded(self, targets, **how):
        asked.append(how["complete"])
        return monitor(self, targets, **how)

    monkeypatch.setattr(GitLab, "monitor", recorded)
    result = run("watch", "group/empty", "--pipeline", ended({}), *options)
    assert result.code == 0, result.err
    assert asked == [is_complete]
