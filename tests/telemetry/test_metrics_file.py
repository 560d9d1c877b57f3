"""The stored series: a new process has all of the state of the one before."""

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from gitlab_jobs_async import Job, JobStatus, Pipeline
from gitlab_jobs_async.events import JobAppeared, JobDeleted, JobFinished, ProjectReset
from gitlab_jobs_async.models import PipelineBasic
from gitlab_jobs_async.telemetry.job_series import JobSeries
from gitlab_jobs_async.telemetry.metrics_file import MetricsFile

NOW = 1_750_000_000.0


def job(number, status, pipeline):
    basic = PipelineBasic(id=pipeline, status=JobStatus.RUNNING, project_id=1)
    return Job(id=number, status=JobStatus(status), stage="test", name="unit", pipeline=basic)


def event_of(number, kind, key):
    pipeline = number % 2 + 1
    values = {"key": f"{key}", "project": "shop/web"}
    match kind:
        case "appeared":
            return JobAppeared(job=job(number, "running", pipeline), **values)
        case "finished":
            return JobFinished(job=job(number, "success", pipeline), **values)
        case "deleted":
            return JobDeleted(job_id=number, name="unit", previous=JobStatus.RUNNING, **values)
    return ProjectReset(reason="restored", **values)


def answer(number, at):
    status, ended = JobStatus.SUCCESS, datetime.fromtimestamp(NOW + at, UTC)
    return Pipeline(id=number, status=status, finished_at=ended, source="push")


def state(jobs):
    pipelines = {
        number: (known.project, known.status, known.check_at, dict(known.jobs))
        for number, known in jobs.pipelines.unfinished.items()
    }
    series = {name: rows for name, rows in jobs.series.values.items() if rows}
    return jobs.open_jobs, pipelines, jobs.pipelines.ends, series, [*jobs.seen()]


KINDS = st.sampled_from(["appeared", "appeared", "finished", "finished", "deleted", "reset"])
STEPS = st.lists(st.one_of(st.tuples(st.integers(1, 6), KINDS), st.integers(1, 2)), max_size=20)


@settings(max_examples=30)
@given(STEPS)
def test_restored_state_is_the_same(tmp_path_factory, steps):
    path = str(tmp_path_factory.mktemp("metrics") / "x.metrics")
    file, jobs = MetricsFile(path), JobSeries.of(10)
    jobs.pipelines.is_followed = True
    for at, step in enumerate(steps):
        if isinstance(step, int):
            jobs.pipelines.on_pipeline(answer(step, at), NOW + at)
            file.store(jobs)
        else:
            event = event_of(*step, at)
            jobs.observe(event, NOW + at)
            file.store(jobs, event.key)
        changed = (jobs.series.changed, jobs.changed_jobs, jobs.pipelines.changed)
        assert not any(changed)
    file.close()
    restored, again = JobSeries.of(10), MetricsFile(path)
    again.restore(restored)
    again.close()
    assert state(restored) == state(jobs)


def test_events_reach_their_pipelines():
    jobs = JobSeries.of(10)
    jobs.pipelines.is_followed = True
    jobs.observe(event_of(1, "appeared", 0), NOW)
    jobs.observe(event_of(2, "appeared", 1), NOW)
    jobs.observe(event_of(1, "deleted", 2), NOW)
    assert jobs.pipelines.due(NOW + 60) == 2
    jobs.observe(event_of(0, "reset", 3), NOW)
    assert not jobs.pipelines.unfinished
    assert not jobs.open_jobs
