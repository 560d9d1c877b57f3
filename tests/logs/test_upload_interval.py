"""Estimate of the next upload, from the polls so far."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.logs.upload_interval import UploadIntervalEstimator


def learn(estimator, polls):
    """Record polls, pairs of a time and whether it found new bytes."""
    for at, grew in polls:
        estimator.hit(at) if grew else estimator.miss(at)
    return estimator


def test_first_polls_match_usual_intervals():
    estimator = learn(UploadIntervalEstimator(3.0), [(0.0, True)])
    asked, now = [], 0.0
    for _ in range(4):
        now = estimator.next_poll(now)
        asked.append(now)
        estimator.miss(now)
    assert asked == pytest.approx([3.19, 21.25, 63.75, 127.5], abs=0.01)


@pytest.mark.parametrize(
    ("polls", "least", "most"),
    [
        ([(0, True), (3.2, True)], 3.2, 6.3),
        ([(0, True), (3.2, False), (21, False), (63.8, True)], 90, 127),
        ([(0, True), (59, False), (61, True)], 119, 123),
        ([(0, True), (9, False), (10, True), (19, False), (20, True)], 28, 31),
    ],
)
def test_next_poll_comes_when_an_upload_is_due(polls, least, most):
    assert least <= learn(UploadIntervalEstimator(3.0), polls).next_poll(polls[-1][0]) <= most


def test_learning_ends_with_period_or_misses():
    estimator = learn(UploadIntervalEstimator(3.0), [(0, True), (59, False)])
    assert estimator.is_learning
    assert not learn(estimator, [(61, True)]).is_learning
    quiet = learn(UploadIntervalEstimator(3.0), [(10.0 * n, False) for n in range(5)])
    assert quiet.is_learning
    assert not learn(quiet, [(60.0, False)]).is_learning


def test_probe_comes_half_a_period_early():
    estimator = learn(
        UploadIntervalEstimator(3.0), [(0, True), (59, False), (61, True), (121, True)]
    )
    assert 140 < estimator.next_poll(121) < 160
    estimator.hit(151)
    assert estimator.next_poll(151) - 151 < 40


@given(st.lists(st.tuples(st.floats(0.01, 500.0), st.booleans()), max_size=80))
def test_there_is_always_a_next_poll(steps):
    estimator, now = UploadIntervalEstimator(3.0), 0.0
    for wait, grew in steps:
        now += wait
        learn(estimator, [(now, grew)])
        assert estimator.next_poll(now) < now + 6000.0
        assert estimator._period is None or estimator._period > 0
        assert estimator._earliest <= estimator._latest


@pytest.mark.parametrize("period", [30.0, 60.0])
def test_probes_for_a_faster_runner_get_rarer(period):
    estimator, now, seen, missed = UploadIntervalEstimator(3.0), 0.0, 0, 0
    estimator.hit(now)
    while seen < 200:
        now = estimator.next_poll(now)
        if now // period > seen:
            seen = int(now // period)
            estimator.hit(now)
        else:
            missed += 1
            estimator.miss(now)
    assert missed < 100  # 140 if a probe followed each second hit
