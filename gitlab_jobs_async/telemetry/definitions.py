"""The metrics of a monitor's events: kind, help and labels of each."""

from typing import Final, Literal

from attrs import frozen

BUCKETS: Final = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0)
"""Upper bounds of durations and queue times, in seconds."""

DROPPED: Final = "label_sets_dropped"
"""The counter of values whose label set is past the limit."""


@frozen
class Definition:
    """A metric; the first *unbounded* of its *labels* may have any value.

    The others have few values, such as a status, and are kept past the limit of label sets.
    """

    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    unbounded: int = 0


METRICS: Final = {
    "jobs_finished": Definition(
        "counter", "Finished jobs.", ("project", "job", "status", "reason"), 2
    ),
    "jobs_finished_by_tag": Definition(
        "counter", "Finished jobs by runner tag.", ("tag", "status"), 1
    ),
    "pipelines_finished": Definition(
        "counter", "Finished pipelines.", ("project", "status", "source", "kind"), 1
    ),
    DROPPED: Definition("counter", "Values whose label set is past the limit."),
    "job_duration_seconds": Definition(
        "histogram", "Duration of finished jobs.", ("project", "job"), 2
    ),
    "job_queued_duration_seconds": Definition(
        "histogram", "Time that finished jobs had waited.", ("project", "job"), 2
    ),
    "pipeline_duration_seconds": Definition(
        "histogram", "Time in which jobs of finished pipelines ran.", ("project", "source"), 1
    ),
    "pipeline_queued_duration_seconds": Definition(
        "histogram", "Time before the first job of finished pipelines.", ("project", "source"), 1
    ),
    "event_delay_seconds": Definition("histogram", "Time from the end of a job to its event."),
    "pipeline_coverage_percent": Definition(
        "gauge", "Coverage of the last finished pipeline.", ("project", "kind"), 1
    ),
    "pipeline_finished_timestamp_seconds": Definition(
        "gauge", "Time of the last finished pipeline.", ("project", "status", "kind"), 1
    ),
}
"""The stored metrics by name, without the prefix "gitlab_"."""
