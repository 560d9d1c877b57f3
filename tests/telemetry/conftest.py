"""A client whose calls and requests are recorded in memory by OpenTelemetry."""

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from gitlab_jobs_async import GitLab, RetryPolicy
from gitlab_jobs_async.telemetry import tracing_hooks


@pytest.fixture
def exporter():
    return InMemorySpanExporter()


@pytest.fixture
def tracers(exporter):
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider


@pytest.fixture
def reader():
    return InMemoryMetricReader()


@pytest.fixture
def meters(reader):
    return MeterProvider(metric_readers=[reader], shutdown_on_exit=False)


@pytest.fixture
async def traced(simulator, clock, tracers, meters):
    hooks = tracing_hooks(tracer_provider=tracers, meter_provider=meters)
    retry = RetryPolicy(attempts=2, base=0.1)
    async with GitLab(
        simulator.url, auth=simulator.token, clock=clock, hooks=hooks, retry=retry
    ) as client:
        yield client
