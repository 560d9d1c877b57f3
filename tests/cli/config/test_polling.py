"""`--interval` of the commands that poll."""

import pytest

from gitlab_jobs_async import GitLab, PollPolicy
from gitlab_jobs_async.cli.config import client
from gitlab_jobs_async.cli.config.client import poll_policy_of
from gitlab_jobs_async.simulator import JobPlan


@pytest.mark.parametrize(
    ("interval", "policy"),
    [
        (None, PollPolicy()),
        (0.5, PollPolicy(interval=0.5)),
        (60.0, PollPolicy(interval=60.0)),
        (90.0, PollPolicy(interval=90.0, max_interval=90.0)),
    ],
)
def test_interval_above_a_minute_raises_maximum(interval, policy):
    assert poll_policy_of(interval) == policy


@pytest.fixture
def failed_job(world):
    """Return a finished job, the only one of its pipeline."""
    plan = JobPlan(duration=1.0, queued=0.0, outcome="failed", log=b"one\n")
    job = world.add_job(world.add_pipeline(world.project("group/empty")), "unit", plan=plan)
    world.settle(world.now + 60.0)
    return job


@pytest.mark.parametrize(
    "arguments",
    [
        ["tail", "group/empty", "{job}"],
        ["tail", "group/empty", "{job}", "--raw"],
        ["watch", "group/empty", "--pipeline", "{pipeline}"],
    ],
)
@pytest.mark.usefixtures("signed_in")
def test_interval_reaches_the_client(run, monkeypatch, failed_job, arguments):
    ids = {"job": failed_job.id, "pipeline": failed_job.pipeline.id}
    policies = []

    class Recorded(GitLab):
        def __init__(self, *positional, polling, **options):
            policies.append(polling)
            super().__init__(*positional, polling=polling, **options)

    monkeypatch.setattr(client, "GitLab", Recorded)
    result = run(*(word.format(**ids) for word in arguments), "--interval", 0.25)
    assert (result.code, policies) == (1, [PollPolicy(interval=0.25)])


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e400", "0", "-0.0", "-1", "5s", ""])
@pytest.mark.parametrize(
    "arguments", [["tail", "group/app", "3"], ["watch", "group/app", "--pipeline", "1"]]
)
def test_bad_interval_is_refused_by_name(signed_in, run, assert_one_line, arguments, value):
    assert_one_line(run(*arguments, f"--interval={value}"), 2, "--interval")
    assert signed_in.requests == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["tail", "group/app", "3", "--no-follow"], "--interval does not go with --no-follow"),
        (["watch", "group/app"], "--interval: expected --pipeline, --logs or --downstream"),
        (["watch", "--plan", "5"], "and no other option but --busy"),
    ],
)
def test_useless_interval_is_refused(signed_in, run, assert_one_line, arguments, words):
    assert_one_line(run(*arguments, "--interval", 9), 2, words)
    assert signed_in.requests == []
