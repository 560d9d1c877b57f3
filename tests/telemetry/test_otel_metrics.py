"""Metrics of clients, monitors and jobs as OpenTelemetry collects them."""

import asyncio
import gc
import logging
from datetime import UTC, datetime
from threading import Event
from weakref import ref

import pytest

from gitlab_jobs_async import FailureReason, GitLab, JobStatus, RequestBudget
from gitlab_jobs_async.events import JobFinished
from gitlab_jobs_async.simulator import Fault
from gitlab_jobs_async.telemetry import OTelMetrics
from tests.support import sample_events
from tests.support.otel import metrics_by_name, points_of
from tests.support.tasks import others, until

CLIENT = {
    "gitlab.client.budget.limit",
    "gitlab.client.budget.used",
    "gitlab.client.budget.remaining",
    "gitlab.client.budget.pause",
    "gitlab.client.request.waiting",
    "gitlab.client.request.active",
}
MONITOR = {
    "gitlab.monitor.target.count",
    "gitlab.monitor.target.unscanned",
    "gitlab.monitor.target.unreachable",
    "gitlab.monitor.event.pending",
    "gitlab.monitor.scan.age",
    "gitlab.monitor.lag",
    "gitlab.monitor.pause.count",
}


@pytest.fixture
def metrics(meters, clock):
    return OTelMetrics(meter_provider=meters, clock=clock)


def values(reader):
    """Return the value of each gauge with one point."""
    found = {}
    for name, metric in metrics_by_name(reader).items():
        points = list(metric.data.data_points)
        if hasattr(points[0], "value"):
            (found[name],) = [point.value for point in points]
    return found


async def test_budget_is_in_gauges(simulator, clock, metrics, reader):
    budget = RequestBudget(per_minute=100)
    async with GitLab(simulator.url, auth=simulator.token, clock=clock, budget=budget) as gitlab:
        metrics.add_client(gitlab)
        await gitlab.project(1).get_job(1)
        assert values(reader) == {
            "gitlab.client.budget.limit": 100,
            "gitlab.client.budget.used": 1,
            "gitlab.client.budget.remaining": 99,
            "gitlab.client.budget.pause": 0,
            "gitlab.client.request.waiting": 0,
            "gitlab.client.request.active": 0,
        }
        async with gitlab.project(1).stream_trace(1):
            assert values(reader)["gitlab.client.request.active"] == 1
        ((attributes, _),) = points_of(reader, "gitlab.client.budget.used").items()
        assert dict(attributes) == {
            "server.address": "127.0.0.1",
            "server.port": int(simulator.url.rpartition(":")[2]),
        }


async def test_pause_is_in_seconds(simulator, gitlab, metrics, reader):
    metrics.add_client(gitlab)
    simulator.faults.add(Fault.throttled(retry_after=1800))
    task = asyncio.create_task(gitlab.project(1).get_job(1))
    await until(lambda: values(reader)["gitlab.client.budget.pause"])
    assert 0 < values(reader)["gitlab.client.budget.pause"] <= 1800
    task.cancel()
    await asyncio.wait([task])


async def test_unknown_limit_has_no_value(gitlab, metrics, reader):
    metrics.add_client(gitlab)
    assert "gitlab.client.budget.limit" not in values(reader)
    assert values(reader).keys() < CLIENT


async def test_closed_client_is_not_observed(simulator, clock, metrics, reader):
    async with GitLab(simulator.url, clock=clock) as gitlab:
        metrics.add_client(gitlab)
        assert values(reader)
    assert not values(reader)


async def test_client_is_not_kept_alive(simulator, clock, metrics, reader):
    async with GitLab(simulator.url, clock=clock) as gitlab:
        metrics.add_client(gitlab)
        values(reader)
    kept = ref(gitlab)
    del gitlab
    gc.collect()
    assert kept() is None
    assert not values(reader)


async def test_names_tell_clients_apart(simulator, clock, metrics, reader):
    async with GitLab(simulator.url, clock=clock) as one, GitLab(simulator.url, clock=clock) as two:
        metrics.add_client(one, name="one")
        metrics.add_client(two, name="two")
        metrics.add_client(two, name="second")
        points = points_of(reader, "gitlab.client.budget.used")
        assert {dict(key)["gitlab.client.name"] for key in points} == {"one", "second"}


async def test_monitor_is_in_gauges(gitlab, metrics, reader):
    async with gitlab.monitor(["group/app", 999]) as events:
        metrics.add_monitor(events, name="ci")
        before = values(reader)
        assert before.keys() == MONITOR - {"gitlab.monitor.scan.age"}
        assert before["gitlab.monitor.target.count"] == 2
        assert before["gitlab.monitor.target.unscanned"] == 2
        async for _ in events:
            if events.status().unreachable and not events.status().pending:
                break
        after = values(reader)
        assert after["gitlab.monitor.target.unreachable"] == 1
        assert after["gitlab.monitor.scan.age"] >= 0
        ((attributes, _),) = points_of(reader, "gitlab.monitor.lag").items()
        assert dict(attributes) == {"gitlab.monitor.name": "ci"}
    assert not values(reader)


