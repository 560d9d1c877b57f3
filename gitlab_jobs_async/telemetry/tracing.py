"""Spans and metrics of calls and requests for OpenTelemetry, by the hooks of the client.

Requests follow the semantic conventions for HTTP clients:
https://opentelemetry.io/docs/specs/semconv/http/http-spans/. A call is their parent.
"""

from contextlib import AbstractContextManager
from typing import Final
from urllib.parse import urlsplit

from attrs import frozen
from opentelemetry import metrics, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from gitlab_jobs_async.http.hooks import (
    CallHooks,
    CallScope,
    CallStart,
    RequestEnd,
    RequestHooks,
    RequestStart,
)
from gitlab_jobs_async.version import __version__

NAME: Final = "gitlab_jobs_async"
"""Name of the instrumentation scope."""

PORTS: Final = {"http": 80, "https": 443}
"""Default ports by scheme."""

# The convention's advice for `http.client.request.duration`, in seconds.
_BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_WAIT_BOUNDS: Final = (0.01, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
_IDS: Final = {
    "project": "gitlab.project",
    "group": "gitlab.group",
    "job_id": "cicd.pipeline.task.run.id",
    "pipeline_id": "cicd.pipeline.run.id",
}

Attributes = dict[str, str | int]


def tracing_hooks(
    *,
    tracer_provider: trace.TracerProvider | None = None,
    meter_provider: metrics.MeterProvider | None = None,
) -> RequestHooks:
    """Return hooks that record calls and HTTP requests: `GitLab(hooks=tracing_hooks())`.

    A call of a method that sends requests is a span of kind internal, such as `list_jobs`, and so
    is each poll of a monitor, such as `monitor_scan`. It is a child of the caller's current span,
    and is current itself while the client works, not while the caller uses its values. A request is
    a span of kind client below it, and counts in the histograms `http.client.request.duration` and
    `gitlab.client.wait.duration`, in seconds. Without providers, the global ones are used. No
    attribute holds a query, a body or a credential. Needs the extra `telemetry`.
    """
    recorder = _Recorder(
        trace.get_tracer(NAME, __version__, tracer_provider),
        metrics.get_meter(NAME, __version__, meter_provider),
    )
    return CallHooks(
        on_start=recorder.start_request, on_end=recorder.end_request, on_call=recorder.start_call
    )


class _Recorder:
    """The instruments, and the spans of requests in flight."""

    def __init__(self, tracer: trace.Tracer, meter: metrics.Meter) -> None:
        self._tracer = tracer
        self._durations = meter.create_histogram(
            "http.client.request.duration",
            unit="s",
            description="Duration of HTTP client requests.",
            explicit_bucket_boundaries_advisory=_BOUNDS,
        )
        self._waits = meter.create_histogram(
            "gitlab.client.wait.duration",
            unit="s",
            description="Time of a request in the queue for a slot and the rate limit, and between "
            "two attempts.",
            explicit_bucket_boundaries_advisory=_WAIT_BOUNDS,
        )
        self._spans: dict[RequestStart, Span] = {}

    def start_call(self, start: CallStart) -> "_SpanScope":
        """Begin the span of a call."""
        ids = {_IDS[key]: value for key, value in start.ids.items()}
        return _SpanScope(self._tracer.start_span(start.name, attributes=ids))

    def start_request(self, start: RequestStart) -> None:
        """Begin the span of a request; the hook runs in the task that sends it."""
        found = _target(start) | {"url.full": start.url}
        if resent := start.attempt - 1 + start.redirects:
            found["http.request.resend_count"] = resent
        self._spans[start] = self._tracer.start_span(
            f"{start.method} {start.route}".strip(), kind=SpanKind.CLIENT, attributes=found
        )
        # Another host has no queue.
        if start.route:
            self._waits.record(start.waited, _target(start) | {"gitlab.wait.reason": "queue"})

    def end_request(self, end: RequestEnd) -> None:
        """End the span of a request, and record it."""
        result = _result(end)
        self._durations.record(end.seconds, {**_target(end.start), **result})
        if end.retry_in is not None:
            self._waits.record(end.retry_in, _target(end.start) | {"gitlab.wait.reason": "retry"})
        span = self._spans.pop(end.start)
        span.set_attributes(result | {"http.response.body.size": end.size})
        if end.request_id is not None:
            span.set_attribute("gitlab.request_id", end.request_id)
        if end.error is not None:
            span.set_status(Status(StatusCode.ERROR, end.error))
        span.end()


@frozen(eq=False, repr=False)
class _SpanScope(CallScope):
    """The span of a call."""

    _span: Span

    def active(self) -> AbstractContextManager[object]:
        """Make the span the current one."""
        # Not the text of an exception, which may quote the server.
        return trace.use_span(self._span, record_exception=False, set_status_on_exception=False)

    def end(self, error: BaseException | None) -> None:
        """End the span."""
        if error is not None:
            name = type(error).__name__
            self._span.set_attribute("error.type", name)
            self._span.set_status(Status(StatusCode.ERROR, name))
        self._span.end()


def _target(start: RequestStart) -> Attributes:
    """Return the attributes of a request; all have few values."""
    url = urlsplit(start.url)
    found: Attributes = {
        "http.request.method": start.method,
        "server.address": url.hostname or "",
        "server.port": url.port or PORTS.get(url.scheme, 0),
    }
    if start.route:
        found["url.template"] = start.route
    return found


def _result(end: RequestEnd) -> Attributes:
    """Return the attributes of its end."""
    found: Attributes = {}
    if end.status is not None:
        found["http.response.status_code"] = end.status
    if end.error is not None:
        found["error.type"] = str(end.status or end.error)
    return found
