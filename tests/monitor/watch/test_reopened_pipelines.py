"""Pipelines whose skipped jobs may go on are asked for twice, and then no more."""

import pytest
from attrs import evolve

from gitlab_jobs_async.events import JobAppeared, JobChanged, JobErased, JobFinished
from gitlab_jobs_async.models.pipelines import NO_PIPELINE
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.models.values import UNKNOWN_TIME
from gitlab_jobs_async.monitor.watch.reopened_pipelines import ReopenedPipelines, may_reopen
from tests.support.sample_jobs import job, pipeline


def appeared(*, created=0.0, of=9, **fields):
    return JobAppeared(key="k", project=7, job=job(1, created=created, of=of), **fields)


def changed(previous, kind=JobChanged):
    return kind(key="k", project=7, job=job(1), previous=JobStatus(previous))


@pytest.mark.parametrize(
    ("event", "revives"),
    [
        (appeared(), False),
        (appeared(created=30.0), False),
        (appeared(created=30.1), True),
        (appeared(created=99.0, is_new=False), False),
        (appeared(replaces=5), True),
        (appeared(replaces=5, is_new=False), False),
        (appeared(of=None), False),
        (appeared(of=None, replaces=5), True),
        (changed("manual"), True),
        (changed("skipped"), True),
        (changed("pending"), False),
        (changed("manual", JobFinished), True),
        (changed("running", JobFinished), False),
        (JobErased(key="k", project=7, job=job(1)), False),
    ],
)
def test_events_that_may_reopen_jobs(event, revives):
    assert may_reopen(event) is revives


@pytest.mark.parametrize("unknown", [{"created_at": UNKNOWN_TIME}, {"pipeline": NO_PIPELINE}])
def test_without_times_only_a_retry_counts(unknown):
    late = appeared(created=99.0)
    event = evolve(late, job=evolve(late.job, **unknown))
    assert not may_reopen(event)
    untimed = evolve(late.job, pipeline=evolve(pipeline(), created_at=UNKNOWN_TIME))
    assert not may_reopen(evolve(late, job=untimed))


def test_pipeline_is_polled_twice():
    reopened = ReopenedPipelines()
    reopened.on_events([changed("manual"), changed("pending")])
    assert (reopened.pipelines(), reopened.polled_once()) == ([9], [])
    reopened.polled(9)
    assert (reopened.pipelines(), reopened.polled_once()) == ([9], [9])
    reopened.polled(9)
    assert reopened.pipelines() == []
    reopened.polled(9)
    assert reopened.pipelines() == []


def test_another_retry_restarts_the_count():
    reopened = ReopenedPipelines()
    reopened.on_events([changed("manual")])
    reopened.polled(9)
    reopened.on_events([changed("skipped")])
    assert reopened.polled_once() == []


def test_job_without_pipeline_reopens_none():
    reopened = ReopenedPipelines()
    reopened.on_events([appeared(of=None, replaces=5)])
    assert reopened.pipelines() == []


def test_restart_continues_with_remaining_polls():
    reopened = ReopenedPipelines.restored([1, 2], [3])
    assert (sorted(reopened.pipelines()), reopened.polled_once()) == ([1, 2, 3], [3])
    reopened.polled(3)
    assert sorted(reopened.pipelines()) == [1, 2]


def test_restored_pipeline_is_polled_once_more():
    reopened = ReopenedPipelines.restored([1], [2])
    assert (reopened.pipelines(), reopened.polled_once()) == ([1, 2], [2])
    reopened.polled(1)
    reopened.polled(2)
    assert (reopened.pipelines(), reopened.polled_once()) == ([1], [1])
