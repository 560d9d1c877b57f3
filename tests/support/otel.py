"""Read what OpenTelemetry has recorded in memory."""

from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind


def calls_of(spans: list[ReadableSpan]) -> list[ReadableSpan]:
    """Return the spans of calls, in the order of their ends."""
    return [span for span in spans if span.kind is SpanKind.INTERNAL]


def requests_of(spans: list[ReadableSpan]) -> list[ReadableSpan]:
    """Return the spans of requests, in the order of their ends."""
    return [span for span in spans if span.kind is SpanKind.CLIENT]


def parents_of(spans: list[ReadableSpan]) -> set[int | None]:
    """Return the ids of the parents of *spans*."""
    return {None if span.parent is None else span.parent.span_id for span in spans}


def metrics_by_name(reader: InMemoryMetricReader) -> dict:
    """Return the metrics that *reader* collects now."""
    data = reader.get_metrics_data()
    if data is None:
        return {}
    return {
        metric.name: metric
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


def points_of(reader: InMemoryMetricReader, name: str) -> dict:
    """Return the points of a metric by their attributes, as sorted pairs."""
    metric = metrics_by_name(reader).get(name)
    found = [] if metric is None else metric.data.data_points
    return {tuple(sorted(point.attributes.items())): point for point in found}
