"""The metrics of a monitor's events, for the client library of Prometheus."""

from collections.abc import Iterator
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
from gitlab_jobs_async.clock import Clock, SystemClock
from gitlab_jobs_async.events import AnyEvent
from gitlab_jobs_async.ratelimit.budget import RequestBudget
from gitlab_jobs_async.telemetry.job_series import BUCKETS, DROPPED, JobSeries
from gitlab_jobs_async.telemetry.metrics_file import metrics_file

_COUNTERS: Final = {
    "jobs_finished": ("Finished jobs.", ("project", "job", "status", "reason")),
    "jobs_finished_by_tag": ("Finished jobs by runner tag.", ("tag", "status")),
}
_HISTOGRAMS: Final = {
    "job_duration_seconds": ("Duration of finished jobs.", ("project", "job")),
    "job_queued_duration_seconds": ("Time that finished jobs had waited.", ("project", "job")),
    "event_delay_seconds": ("Time from the end of a job to its event.", ()),
}


class JobMetrics:
    """Metrics of a monitor's events: a collector to register with `prometheus_client`.

    `REGISTRY.register(metrics)`, then `metrics.observe(event)` for each event. Needs the extra
    `telemetry`. Names and labels are in the guide, page "Metrics".

    Args:
        budget: that of the client, `gitlab.budget`, for the metrics of requests.
        file: where to store the series, so that counters continue after a restart. Use it together
            with the monitor's `checkpoint`: an event is counted once, also if it is repeated.
        max_series: most label sets of a metric; more are counted together under "other".
        clock: source of time for delays.

    Raises:
        CheckpointError: *file* is in use, of another version, or cannot be read.
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
        self._series = JobSeries(positive_id("max_series", max_series))
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

    def observe(self, event: AnyEvent) -> None:
        """Count one event of a monitor, before the next one is requested.

        An event with `is_new=False` sets the number of unfinished jobs, and counts nothing.

        Raises:
            CheckpointError: the file cannot be written.
        """
        is_counted = self._series.observe(event, self._clock.now())
        if is_counted and self._file is not None:
            self._file.store(self._series, event.key)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics as they are now, for `prometheus_client`."""
        # Copies, since its own server collects in another thread.
        series = self._series
        jobs = GaugeMetricFamily(
            "gitlab_jobs", "Unfinished jobs by status.", labels=("project", "status")
        )
        for labels, count in series.open_by_status().items():
            jobs.add_metric(labels, count)
        yield jobs
        for name, (help_text, label_names) in _COUNTERS.items():
            counter = CounterMetricFamily(f"gitlab_{name}", help_text, labels=label_names)
            for labels, values in series.values.get(name, {}).copy().items():
                counter.add_metric(labels, values[0])
            yield counter
        for name, (help_text, label_names) in _HISTOGRAMS.items():
            yield _histogram(name, help_text, label_names, series)
        yield GaugeMetricFamily(
            "gitlab_targets_unreachable",
            "Targets that cannot be polled.",
            value=len(series.unreachable),
        )
        yield GaugeMetricFamily(
            "gitlab_monitor_paused", "Kinds of requests that pause.", value=len(series.paused)
        )
        yield CounterMetricFamily(
            "gitlab_label_sets_dropped",
            "Values counted under other labels, past the limit.",
            value=series.values.get(DROPPED, {}).get((), [0.0])[0],
        )
        if self._budget is not None:
            yield from _of_budget(self._budget)


def _histogram(
    name: str, help_text: str, label_names: tuple[str, ...], series: JobSeries
) -> HistogramMetricFamily:
    found = HistogramMetricFamily(f"gitlab_{name}", help_text, labels=label_names)
    for labels, values in series.values.get(name, {}).copy().items():
        *counts, total, seconds = values
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
