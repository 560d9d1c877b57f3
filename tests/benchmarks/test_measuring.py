"""Measuring in turns, ratios, load, and growth."""

import gc
import multiprocessing
import os

import pytest

from benchmarks.measuring import Samples, apart, busy, interleaved, ratio, wall_ratio
from benchmarks.soaking import growth, server_of


def test_interleaved_runs_in_turns_after_warm_up():
    calls, times = [], iter(range(100))
    work = {name: lambda name=name: calls.append(name) for name in "ab"}
    samples = interleaved(
        work, 2, clock=lambda: next(times), before=calls.append, after=calls.append
    )
    assert calls == list("aaabbb") * 3
    assert samples["a"].cpu == [1, 1]
    assert len(samples["b"].wall) == 2


def test_interleaved_collects_with_all_frozen():
    frozen = []
    interleaved({"a": lambda: frozen.append(gc.get_freeze_count())}, 1)
    assert all(count > 1000 for count in frozen)
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_ratio_is_the_median_of_rounds():
    slow = Samples([4.0, 40.0, 6.0], [1.0, 1.0, 1.0])
    fast = Samples([2.0, 20.0, 2.0], [2.0, 4.0, 8.0])
    assert ratio(slow, fast) == 2.0
    assert wall_ratio(slow, fast) == 0.25


def test_spread_is_half_of_the_quartiles():
    assert Samples([1.0, 2.0, 3.0], []).spread == pytest.approx(0.25)
    assert Samples([1.0], []).spread == 0.0


def test_busy_ends_its_processes():
    with busy(2):
        assert len(multiprocessing.active_children()) == 2
    assert not multiprocessing.active_children()


def test_apart_runs_in_another_process():
    assert apart(os.getpid) != os.getpid()


def test_failed_server_ends_the_soak():
    with pytest.raises(EOFError), server_of("no plan", None):
        pass


@pytest.mark.parametrize(
    ("values", "grown"),
    [
        ([9.0, 9.0, 9.0] + [1.0] * 9, 0.0),
        ([1.0] * 9 + [2.0] * 3, 1.0),
        ([2.0] * 9 + [1.0] * 3, -0.5),
        ([1.0] * 11 + [9.0], 0.0),
    ],
)
def test_growth_compares_thirds_after_warm_up(values, grown):
    assert growth(values) == grown
