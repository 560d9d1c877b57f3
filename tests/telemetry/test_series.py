"""Series of metrics: bounded, and never changed in place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.telemetry.definitions import BUCKETS, DROPPED, METRICS
from gitlab_jobs_async.telemetry.series import OTHER, Series, count_by_status


def values_of(name, first):
    return (first, *["x"] * (len(METRICS[name].labels) - 1))


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if metric.labels])
def test_metric_has_a_bounded_number_of_series(name):
    kind, series = METRICS[name].kind, Series(2)
    for number in range(5):
        labels = values_of(name, f"group/app{number}")
        if kind == "counter":
            series.count(name, labels)
        elif kind == "gauge":
            series.set(name, labels, number)
        else:
            series.observe(name, labels, number)
    found = list(series.values[name])
    assert series.values[DROPPED][()] == (3,)
    # The last value of a gauge under "other" would say nothing.
    assert [labels[0] for labels in found[2:]] == ([] if kind == "gauge" else [OTHER])
    unbounded = METRICS[name].unbounded
    assert all(set(labels[unbounded:]) <= {"x"} for labels in found)


def test_known_series_grow_past_the_limit():
    series = Series(1)
    series.count("jobs_finished_by_tag", ("linux", "success"))
    series.count("jobs_finished_by_tag", ("linux", "success"))
    assert series.values["jobs_finished_by_tag"] == {("linux", "success"): (2,)}
    assert not series.values[DROPPED]
    assert series.changed == {("jobs_finished_by_tag", ("linux", "success"))}


@given(st.lists(st.floats(0, 10_000), min_size=1, max_size=20))
def test_histogram_counts_values_in_buckets(values):
    series, before = Series(5), []
    for seconds in values:
        series.observe("event_delay_seconds", (), seconds)
        before.append(series.values["event_delay_seconds"][()])
    *counts, total, seconds = before[-1]
    assert counts == [sum(value <= bound for value in values) for bound in BUCKETS]
    assert total == len(values)
    assert seconds == pytest.approx(sum(values))
    # A scrape in another thread may still read the earlier ones.
    assert [row[-2] for row in before] == list(range(1, len(values) + 1))


def test_open_rows_are_bounded_by_status():
    rows = [(f"group/app{number}", "running") for number in range(9)] + [("group/app0", "running")]
    counts = count_by_status(rows, 3)
    assert counts["group/app0", "running"] == 2
    assert counts[OTHER, "running"] == 6
    assert sum(counts.values()) == len(rows)
