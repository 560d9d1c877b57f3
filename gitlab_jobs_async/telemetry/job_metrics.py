"""The metrics of a monitor's events, for the client library of Prometheus."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from os import PathLike
from types import TracebackType
from typing import Final, Self

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from gitlab_jobs_async.api.parameters import positive_id
from gitlab_jobs_async.client import GitLab
from gitlab_jobs_async.clock import Clock, SystemClock
from gitlab_jobs_async.concurrency import task_pool
from gitlab_jobs_async.events import AnyEvent
from gitlab_jobs_async.ratelimit.budget import RequestBudget
from gitlab_jobs_async.telemetry.definitions import BUCKETS, METRICS, Definition
from gitlab_jobs_async.telemetry.job_series import JobSeries
from gitlab_jobs_async.telemetry.metrics_file import metrics_file
from gitlab_jobs_async.telemetry.pipeline_checks import PipelineChecks
from gitlab_jobs_async.telemetry.series import Labels, Values

_OPEN_LABELS: Final = ("project", "status")


class JobMetrics:
    """Metrics of a monitor's events: a collector to register with `prometheus_client`.

    `REGISTRY.register(metrics)`, then `metrics.observe(event)` for each event, within
    `async with metrics.follow_pipelines(gitlab)` for metrics of finished pipelines. Needs the extra
    `telemetry`. Names and labels are in the guide, page "Metrics".

    Args:
        budget: that of the client, `gitlab.budget`, for the metrics of requests.
        file: where to store the series, so that counters continue after a restart. Use it together
            with the monitor's `checkpoint`: an event is counted once, also if it is repeated.
        max_series: most label sets of a metric; more are counted together under "other".
        clock: source of time for delays.

    Raises:
        StoreError: *file* is in use, of another version, or cannot be read.
        TypeError, ValueError: *max_series* is not a whole number above 0.
    """

    def __init__(
        self,
        *,
        budget: RequestBudget | None = None,
        file: str | PathLike[str] | None = None,
        max_series: int = 10_000,
        clock: Clock | None = None,
    ) -> None:
        self._series = JobSeries.of(positive_id("max_series", max_series))
        self._failure: Exception | None = None
        self._budget = budget
        self._clock = clock or SystemClock()
        self._file = metrics_file(file)
        if self._file is not None:
            self._file.restore(self._series)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    @asynccontextmanager
    async def follow_pipelines(self, gitlab: GitLab) -> AsyncGenerator[None, None]:
        """Count finished pipelines until the end of the block.

        The events show when a pipeline may have ended. It is requested then, five seconds later,
        and its status, duration and coverage are the server's. One request at a time.

        Raises:
            StoreError: from the block's end or `observe`: the file cannot be written.
        """
        self._series.pipelines.is_followed = True
        checks = PipelineChecks(gitlab, self._series.pipelines, self._clock, self._store)
        async with task_pool() as tasks:
            tasks.start("checks", self._run(checks))
            yield
        if self._failure is not None:
            raise self._failure

    async def _run(self, checks: PipelineChecks) -> None:
        try:
            await checks.run()
        except Exception as error:  # noqa: BLE001 - raised to the consumer
            self._failure = error

    def observe(self, event: AnyEvent) -> None:
        """Count one event of a monitor, before the next one is requested.

        An event with `is_new=False` sets the number of unfinished jobs, and counts nothing.

        Raises:
            StoreError: the file cannot be written.
        """
        if self._failure is not None:
            raise self._failure
        if self._series.observe(event, self._clock.now()):
            self._store(event.key)

    def _store(self, key: str | None = None) -> None:
        if self._file is not None:
            self._file.store(self._series, key)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics as they are now, for `prometheus_client`; also in another thread."""
        series = self._series
        yield _open_metric("jobs", "Unfinished jobs by status.", series.open_by_status())
        pipelines = series.pipelines.open_by_status()
        yield _open_metric("pipelines", "Unfinished pipelines by status.", pipelines)
        for name, definition in METRICS.items():
            # A copy, since the loop of the events may add to it meanwhile.
            rows = series.series.values[name].copy()
            yield _stored_metric(f"gitlab_{name}", definition, rows)
        yield GaugeMetricFamily(
            "gitlab_targets_unreachable",
            "Targets that cannot be polled.",
            value=len(series.unreachable),
        )
        yield GaugeMetricFamily(
            "gitlab_monitor_paused", "Kinds of requests that pause.", value=len(series.paused)
        )
        if self._budget is not None:
            yield from _of_budget(self._budget)


def _open_metric(name: str, help_text: str, counts: dict[Labels, int]) -> Metric:
    found = GaugeMetricFamily(f"gitlab_{name}", help_text, labels=_OPEN_LABELS)
    for labels, count in counts.items():
        found.add_metric(labels, count)
    return found


def _stored_metric(name: str, definition: Definition, rows: dict[Labels, Values]) -> Metric:
    if definition.kind == "histogram":
        return _histogram(name, definition, rows)
    family = CounterMetricFamily if definition.kind == "counter" else GaugeMetricFamily
    found = family(name, definition.help, labels=definition.labels)
    # Without labels a counter begins at 0, else its first increase is not seen.
    first: dict[Labels, Values] = {} if definition.labels else {(): (0.0,)}
    for labels, (value,) in (first | rows).items():
        found.add_metric(labels, value)
    return found


def _histogram(name: str, definition: Definition, rows: dict[Labels, Values]) -> Metric:
    found = HistogramMetricFamily(name, definition.help, labels=definition.labels)
    for labels, (*counts, total, seconds) in rows.items():
        bounds = [str(bound) for bound in BUCKETS]
        buckets = [*zip(bounds, counts, strict=True), ("+Inf", total)]
        found.add_metric(labels, buckets, sum_value=seconds)
    return found


def _of_budget(budget: RequestBudget) -> Iterator[Metric]:
    usage = budget.snapshot()
    values = {
        "gitlab_requests_per_minute_limit": ("Limit of requests a minute.", usage.limit),
        "gitlab_requests_last_minute": ("Requests of the last minute.", usage.used),
        "gitlab_requests_waiting": ("Requests that wait for the limit.", usage.waiting),
        "gitlab_requests_in_flight": ("Requests without an answer yet.", usage.in_flight),
    }
    for name, (help_text, value) in values.items():
        if value is not None:
            yield GaugeMetricFamily(name, help_text, value=value)
