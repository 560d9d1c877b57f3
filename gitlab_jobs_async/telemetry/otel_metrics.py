"""Metrics of clients, monitors and jobs for OpenTelemetry."""

from collections import deque
from typing import Any, Final
from urllib.parse import urlsplit

from opentelemetry import metrics

from gitlab_jobs_async.api.parameters import positive_id
from gitlab_jobs_async.client import GitLab
from gitlab_jobs_async.clock import Clock, SystemClock
from gitlab_jobs_async.events import AnyEvent, JobFinished
from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.models.statuses import FailureReason, JobStatus
from gitlab_jobs_async.monitor.monitor import Monitor
from gitlab_jobs_async.monitor.status import MonitorStatus
from gitlab_jobs_async.ratelimit.snapshot import BudgetSnapshot
from gitlab_jobs_async.telemetry.definitions import BUCKETS
from gitlab_jobs_async.telemetry.gauges import Gauge, Gauges
from gitlab_jobs_async.telemetry.series import OTHER
from gitlab_jobs_async.telemetry.tracing import NAME, PORTS
from gitlab_jobs_async.version import __version__

_REMEMBERED: Final = 1000
"""Keys of the newest events, which a monitor with a checkpoint may repeat."""

_RESULTS: Final = {
    JobStatus.SUCCESS: "success",
    JobStatus.FAILED: "failure",
    JobStatus.CANCELED: "cancellation",
    JobStatus.SKIPPED: "skip",
}


class OTelMetrics:
    """Metrics of clients, monitors and finished jobs by OpenTelemetry: make one for each program.

    `metrics.add_client(gitlab)` and `metrics.add_monitor(events)` inside their blocks, and
    `metrics.observe(event)` for each event. Names and attributes are in the guide, page "Metrics".
    A client or a monitor is observed until its block is left, and is not kept alive. Needs the
    extra `telemetry`.

    Args:
        meter_provider: the global one by default.
        max_series: most pairs of project and job name; further ones count together as "other".
        clock: source of time, that of the clients.

    Raises:
        TypeError, ValueError: *max_series* is not a whole number above 0.
    """

    def __init__(
        self,
        *,
        meter_provider: metrics.MeterProvider | None = None,
        max_series: int = 2000,
        clock: Clock | None = None,
    ) -> None:
        self._max_series = positive_id("max_series", max_series)
        self._clock = clock or SystemClock()
        self._series: set[tuple[str, str]] = set()
        self._seen: deque[str] = deque(maxlen=_REMEMBERED)
        meter = metrics.get_meter(NAME, __version__, meter_provider)
        self._clients = Gauges(meter, self._client_gauges(), self._budget_of)
        self._monitors = Gauges(meter, _MONITOR, _status_of)
        self._durations = _seconds(meter, "gitlab.job.duration", "Duration of finished jobs.")
        self._queued = _seconds(
            meter, "gitlab.job.queue.duration", "Time that finished jobs had waited for a runner."
        )
        self._delays = _seconds(
            meter, "gitlab.event.delay", "Time from the end of a job to its event."
        )

    def add_client(self, client: GitLab, *, name: str | None = None) -> None:
        """Observe the budget of an open client, until it is closed.

        *name* becomes the attribute `gitlab.client.name`, which tells apart two clients of one
        server.
        """
        url = urlsplit(client.url)
        attributes: dict[str, str | int] = {
            "server.address": url.hostname or "",
            "server.port": url.port or PORTS.get(url.scheme, 0),
        }
        if name is not None:
            attributes["gitlab.client.name"] = name
        self._clients.add(client, attributes)

    def add_monitor(self, monitor: "Monitor[Any]", *, name: str | None = None) -> None:
        """Observe the status of a monitor, until its block is left.

        *name* becomes the attribute `gitlab.monitor.name`, which tells apart two monitors.
        """
        self._monitors.add(monitor, {} if name is None else {"gitlab.monitor.name": name})

    def observe(self, event: AnyEvent) -> None:
        """Record a job that has finished; other events, and those with `is_new=False`, do nothing.

        A repeated event is recorded once.
        """
        if not isinstance(event, JobFinished) or not event.is_new or event.key in self._seen:
            return
        self._seen.append(event.key)
        job = event.job
        attributes = self._attributes(str(event.project_path or event.project), job)
        if job.duration is not None:
            self._durations.record(job.duration, attributes)
        if job.queued_duration is not None:
            self._queued.record(job.queued_duration, attributes)
        if job.finished_at is not None:
            self._delays.record(max(0.0, self._clock.now() - job.finished_at.timestamp()))

    def _attributes(self, project: str, job: Job | Bridge) -> dict[str, str]:
        pair = (project, job.name)
        if pair not in self._series:
            if len(self._series) < self._max_series:
                self._series.add(pair)
            else:
                pair = (OTHER, OTHER)
        return {
            "gitlab.project": pair[0],
            "cicd.pipeline.task.name": pair[1],
            "cicd.pipeline.task.run.result": _result(job),
        }

    def _budget_of(self, client: GitLab) -> BudgetSnapshot | None:
        budget = client.budget
        return budget.snapshot(self._clock.now()) if budget.is_attached else None

    def _client_gauges(self) -> list[Gauge[BudgetSnapshot]]:
        def pause(budget: BudgetSnapshot) -> float:
            until = budget.paused_until
            return 0.0 if until is None else max(0.0, until - self._clock.now())

        return [
            *_CLIENT,
            Gauge("gitlab.client.budget.pause", "s", "Rest of a pause by the server.", pause),
        ]


