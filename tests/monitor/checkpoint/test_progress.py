"""Progress is written in few rows, each of them in turn."""

import math
from math import inf

import pytest

from gitlab_jobs_async.monitor.checkpoint.progress import (
    PROGRESS,
    WRITES_PER_SECOND,
    Progress,
    ProgressRows,
)
from gitlab_jobs_async.monitor.schedule.timer import PollTimer


def current(name):
    return Progress(float(len(name)), 3.0)


def taken(rows, now=0.0):
    name, row = rows.pop_dirty(now, current)
    return name, set(row.targets)


def test_hundred_targets_share_a_row():
    rows = ProgressRows()
    for number in range(201):
        rows.mark_dirty(f"t{number}")
    found = [taken(rows) for _ in range(3)]
    assert [name for name, _ in found] == [f"{PROGRESS}{number}" for number in range(3)]
    assert [len(targets) for _, targets in found] == [100, 100, 1]
    assert rows.next_write_at() == inf
    assert rows.pop_dirty(0.0, current) is None


def test_rows_are_written_in_turn_and_spaced():
    rows = ProgressRows()
    for number in range(300):
        rows.mark_dirty(f"t{number}")
    names = []
    for turn in range(6):
        names.append(taken(rows, float(turn))[0])
        assert rows.next_write_at() in {inf, turn + 1 / WRITES_PER_SECOND}
        rows.mark_dirty("t0")
        rows.mark_dirty("t150")
        rows.mark_dirty("t299")
    assert names == [f"{PROGRESS}{number % 3}" for number in range(6)]


def test_restored_progress_is_kept_without_a_poll():
    rows = ProgressRows()
    rows.restore(f"{PROGRESS}7", b'{"targets":{"a":{"looked_at":1.0,"interval":2.0}}}')
    assert rows.restored("a") == Progress(1.0, 2.0)
    rows.mark_dirty("a")
    name, row = rows.pop_dirty(0.0, lambda _: None)
    assert (name, row.targets) == (f"{PROGRESS}7", {"a": Progress(1.0, 2.0)})


def test_forgotten_target_frees_its_place():
    rows = ProgressRows()
    for number in range(150):
        rows.mark_dirty(f"t{number}")
    rows.forget("t3")
    rows.forget("never was")
    rows.mark_dirty("new")
    assert "new" in taken(rows)[1]
    assert "t3" not in rows.pop_dirty(0.0, current)[1].targets


@pytest.mark.parametrize("data", [b"{", b"{}", b'{"targets":{"a":{}}}', b'{"targets":[]}'])
def test_invalid_row_is_refused(data):
    with pytest.raises(ValueError, match=r"."):
        ProgressRows().restore(f"{PROGRESS}0", data)


@pytest.mark.parametrize(
    ("progress", "next_at"),
    [
        (Progress(900.0, 60.0), 960.0),
        (Progress(990.0, 60.0), 1050.0),
        (Progress(5000.0, 60.0), 1060.0),
        (Progress(900.0, 1e9), 900.0),
        (Progress(900.0, math.nan), 900.0),
        (Progress(math.inf, 60.0), 60.0),
        (Progress(math.nan, math.inf), 0.0),
        (Progress(900.0, -1.0), 900.0),
    ],
)
def test_restored_timer_bounds_odd_progress(progress, next_at):
    assert PollTimer.restored(progress, 1000.0).next_at == next_at


def test_restored_timer_equals_the_old_one():
    timer = PollTimer(1060.0, 1000.0, 500.0)
    assert PollTimer.restored(timer.progress(2), 1010.0) == timer
    assert timer.progress(2).failures == 2
    assert PollTimer.restored(None, 1010.0) == PollTimer()
