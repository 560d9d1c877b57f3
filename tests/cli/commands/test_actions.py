"""The commands that change something: what they send, what they say."""

import json

import orjson
import pytest

from gitlab_jobs_async.cli.arguments import parse_typed_pairs
from gitlab_jobs_async.simulator import Fault, JobPlan, PipelinePlan, PlannedJob

pytestmark = pytest.mark.usefixtures("signed_in")


def sent(gitlab):
    """The body of the last request."""
    return orjson.loads(gitlab.requests[-1].body or b"null")


def test_cancel(run, job_of):
    result = run("cancel", "group/app", 2)
    assert result.code == 0
    assert result.out == "job 2 unit is canceled\n"
    assert job_of("unit").status == "canceled"


def test_cancel_with_force(signed_in, run):
    result = run("cancel", "group/app", 2, "--force", "--json")
    assert json.loads(result.out)["id"] == 2
    assert ("force", "true") in signed_in.requests[-1].query or sent(signed_in)["force"] is True


def test_retry_prints_the_new_id(run, job_of):
    result = run("retry", "group/app", 3)
    again = job_of("flaky")
    assert again.id > 4
    assert result.out.startswith(f"job 3 flaky runs again as job {again.id}: ")


def test_retry_of_failed_jobs_has_trigger_jobs(run, world, job_of, signed_in):
    pipeline = world.pipelines[job_of("trigger").pipeline.id]
    for job in (job_of("trigger"), job_of("broken")):
        job.status = "failed"
    before = job_of("trigger").id
    result = run("retry", "group/evil", "--pipeline", pipeline.id, "--failed")
    assert [line.split()[2:7] for line in result.lines] == [
        ["broken", "runs", "again", "as", "job"], ["trigger", "runs", "again", "as", "job"],
    ]  # fmt: skip
    assert job_of("trigger").id > before
    # Before 17.0, GitLab retries no trigger job; each refusal has the next step.
    alone = world.add_pipeline(world.project("group/evil"))
    child = PipelinePlan(jobs=(PlannedJob("child job"),))
    late = world.add_bridge(alone, "late", downstream=child, plan=JobPlan(when="manual"))
    late.status = "failed"
    for status, words in ((404, "GitLab retries from 17.0 on"), (403, "is not allowed to do it")):
        signed_in.faults.add(Fault(path="*/retry", status=status))
        result = run("retry", "group/evil", "--pipeline", alone.id, "--failed")
        assert (result.code, words in result.err) == (4, True), result


def test_retry_as_json_is_the_new_job(run, job_of):
    assert json.loads(run("retry", 1, 3, "--json").out)["id"] == job_of("flaky").id


def test_play_with_variables(signed_in, run):
    arguments = ["--variable", "RELEASE=2.0", "--variable", "FLAGS=a=b", "--variable", "EMPTY="]
    result = run("play", "group/app", 4, *arguments)
    assert result.code == 0
    assert result.out.startswith("job 4 deploy is pending")
    assert sent(signed_in)["job_variables_attributes"] == [
        {"key": "RELEASE", "value": "2.0"},
        {"key": "FLAGS", "value": "a=b"},
        {"key": "EMPTY", "value": ""},
    ]


@pytest.mark.usefixtures("signed_in")
def test_play_of_an_ended_job_prints_the_new_id(run):
    run("cancel", "group/app", "4")
    assert run("play", "group/app", "4").out.startswith("job 4 deploy runs again as job ")


def test_play_with_inputs_that_have_types(signed_in, run):
    result = run("play", "group/evil", 7, "--input", "target=prod", "--input", "count=3")
    assert result.code == 0, result.err
    assert sent(signed_in)["job_inputs"] == {"target": "prod", "count": 3}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("1.5", 1.5),
        ("true", True),
        ('"3"', "3"),
        ('["a", 1]', ["a", 1]),
        ("prod", "prod"),
        ("", ""),
        ("null", "null"),
        ('{"a": 1}', '{"a": 1}'),
        ("a=b", "a=b"),
    ],
)
def test_input_values_are_decoded(text, value):
    assert parse_typed_pairs("--input", [f"x={text}"]) == {"x": value}


def test_trigger_job_by_name_has_no_log(run, job_of, assert_one_line):
    trigger = job_of("trigger")
    trigger.status = "failed"
    words = ["group/evil", "trigger", "--pipeline", trigger.pipeline.id]
    result = run("retry", *words, "--follow")
    assert result.code == 0
    again = job_of("trigger")
    assert f"job {again.id} trigger is a trigger job without a log" in result.err
    for command in ("show", "trace", "cancel", "wait"):
        assert_one_line(run(command, *words), 4, f"job {again.id} trigger is a trigger job: ")


def test_play_a_trigger_job(run, job_of):
    result = run("play", "group/evil", job_of("trigger").id, "--json")
    assert result.code == 0
    assert "downstream_pipeline" in json.loads(result.out)


def test_erase_with_yes(run, job_of):
    result = run("erase", "group/app", 1, "--yes")
    assert result.out == "job 1 compile is erased\n"
    assert job_of("compile").erased_at is not None


def test_hostile_names_are_cleaned(run, job_of):
    broken = job_of("broken")
    broken.name = "[red]b\x1b[2Jroken\r\n"
    assert run("retry", "group/evil", broken.id).out.startswith(
        f"job {broken.id} [red]broken runs again as job "
    )
