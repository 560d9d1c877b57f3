"""Metrics of events: counted once, bounded, and continued after a restart."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from gitlab_jobs_async import Job, JobStatus, RequestBudget, StoreError
from gitlab_jobs_async.events import (
    JobAppeared,
    JobChanged,
    JobDeleted,
    JobFinished,
    MonitorPaused,
    MonitorResumed,
    ProjectRecovered,
    ProjectReset,
    ProjectUnreachable,
)
from gitlab_jobs_async.simulator import SteppedClock
from gitlab_jobs_async.telemetry import JobMetrics

NOW = 1_750_000_000.0


def job(number=1, status="success", name="unit", **fields):
    return Job(id=number, status=JobStatus(status), stage="test", name=name, **fields)


def event(kind, key, **fields):
    return kind(key=key, project="shop/web", **fields)


def ended(number=1, status="success", name="unit", is_new=True, project="shop/web", **fields):
    finished_at = datetime.fromtimestamp(NOW - 3, UTC)
    row = job(number, status, name, finished_at=finished_at, **fields)
    return JobFinished(key=f"job/{number}/ended", project=project, job=row, is_new=is_new)


def values(metrics):
    """Return all samples by name and labels, as a scrape reads them."""
    registry = CollectorRegistry()
    registry.register(metrics)
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


@pytest.fixture
def metrics():
    return JobMetrics(clock=SteppedClock(NOW))


def test_finished_job_is_counted_with_its_reason(metrics):
    metrics.observe(ended(status="failed", failure_reason="script_failure", tag_list=("docker",)))
    found = values(metrics)
    assert found["gitlab_jobs_finished_total", "failed", "script_failure", "shop/web", "unit"] == 1
    assert found["gitlab_jobs_finished_by_tag_total", "docker", "failed"] == 1
    assert found["gitlab_event_delay_seconds_sum",] == 3


def test_durations_fall_into_buckets(metrics):
    for number, seconds in enumerate((0.5, 5.0, 5.1, 9000.0)):
        metrics.observe(ended(number, duration=seconds, queued_duration=2.0))
    found = values(metrics)
    name, labels = "gitlab_job_duration_seconds", ("shop/web", "unit")
    assert found[f"{name}_count", *labels] == 4
    assert found[f"{name}_sum", *labels] == pytest.approx(9010.6)
    buckets = {bound: found[f"{name}_bucket", bound, *labels] for bound in ("1.0", "5.0", "15.0")}
    assert buckets == {"1.0": 1, "5.0": 2, "15.0": 3}
    assert found[f"{name}_bucket", "+Inf", *labels] == 4
    assert found["gitlab_job_queued_duration_seconds_sum", *labels] == 8


def test_repeated_event_is_counted_once(metrics):
    metrics.observe(ended())
    metrics.observe(ended())
    assert values(metrics)["gitlab_jobs_finished_total", "", "shop/web", "success", "unit"] == 1


def test_history_sets_gauges_and_counts_nothing(metrics):
    metrics.observe(event(JobAppeared, "a", job=job(1, "running"), is_new=False))
    metrics.observe(ended(2, is_new=False))
    found = values(metrics)
    assert found["gitlab_jobs", "running", "shop/web"] == 1
    assert not [key for key in found if key[0] == "gitlab_jobs_finished_total"]


def test_open_jobs_follow_their_status(metrics):
    metrics.observe(event(JobAppeared, "a", job=job(1, "pending")))
    metrics.observe(event(JobAppeared, "b", job=job(2, "pending")))
    metrics.observe(event(JobChanged, "c", job=job(1, "running"), previous="pending"))
    found = values(metrics)
    assert found["gitlab_jobs", "pending", "shop/web"] == 1
    assert found["gitlab_jobs", "running", "shop/web"] == 1
    metrics.observe(ended(1))
    metrics.observe(event(JobDeleted, "d", job_id=2, name="unit", previous="pending"))
    assert not [key for key in values(metrics) if key[0] == "gitlab_jobs"]


def test_reset_forgets_the_open_jobs_of_a_project(metrics):
    metrics.observe(event(JobAppeared, "a", job=job(1, "pending")))
    other = JobAppeared(key="b", project="shop/api", job=job(2, "pending"))
    metrics.observe(other)
    metrics.observe(event(ProjectReset, "c", reason="restored"))
    found = values(metrics)
    assert ("gitlab_jobs", "pending", "shop/web") not in found
    assert found["gitlab_jobs", "pending", "shop/api"] == 1


def test_outages_and_pauses_are_gauges(metrics):
    until = datetime.fromtimestamp(NOW + 600, UTC)
    metrics.observe(event(ProjectUnreachable, "a", reason="down"))
    metrics.observe(MonitorPaused(key="b", kind="", until=until, next_probe=None, reason="429"))
    found = values(metrics)
    assert (found["gitlab_targets_unreachable",], found["gitlab_monitor_paused",]) == (1, 1)
    metrics.observe(event(ProjectRecovered, "c"))
    metrics.observe(MonitorResumed(key="d", kind=""))
    found = values(metrics)
    assert (found["gitlab_targets_unreachable",], found["gitlab_monitor_paused",]) == (0, 0)


def test_label_sets_are_bounded(tmp_path):
    path = tmp_path / "x.metrics"
    metrics = JobMetrics(max_series=3, file=path, clock=SteppedClock(NOW))
    for number in range(10):
        metrics.observe(ended(number, name=f"job {number}", duration=1.0))
    found = values(metrics)
    finished = {
        key: count for key, count in found.items() if key[0] == "gitlab_jobs_finished_total"
    }
    assert len(finished) == 4
    assert finished["gitlab_jobs_finished_total", "", "other", "other", "success"] == 7
    assert found["gitlab_job_duration_seconds_count", "other", "other"] == 7
    assert found["gitlab_label_sets_dropped_total",] == 14
    metrics.close()
    with JobMetrics(max_series=3, file=path) as again:
        assert values(again)["gitlab_label_sets_dropped_total",] == 14


def test_budget_is_shown():
    budget = RequestBudget(per_minute=120)
    found = values(JobMetrics(budget=budget))
    assert found["gitlab_requests_per_minute_limit",] == 120
    assert found["gitlab_requests_last_minute",] == 0


@pytest.mark.parametrize("limit", [0, -1, 1.5, True, "9"])
def test_bad_limit_is_refused(limit):
    with pytest.raises((TypeError, ValueError), match="max_series"):
        JobMetrics(max_series=limit)


def test_counters_continue_after_a_restart(tmp_path):
    path, clock = tmp_path / "x.metrics", SteppedClock(NOW)
    with JobMetrics(file=path, clock=clock) as first:
        first.observe(event(JobAppeared, "a", job=job(7, "running")))
        first.observe(ended(1, duration=20.0))
        first.observe(ended(2, status="failed", failure_reason="script_failure"))
        before = values(first)
    assert path.stat().st_mode & 0o777 == 0o600
    with JobMetrics(file=path, clock=clock) as second:
        assert values(second) == before
        # The last event may be repeated, if it was not acknowledged.
        second.observe(ended(2, status="failed", failure_reason="script_failure"))
        assert values(second) == before
        second.observe(ended(3, duration=20.0))
        found = values(second)
    assert found["gitlab_jobs_finished_total", "", "shop/web", "success", "unit"] == 2


def test_killed_process_has_stored_its_counts(tmp_path):
    """Without `close`, as after a kill: each event is stored before the next one."""
    path = tmp_path / "x.metrics"
    killed = JobMetrics(file=path, clock=SteppedClock(NOW))
    killed.observe(ended(1))
    before = values(killed)
    killed._file._database.close()
    with JobMetrics(file=path) as again:
        assert values(again) == before


def test_file_in_use_is_refused(tmp_path):
    path = tmp_path / "x.metrics"
    with JobMetrics(file=path), pytest.raises(StoreError, match="in use by another"):
        JobMetrics(file=path)


@pytest.mark.parametrize("content", [b"not a database" * 100, None])
def test_unusable_file_is_refused(tmp_path, content):
    path = tmp_path / "x.metrics"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(StoreError, match=r"x\.metrics"):
        JobMetrics(file=path)


def test_newer_version_is_refused(tmp_path):
    path = tmp_path / "x.metrics"
    with JobMetrics(file=path) as metrics:
        metrics._file._database.execute("PRAGMA user_version=9")
    with pytest.raises(StoreError, match="unsupported version 9"):
        JobMetrics(file=path)


ROWS = st.tuples(st.integers(1, 4), st.sampled_from("abcdef"), st.booleans())


@given(st.lists(ROWS, max_size=25))
def test_counters_never_decrease_and_stay_bounded(rows):
    metrics, last = JobMetrics(max_series=2, clock=SteppedClock(NOW)), {}
    for number, name, is_new in rows:
        metrics.observe(ended(number, name=name, is_new=is_new, duration=1.0, project=name))
        found = values(metrics)
        assert all(found[key] >= value for key, value in last.items())
        last = {key: value for key, value in found.items() if key[0].endswith(("_total", "_count"))}
    # One more than the limit: "other".
    assert len([key for key in last if key[0] == "gitlab_jobs_finished_total"]) <= 3
