"""Synthetic cursors: none before the server's own, few before one is accepted."""

import pytest

from gitlab_jobs_async.api.links import with_params
from gitlab_jobs_async.listing.cursors import (
    Direction,
    PendingRequest,
    SyntheticCursors,
    idle_gaps,
)
from gitlab_jobs_async.listing.id_ranges import ID_LIMIT, Gap
from tests.support.listing_model import JOBS, cursor

TRIAL = PendingRequest(Direction.UP, 50, 50)


def made():
    cursors = SyntheticCursors()
    cursors.learn(with_params(JOBS, cursor=cursor(100)), 100)
    return cursors


def test_no_cursor_is_made_before_one_was_seen():
    cursors = SyntheticCursors()
    assert cursors.next_direction(()) is None
    assert not cursors.can_request_last
    with pytest.raises(RuntimeError, match="no synthetic cursor"):
        cursors.request(Direction.UP, 5)


def test_two_trials_until_a_cursor_is_accepted():
    cursors = made()
    assert cursors.next_direction([TRIAL]) is Direction.UP
    assert cursors.next_direction([TRIAL, TRIAL]) is None
    cursors.on_accepted(Direction.UP)
    assert cursors.next_direction([TRIAL] * 15) is Direction.UP
    assert cursors.is_accepted(Direction.UP)
    assert not cursors.is_accepted(Direction.DOWN)


def test_unexpected_pages_change_the_direction():
    cursors = made()
    cursors.on_unexpected(Direction.UP)
    assert cursors.direction is Direction.UP
    cursors.on_unexpected(Direction.UP)
    assert cursors.direction is Direction.DOWN
    cursors.on_unexpected(Direction.UP)
    assert cursors.direction is Direction.DOWN
    cursors.on_unexpected(Direction.DOWN)
    assert cursors.direction is None


@pytest.mark.parametrize("direction", [Direction.UP, Direction.DOWN, Direction.LAST])
def test_refusal_ends_synthetic_cursors(direction):
    cursors = made()
    cursors.on_refused(direction)
    assert cursors.next_direction(()) is None
    assert cursors.can_request_last == (direction is not Direction.LAST)


def test_changed_template_ends_synthetic_cursors():
    cursors = made()
    cursors.learn(with_params(JOBS, cursor="opaque"), 99)
    assert cursors.next_direction(()) is None
    cursors.learn(with_params(JOBS, cursor=cursor(98)), 98)
    assert not cursors.can_request_last


@pytest.mark.parametrize("ids", [(187, 93, 8), (93, 187, 8), (8, 93, 187)])
def test_cursors_without_padding_share_a_template(ids):
    # One length in three needs no padding and does not show whether others have it.
    cursors = SyntheticCursors()
    for number in ids:
        cursors.learn(with_params(JOBS, cursor=cursor(number).rstrip("=")), number)
    assert cursors.can_request_last
    sent = [dict(cursors.request(Direction.UP, number).params)["cursor"] for number in ids]
    assert not any(one.endswith("=") for one in sent)


@pytest.mark.parametrize(
    ("pending", "left"),
    [
        ([], [300, 100]),
        ([PendingRequest(Direction.LINK, 300, 300)], [100]),
        ([PendingRequest(Direction.DOWN, 400, 400)], [100]),
        ([PendingRequest(Direction.UP, 200, 200)], [100]),
        ([PendingRequest(Direction.UP, 99, 99)], [100]),
        ([PendingRequest(Direction.UP, 98, 98)], [300, 100]),
        ([PendingRequest(Direction.DOWN, 250, 250)], [300, 100]),
        ([PendingRequest(Direction.DOWN, 150, 150)], [300]),
        ([PendingRequest(Direction.LAST, 0, ID_LIMIT)], [300, 100]),
    ],
)
def test_idle_gaps_have_no_request_at_an_end(pending, left):
    """300 to 200 and below 100 are unread."""
    gaps = [Gap(300, 200), Gap(100, 20)]
    assert [gap.above for gap in idle_gaps(gaps, pending)] == left
