"""Requests as spans and metrics of OpenTelemetry."""

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from gitlab_jobs_async import GitLab, NotFoundError, RetryPolicy
from gitlab_jobs_async.simulator import Fault
from gitlab_jobs_async.telemetry import tracing_hooks


@pytest.fixture
def exporter():
    return InMemorySpanExporter()


@pytest.fixture
def tracers(exporter):
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider


@pytest.fixture
def reader():
    return InMemoryMetricReader()


@pytest.fixture
async def traced(simulator, clock, tracers, reader):
    hooks = tracing_hooks(
        tracer_provider=tracers, meter_provider=MeterProvider(metric_readers=[reader])
    )
    retry = RetryPolicy(attempts=2, base=0.1)
    async with GitLab(
        simulator.url, auth=simulator.token, clock=clock, hooks=hooks, retry=retry
    ) as client:
        yield client


async def test_request_is_a_client_span(traced, exporter):
    await traced.project("group/app").get_job(1)
    (span,) = exporter.get_finished_spans()
    assert (span.name, span.kind) == ("GET /projects/:id/jobs/:id", SpanKind.CLIENT)
    assert span.attributes["http.request.method"] == "GET"
    assert span.attributes["http.response.status_code"] == 200
    assert span.attributes["server.address"] == "127.0.0.1"
    assert span.attributes["server.port"] > 0
    assert span.attributes["http.response.body.size"] > 100
    assert span.end_time >= span.start_time
    assert "error.type" not in span.attributes


async def test_span_is_a_child_of_the_callers(traced, exporter, tracers):
    with tracers.get_tracer("caller").start_as_current_span("report") as parent:
        await traced.list_jobs(["group/app"])
    requests = [span for span in exporter.get_finished_spans() if span.kind is SpanKind.CLIENT]
    assert requests
    assert {span.parent.span_id for span in requests} == {parent.get_span_context().span_id}


async def test_failure_and_retry_are_marked(traced, exporter, simulator):
    simulator.faults.add(Fault(status=502))
    await traced.project("group/app").get_job(1)
    with pytest.raises(NotFoundError):
        await traced.project("group/app").get_job(99)
    failed, again, missing = exporter.get_finished_spans()
    assert failed.status.status_code is StatusCode.ERROR
    assert failed.attributes["error.type"] == "502"
    assert again.attributes["http.request.resend_count"] == 1
    assert missing.attributes["error.type"] == "404"


async def test_no_attribute_has_a_query_or_token(traced, exporter, simulator, reader):
    await traced.project("group/app").list_jobs(scope="failed")
    told = repr([dict(span.attributes) for span in exporter.get_finished_spans()])
    told += reader.get_metrics_data().to_json()
    for secret in (simulator.token, "failed", "?"):
        assert secret not in told


async def test_durations_are_histograms(traced, reader):
    await traced.project("group/app").get_job(1)
    (resource,) = reader.get_metrics_data().resource_metrics
    found = {metric.name: metric for scope in resource.scope_metrics for metric in scope.metrics}
    assert set(found) == {"http.client.request.duration", "gitlab.client.wait.duration"}
    (point,) = found["http.client.request.duration"].data.data_points
    assert (point.count, point.attributes["url.template"]) == (1, "/projects/:id/jobs/:id")
    assert found["http.client.request.duration"].unit == "s"
