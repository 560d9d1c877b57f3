"""Charts: the same data gives the same file."""

import pytest

from benchmarks.results import Chart

pytest.importorskip("matplotlib", reason="the group `bench` has it")

from benchmarks.plotting import draw

CHART = Chart("growth", "Growth", "jobs", "µs", {"a": [(1, 2.0), (10, 3.0)], "b": [(1, 1.0)]}, True)


def test_chart_is_the_same_file_again(tmp_path):
    draw(CHART, tmp_path / "1.svg")
    draw(CHART, tmp_path / "2.svg")
    first = (tmp_path / "1.svg").read_bytes()
    assert first == (tmp_path / "2.svg").read_bytes()
    assert b"<svg" in first
    assert b"Growth" in first
    assert b"dc:date" not in first