async def test_gauges_are_read_in_the_loop(gitlab, metrics, reader, monkeypatch):
    """An exporter collects in its own thread, and a budget has no lock."""
    loop, read_in = asyncio.get_running_loop(), []
    snapshot = RequestBudget.snapshot

    def noted(budget, now=None):
        read_in.append(asyncio.get_running_loop())
        return snapshot(budget, now)

    monkeypatch.setattr(RequestBudget, "snapshot", noted)
    metrics.add_client(gitlab)
    assert "gitlab.client.budget.used" in await asyncio.to_thread(values, reader)
    assert set(read_in) == {loop}


async def test_busy_loop_delays_no_exporter(gitlab, metrics, reader, monkeypatch):
    monkeypatch.setattr("gitlab_jobs_async.telemetry.gauges._READ_TIMEOUT", 0.01)
    metrics.add_client(gitlab)
    done, collected = Event(), []

    def collect():
        collected.append(values(reader))
        done.set()

    thread = asyncio.get_running_loop().run_in_executor(None, collect)
    assert done.wait(10)  # blocks the loop
    await thread
    assert collected == [{}]


async def test_failing_gauge_is_reported(gitlab, metrics, reader, monkeypatch, caplog):
    monkeypatch.setattr(RequestBudget, "snapshot", lambda *_: 1 / 0)
    metrics.add_client(gitlab)
    with caplog.at_level(logging.ERROR):
        assert not await asyncio.to_thread(values, reader)
    assert "ZeroDivisionError" in caplog.text


def finished(key="job/1/2/finished/success", *, is_new=True, **fields):
    at = datetime(2026, 1, 1, tzinfo=UTC)
    times = {"finished_at": at, "duration": 30.0, "queued_duration": 4.0}
    job = sample_events.job(1, **{"status": "success", **times, **fields})
    return JobFinished(
        key=key, project="shop/app", job=job, previous=JobStatus.RUNNING, is_new=is_new
    )


def histogram(reader, name):
    """Return count and sum by project, job and result."""
    return {
        tuple(value for _, value in sorted(key)): (point.count, point.sum)
        for key, point in points_of(reader, name).items()
    }


def test_finished_job_is_recorded_once(metrics, reader):
    event = finished(name="test")
    for _ in range(2):
        metrics.observe(event)
    metrics.observe(finished("other", is_new=False))
    labels = ("test", "success", "shop/app")
    assert histogram(reader, "gitlab.job.duration") == {labels: (1, 30.0)}
    assert histogram(reader, "gitlab.job.queue.duration") == {labels: (1, 4.0)}
    assert histogram(reader, "gitlab.event.delay")[()][0] == 1
    assert metrics_by_name(reader)["gitlab.job.duration"].unit == "s"


def test_other_events_are_not_recorded(metrics, reader):
    metrics.observe(sample_events.changed(sample_events.job(1)))
    assert not metrics_by_name(reader)


@pytest.mark.parametrize(
    ("fields", "result"),
    [
        ({"status": "success"}, "success"),
        ({"status": "failed", "failure_reason": "script_failure"}, "failure"),
        ({"status": "failed", "failure_reason": "job_execution_timeout"}, "timeout"),
        ({"status": "canceled"}, "cancellation"),
        ({"status": "skipped"}, "skip"),
    ],
)
def test_result_is_of_the_conventions(metrics, reader, fields, result):
    """https://opentelemetry.io/docs/specs/semconv/registry/attributes/cicd/."""
    if reason := fields.get("failure_reason"):
        fields = {**fields, "failure_reason": FailureReason(reason)}
    metrics.observe(finished(**fields))
    ((labels, _),) = histogram(reader, "gitlab.job.duration").items()
    assert labels[1] == result


def test_job_without_times_has_no_duration(metrics, reader):
    metrics.observe(finished(duration=None, queued_duration=None, finished_at=None))
    assert not metrics_by_name(reader)


def test_series_are_bounded(meters, clock, reader):
    metrics = OTelMetrics(meter_provider=meters, clock=clock, max_series=2)
    for number in range(5):
        metrics.observe(finished(f"{number}", name=f"job {number % 4}"))
    found = histogram(reader, "gitlab.job.duration").items()
    assert {name: count for (name, *_), (count, _) in found} == {
        "job 0": 2,
        "job 1": 1,
        "other": 2,
    }


@pytest.mark.parametrize("value", [0, -1, 1.5, True])
def test_invalid_limit_is_an_error(value):
    with pytest.raises((TypeError, ValueError), match="max_series"):
        OTelMetrics(max_series=value)


async def test_nothing_is_left_running(gitlab, metrics, reader):
    before = await others()
    async with gitlab.monitor(["group/app"]) as events:
        metrics.add_client(gitlab)
        metrics.add_monitor(events)
        async for event in events:
            metrics.observe(event)
            break
        await asyncio.to_thread(values, reader)
    assert await others() == before
