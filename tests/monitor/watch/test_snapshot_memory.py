"""Between two polls by REST, snapshots let the tracked jobs grow to a bound only."""

from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.monitor.hints.snapshots import PipelineSnapshot, ProjectSnapshot
from gitlab_jobs_async.monitor.watch.id_history import IdHistory
from gitlab_jobs_async.monitor.watch.project_state import new_jobs
from gitlab_jobs_async.monitor.watch.snapshot_scan import MAX_FINISHED, apply_snapshot
from gitlab_jobs_async.monitor.watch.watermark import ALLOWED_LATENESS
from tests.support.sample_jobs import START, job

PER_PIPELINE = 50


def snapshot(number):
    """The newest pipeline alone, with finished jobs."""
    first = number * PER_PIPELINE + 1
    jobs = tuple(
        job(n, "success", name=f"job-{n}", of=number) for n in range(first, first + PER_PIPELINE)
    )
    pipeline = PipelineSnapshot(number, JobStatus.SUCCESS, None, jobs, is_complete=True)
    return ProjectSnapshot(7, (pipeline,))


def test_finished_jobs_call_for_one_poll_by_rest():
    jobs = new_jobs(7, IdHistory(), downstream=False)
    jobs.set_baseline([], [], START, START, START)
    fits = [apply_snapshot(jobs, snapshot(n), START + n).fits for n in range(1, 10)]
    most = MAX_FINISHED // PER_PIPELINE
    assert fits == [True] * most + [False] * (9 - most)
    # The poll cannot evict them yet, as its watermark is lower; another poll would not help.
    ids = set(range(PER_PIPELINE + 1, 10 * PER_PIPELINE + 1))
    jobs.watermark.advance(START + 20, START + 20, ids)
    jobs.end_scan(ids)
    assert len(jobs.tracker.jobs) == 9 * PER_PIPELINE
    assert apply_snapshot(jobs, snapshot(10), START + 30).fits


def test_jobs_are_evicted_by_the_second_poll():
    jobs = new_jobs(7, IdHistory(), downstream=False)
    jobs.set_baseline([], [], START, START, START)
    now, newest, most = START, 0, 0
    for number in range(1, 200):
        now += ALLOWED_LATENESS
        newest = (number + 1) * PER_PIPELINE
        if not apply_snapshot(jobs, snapshot(number), now).fits:
            low = jobs.watermark.low_watermark
            ids = set(range(max(low, 1), newest + 1))
            jobs.watermark.advance(now, now, ids)
            jobs.end_scan(ids)
        most = max(most, len(jobs.tracker.jobs))
    # Three such parts: before the last scan but one, before the last one, and since.
    assert most <= 3 * (MAX_FINISHED + PER_PIPELINE) + 100