_CLIENT: Final[list[Gauge[BudgetSnapshot]]] = [
    Gauge("gitlab.client.budget.limit", "{request}", "Requests a minute.", lambda b: b.limit),
    Gauge("gitlab.client.budget.used", "{request}", "Requests of a minute.", lambda b: b.used),
    Gauge(
        "gitlab.client.budget.remaining",
        "{request}",
        "Requests that may be sent now.",
        lambda budget: budget.remaining,
    ),
    Gauge(
        "gitlab.client.request.waiting",
        "{request}",
        "Requests that wait for a slot or the rate limit.",
        lambda budget: budget.waiting,
    ),
    Gauge(
        "gitlab.client.request.active",
        "{request}",
        "Requests in flight, and open streams.",
        lambda budget: budget.in_flight + budget.streams,
    ),
]
_MONITOR: Final[list[Gauge[MonitorStatus]]] = [
    Gauge("gitlab.monitor.target.count", "{target}", "Targets.", lambda s: s.targets),
    Gauge(
        "gitlab.monitor.target.unscanned",
        "{target}",
        "Targets whose first scan is not complete.",
        lambda status: status.unscanned,
    ),
    Gauge(
        "gitlab.monitor.target.unreachable",
        "{target}",
        "Targets whose last poll has failed.",
        lambda status: status.unreachable,
    ),
    Gauge(
        "gitlab.monitor.event.pending",
        "{event}",
        "Events that the consumer has not taken.",
        lambda status: status.pending,
    ),
    Gauge(
        "gitlab.monitor.scan.age",
        "s",
        "Age of the oldest successful scan of a target.",
        lambda status: status.oldest_scan,
    ),
    Gauge("gitlab.monitor.lag", "s", "Lateness of the most overdue poll.", lambda s: s.lag),
    Gauge(
        "gitlab.monitor.pause.count",
        "{pause}",
        "Kinds of requests that the server has paused.",
        lambda status: len(status.paused),
    ),
]


def _status_of(monitor: "Monitor[Any]") -> MonitorStatus | None:
    return None if monitor.is_closed else monitor.status()


def _seconds(meter: metrics.Meter, name: str, description: str) -> metrics.Histogram:
    return meter.create_histogram(
        name,
        unit="s",
        description=description,
        explicit_bucket_boundaries_advisory=BUCKETS,
    )


def _result(job: Job | Bridge) -> str:
    """Return the result by https://opentelemetry.io/docs/specs/semconv/registry/attributes/cicd/."""
    reason = job.failure_reason
    if reason is not None and reason.matches(FailureReason.JOB_EXECUTION_TIMEOUT):
        return "timeout"
    return _RESULTS.get(job.status, OTHER)
