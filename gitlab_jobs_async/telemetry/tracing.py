"""Spans and metrics of requests for OpenTelemetry, by the hooks of the client.

Follows the semantic conventions for HTTP clients:
https://opentelemetry.io/docs/specs/semconv/http/http-spans/.
"""

from typing import Final
from urllib.parse import urlsplit

from opentelemetry import metrics, trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from gitlab_jobs_async.clock import SystemClock
from gitlab_jobs_async.http.hooks import RequestEnd, RequestHooks
from gitlab_jobs_async.version import __version__

_NAME: Final = "gitlab_jobs_async"
_PORTS: Final = {"http": 80, "https": 443}
# The convention's advice for `http.client.request.duration`, in seconds.
_BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)

Attributes = dict[str, str | int]


def tracing_hooks(
    *,
    tracer_provider: trace.TracerProvider | None = None,
    meter_provider: metrics.MeterProvider | None = None,
) -> RequestHooks:
    """Return hooks that record each HTTP request: `GitLab(hooks=tracing_hooks())`.

    A request becomes a span of kind client, a child of the caller's current one, and counts in the
    histograms `http.client.request.duration` and `gitlab.client.wait.duration`, in seconds. Without
    providers, the global ones are used. No attribute holds a query or a credential. Needs the extra
    `telemetry`.
    """
    clock = SystemClock()
    tracer = trace.get_tracer(_NAME, __version__, tracer_provider)
    meter = metrics.get_meter(_NAME, __version__, meter_provider)
    durations = meter.create_histogram(
        "http.client.request.duration",
        unit="s",
        description="Duration of HTTP client requests.",
        explicit_bucket_boundaries_advisory=_BOUNDS,
    )
    waits = meter.create_histogram(
        "gitlab.client.wait.duration",
        unit="s",
        description="Time of a request in the queue, for a free slot and the rate limit.",
        explicit_bucket_boundaries_advisory=_BOUNDS,
    )

    def record(end: RequestEnd) -> None:
        ended_at, shared = int(clock.now() * 1e9), _attributes(end)
        durations.record(end.seconds, shared)
        waits.record(end.start.waited, shared)
        # The hook runs in the task that sends, so the current span is the caller's.
        span = tracer.start_span(
            f"{end.start.method} {end.start.route}".strip(),
            kind=SpanKind.CLIENT,
            start_time=ended_at - int(end.seconds * 1e9),
            attributes=shared | _details(end),
        )
        if end.error is not None:
            span.set_status(Status(StatusCode.ERROR, end.error))
        span.end(ended_at)

    return RequestHooks(on_end=record)


def _attributes(end: RequestEnd) -> Attributes:
    """Return the attributes of span and metrics; all have few values."""
    url = urlsplit(end.start.url)
    found: Attributes = {
        "http.request.method": end.start.method,
        "server.address": url.hostname or "",
        "server.port": url.port or _PORTS.get(url.scheme, 0),
    }
    if end.start.route:
        found["url.template"] = end.start.route
    if end.status is not None:
        found["http.response.status_code"] = end.status
    if end.error is not None:
        found["error.type"] = str(end.status or end.error)
    return found


def _details(end: RequestEnd) -> Attributes:
    """Return the attributes of a span alone."""
    resent = end.start.attempt - 1 + end.start.redirects
    found: Attributes = {"url.full": end.start.url, "http.response.body.size": end.size}
    if resent:
        found["http.request.resend_count"] = resent
    if end.request_id is not None:
        found["gitlab.request_id"] = end.request_id
    return found
