"""Of all that is watched from one checkpoint, no two events have one key; each job ends once."""

import pytest

from gitlab_jobs_async import JobTarget, PipelineTarget
from gitlab_jobs_async.errors import ServerError
from gitlab_jobs_async.monitor.watch.factory import create_watch
from gitlab_jobs_async.monitor.watch.job_tracker import JobTracker
from tests.support.project_model import START, ModelProject

TROUBLE = ServerError(500, "500 Internal Server Error", "GET", "/")


def test_targets_of_like_numbers_do_not_share_the_key_of_their_trouble():
    keys = set()
    targets = [PipelineTarget(1, 5), JobTarget(1, 5), "1/5", PipelineTarget("1/5", 5)]
    for target in targets:
        watch = create_watch(target, None, START, downstream=False)
        watch.next_query(START)
        keys |= {event.key for event in watch.on_error(START, TROUBLE)}
    assert len(keys) == len(targets)


def test_two_targets_that_see_a_job_at_other_times_tell_no_two_changes_under_one_key():
    project = ModelProject()
    job = project.add_pipeline(["a"])[0]
    often, rarely = JobTracker("group/app"), JobTracker("group/app")
    told = {}
    for status in ("created", "pending", "running", "success"):
        job.status = status
        for tracker in (often, rarely) if status != "pending" else (often,):
            for event in tracker.update(project.row(job), project.now):
                what = (type(event), event.job.status)
                assert told.setdefault(event.key, what) == what
    assert len(told) == 6


@pytest.mark.parametrize("is_remembered", [True, False])
@pytest.mark.parametrize("stale", ["running", "failed"])
def test_a_job_that_has_ended_is_told_no_more_by_an_older_answer(is_remembered, stale):
    project, tracker = ModelProject(), JobTracker("group/app")
    job = project.add_pipeline(["a"])[0]
    job.status = "success"
    if is_remembered:
        tracker.seed(project.row(job), project.now)
    else:
        tracker.update(project.row(job), project.now)
    job.status = stale
    assert tracker.update(project.row(job), project.now) == []
    job.status = "success"
    assert tracker.update(project.row(job), project.now) == []
