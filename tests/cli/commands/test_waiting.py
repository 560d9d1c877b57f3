"""`wait`, and `--follow` of `retry`, `play` and `run`: until the end, and its exit code."""

import asyncio
import json

import pytest

from gitlab_jobs_async.cli.commands.following import follow_logs, follow_pipeline, until_restarted
from gitlab_jobs_async.cli.finding.resolve import FoundPipeline, open_project
from gitlab_jobs_async.cli.finding.selection import Selection
from gitlab_jobs_async.cli.options import ANY_SERVER
from gitlab_jobs_async.cli.pipeline_writer import PipelineWriter
from gitlab_jobs_async.simulator import Fault, JobPlan
from tests.support.connections import open_connections
from tests.support.tasks import others, until

FAST = ("--interval", "0.02")

pytestmark = pytest.mark.usefixtures("signed_in")


@pytest.fixture
def add(world):
    """Add a pipeline with jobs of some outcomes, and return it."""

    def make(*outcomes, last="on_success"):
        pipeline = world.add_pipeline(world.project("group/empty"), stages=("test",))
        for number, outcome in enumerate(outcomes):
            plan = JobPlan(
                duration=2.0,
                queued=0.0,
                outcome=outcome,
                allow_failure=False,
                when=last if number + 1 == len(outcomes) else "on_success",
                attempts=(JobPlan(duration=2.0, queued=0.0),),
            )
            world.add_job(pipeline, f"job {number}", plan=plan)
        return pipeline

    return make


@pytest.mark.parametrize(("outcome", "code"), [("success", 0), ("failed", 1)])
def test_wait_exits_with_the_result(run, add, outcome, code):
    number = add(outcome, "success").id
    result = run("wait", "group/empty", "--pipeline", number, *FAST)
    assert (result.code, result.out) == (code, f"pipeline {number}: {outcome}\n")
    assert result.err == ""
    result = run("wait", "group/empty", "job 0", "job 1", *FAST)
    assert result.code == code
    assert [line.split(": ")[1].partition(",")[0] for line in result.lines] == [
        outcome, "success",
    ]  # fmt: skip
    found = json.loads(run("wait", "group/empty", "--pipeline", "latest", "--json", *FAST).out)
    assert found["id"] == number


def test_wait_ends_where_it_is_blocked(run, add, assert_one_line):
    number = add("success", "success", last="manual").id
    result = run("wait", "group/empty", "--pipeline", number, "--until", "blocked", *FAST)
    assert (result.code, result.out) == (0, f"pipeline {number}: manual\n")
    result = run("wait", "group/empty", "--pipeline", number, "--timeout", 0.05, *FAST)
    assert_one_line(result, 1, f"pipeline {number}")
    assert_one_line(run("wait", "1", "4", "--timeout", 0.05, *FAST), 1, "job 4")
    assert_one_line(run("wait", "1", "4", "--until", "blocked", *FAST), 2, "expected a pipeline")
    assert_one_line(run("wait", "1", "4", "--timeout", 0, *FAST), 2, "--timeout")


def test_failed_jobs_are_retried_one_by_one(run, add, gitlab):
    pipeline = add("failed", "success", "failed")
    run("wait", "group/empty", "--pipeline", pipeline.id, *FAST)
    result = run("retry", "group/empty", "--failed", "--json")
    assert [json.loads(line)["name"] for line in result.lines] == ["job 0", "job 2"]
    run("wait", "group/empty", "--pipeline", pipeline.id, *FAST)
    result = run("retry", "group/empty", "--pipeline", pipeline.id, "--failed")
    assert (result.code, result.out) == (0, "")
    assert result.err == f"gitlab-jobs: no job of pipeline {pipeline.id} has failed\n"
    second = add("failed", "failed")
    run("wait", "group/empty", "--pipeline", second.id, *FAST)
    gitlab.faults.add(Fault(path="*/retry", status=403))
    result = run("retry", "group/empty", "--pipeline", second.id, "--failed")
    assert result.code == 4
    assert "HTTP 403" in result.err
    assert "job 1 runs again as job" in result.out
    gitlab.faults.add(Fault(path="*/retry", status=403))
    result = run("retry", "group/empty", "job 0", "job 1", "--pipeline", second.id)
    assert (result.code, result.out) == (4, "")  # a job that was named ends the command


def test_retry_follows_jobs_and_pipelines(run, add):
    first = add("failed", "failed")
    run("wait", "group/empty", "--pipeline", first.id, *FAST)
    result = run("retry", "group/empty", "--pipeline", first.id, "--failed", "--follow", *FAST)
    assert result.code == 0, result
    assert result.out.count("Job succeeded") == 2
    second = add("failed")
    run("wait", "group/empty", "--pipeline", second.id, *FAST)
    result = run("retry", "group/empty", "--pipeline", second.id, "--follow", *FAST)
    assert result.code == 0, result
    rows = [line.split("\t") for line in result.lines[1:]]
    assert [row[6] for row in rows if row[5].startswith("pipeline_")][-1] == "success"
    assert run("retry", "group/empty", "job 0", "--failed").code == 2


def test_play_follows_the_log(run, add, job_of):
    number = add("success", "failed", last="manual").id
    run("wait", "group/empty", "--pipeline", number, "--until", "blocked", *FAST)
    result = run("play", "group/empty", "job 1", "--follow", *FAST)
    assert result.code == 1
    assert "ERROR: Job failed" in result.out
    assert f"job {job_of('job 1').id} failed (script_failure)" in result.err
    result = run("play", "group/evil", job_of("trigger").id, "--follow", *FAST)
    assert result.code == 0
    assert "trigger job without a log" in result.err


def test_run_without_follow_ends_at_once(run, world):
    result = run("run", "group/app", "main", "--no-follow")
    assert result.code == 0
    (line,) = result.lines
    assert line.split("\t")[5] == "pipeline_created"
    assert world.project("group/app").pipelines[-1].status != "success"


@pytest.mark.usefixtures("capfd")
async def test_cancelled_follow_leaves_nothing(gitlab):
    async with open_project(ANY_SERVER, Selection("group/app")) as finder:
        job, at = await finder.project.get_job(2), FoundPipeline(finder.project, 1)
        gitlab.faults.add(Fault(latency=1000.0, times=None))
        before = await others()
        for call in (
            follow_logs(finder.gitlab, finder.project, [job], json=False),
            follow_pipeline(at, PipelineWriter("group/app", is_json=False)),
            until_restarted(at),
        ):
            task = asyncio.create_task(call)
            await until(lambda: open_connections(finder.gitlab))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert open_connections(finder.gitlab) == 0
            assert await others() == before
