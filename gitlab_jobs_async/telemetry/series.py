"""Values of metrics by labels, in a bounded number that can be stored.

A series is a metric with one set of labels. Past the limit of a metric, new label sets are counted
together under "other", so that no number of jobs or projects fills the memory.
"""

from collections.abc import Iterable
from typing import Final

from attrs import define, field

from gitlab_jobs_async.telemetry.definitions import BUCKETS, DROPPED, METRICS

OTHER: Final = "other"
"""The value of labels past the limit."""

Labels = tuple[str, ...]
Values = tuple[float, ...]


@define(eq=False, repr=False)
class Series:
    """The series of all metrics by name and labels; *limit* is the most label sets of a metric.

    A counter or gauge has one value, a histogram the counts of its buckets, of all, and the sum of
    seconds. `changed` has the series that are to be stored. Another thread may read the values:
    they are replaced, never changed in place.
    """

    limit: int
    values: dict[str, dict[Labels, Values]] = field(
        factory=lambda: {name: {} for name in METRICS}, init=False
    )
    changed: set[tuple[str, Labels]] = field(factory=set, init=False)

    def count(self, name: str, labels: Labels = ()) -> None:
        """Add one to a counter."""
        labels = self._admitted(name, labels)
        (value,) = self.values[name].get(labels, (0.0,))
        self._replace(name, labels, (value + 1,))

    def observe(self, name: str, labels: Labels, seconds: float) -> None:
        """Add *seconds* to a histogram."""
        labels = self._admitted(name, labels)
        *counts, total, sum_of_all = self.values[name].get(labels, (0.0,) * (len(BUCKETS) + 2))
        raised = [count + (seconds <= bound) for count, bound in zip(counts, BUCKETS, strict=True)]
        self._replace(name, labels, (*raised, total + 1, sum_of_all + seconds))

    def set(self, name: str, labels: Labels, value: float) -> None:
        """Set a gauge, unless its label set is past the limit: it would overwrite another."""
        if self._admitted(name, labels) == labels:
            self._replace(name, labels, (value,))

    def restore(self, name: str, labels: Labels, values: Values) -> None:
        """Take one stored series."""
        self.values[name][labels] = values

    def _replace(self, name: str, labels: Labels, values: Values) -> None:
        self.values[name][labels] = values
        self.changed.add((name, labels))

    def _admitted(self, name: str, labels: Labels) -> Labels:
        """Return *labels*, or those to count under if they are new and past the limit."""
        known = self.values[name]
        if not labels or labels in known or len(known) < self.limit:
            return labels
        self.count(DROPPED)
        unbounded = METRICS[name].unbounded
        return (*(OTHER,) * unbounded, *labels[unbounded:])


def count_by_status(rows: Iterable[tuple[str, str]], limit: int) -> dict[Labels, int]:
    """Return the number of equal *rows* of project and status, in about *limit* label sets."""
    counts: dict[Labels, int] = {}
    for project, status in rows:
        labels = (project, status)
        if labels not in counts and len(counts) >= limit:
            labels = (OTHER, status)
        counts[labels] = counts.get(labels, 0) + 1
    return counts
