"""No two events of one checkpoint share a key, and each job ends once."""

import pytest

from gitlab_jobs_async import Job, JobStatus, JobTarget, Pipeline, PipelineTarget
from gitlab_jobs_async.errors import ServerError
from gitlab_jobs_async.monitor.watch.factory import create_watch, normalize_target
from gitlab_jobs_async.monitor.watch.job_tracker import JobTracker
from tests.support.project_model import START, ModelProject

OUTAGE = ServerError(500, "500 Internal Server Error", "GET", "/")


def test_targets_with_equal_ids_have_own_keys():
    keys = set()
    targets = [PipelineTarget(1, 5), JobTarget(1, 5), "1/5", PipelineTarget("1/5", 5)]
    for target in targets:
        watch = create_watch(target, None, START, downstream=False)
        watch.next_query(START)
        keys |= {event.key for event in watch.on_error(START, OUTAGE)}
    assert len(keys) == len(targets)


def test_two_trackers_use_a_key_for_one_change():
    project = ModelProject()
    job = project.add_pipeline(["a"])[0]
    often, rarely = JobTracker("group/app"), JobTracker("group/app")
    emitted = {}
    for status in ("created", "pending", "running", "success"):
        job.status = status
        for tracker in (often, rarely) if status != "pending" else (often,):
            for event in tracker.update(project.row(job), project.now):
                what = (type(event), event.job.status)
                assert emitted.setdefault(event.key, what) == what
    assert len(emitted) == 6


@pytest.mark.parametrize(
    ("target", "name"),
    [
        (Job(id=5, status=JobStatus.RUNNING, stage="test", name="a"), "job 5"),
        (Pipeline(id=5, status=JobStatus.RUNNING), "pipeline 5"),
    ],
)
def test_target_without_project_is_refused(target, name):
    with pytest.raises(ValueError, match=f"^{name} without project_id: expected a .*Target$"):
        normalize_target(target)


@pytest.mark.parametrize("is_remembered", [True, False])
@pytest.mark.parametrize("stale", ["running", "failed"])
def test_stale_row_of_finished_job_is_ignored(is_remembered, stale):
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
