"""When the next upload is due, as far as looks have shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.logs.upload_interval import UploadIntervalEstimator


def learn(rhythm, looks):
    """Looks as pairs of a time and whether it found something."""
    for at, grew in looks:
        rhythm.hit(at) if grew else rhythm.miss(at)
    return rhythm


def test_it_begins_with_the_intervals_that_servers_ask_for():
    rhythm = learn(UploadIntervalEstimator(3.0), [(0.0, True)])
    asked, now = [], 0.0
    for _ in range(4):
        now = rhythm.next_poll(now)
        asked.append(now)
        rhythm.miss(now)
    assert asked == pytest.approx([3.19, 21.25, 63.75, 127.5], abs=0.01)


@pytest.mark.parametrize(
    ("looks", "least", "most"),
    [
        ([(0, True), (3.2, True)], 3.2, 6.3),
        ([(0, True), (3.2, False), (21, False), (63.8, True)], 90, 127),
        ([(0, True), (59, False), (61, True)], 119, 123),
        ([(0, True), (9, False), (10, True), (19, False), (20, True)], 28, 31),
    ],
)
def test_the_next_poll_comes_when_an_upload_is_due(looks, least, most):
    assert least <= learn(UploadIntervalEstimator(3.0), looks).next_poll(looks[-1][0]) <= most


def test_an_upload_that_stays_away_is_overdue():
    rhythm = learn(UploadIntervalEstimator(3.0), [(0, True), (59, False), (61, True)])
    assert not rhythm.is_overdue(100)
    assert rhythm.is_overdue(125)
    assert UploadIntervalEstimator(3.0).is_overdue(0)


def test_half_a_period_early_it_looks_whether_uploads_are_more_frequent():
    rhythm = learn(UploadIntervalEstimator(3.0), [(0, True), (59, False), (61, True), (121, True)])
    assert 140 < rhythm.next_poll(121) < 160
    rhythm.hit(151)
    assert rhythm.next_poll(151) - 151 < 40


@given(st.lists(st.tuples(st.floats(0.01, 500.0), st.booleans()), max_size=80))
def test_whatever_was_seen_there_is_a_next_poll(steps):
    rhythm, now = UploadIntervalEstimator(3.0), 0.0
    for wait, grew in steps:
        now += wait
        learn(rhythm, [(now, grew)])
        assert rhythm.next_poll(now) < now + 6000.0
        assert rhythm._period is None or rhythm._period > 0
        assert rhythm._earliest <= rhythm._latest


@pytest.mark.parametrize("period", [30.0, 60.0])
def test_probes_for_a_faster_runner_get_rarer(period):
    rhythm, now, seen, missed = UploadIntervalEstimator(3.0), 0.0, 0, 0
    rhythm.hit(now)
    while seen < 200:
        now = rhythm.next_poll(now)
        if now // period > seen:
            seen = int(now // period)
            rhythm.hit(now)
        else:
            missed += 1
            rhythm.miss(now)
    assert missed < 100  # 140 if each second look that found something were followed by a probe
