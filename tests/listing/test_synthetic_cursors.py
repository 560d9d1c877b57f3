"""Cursors that are made up: none before the server's own, few before one is taken."""

import pytest

from gitlab_jobs_async.api.links import with_params
from gitlab_jobs_async.listing.id_ranges import TOP, Gap
from gitlab_jobs_async.listing.synthetic_cursors import (
    Direction,
    PendingRequest,
    SyntheticCursors,
    unwalked,
)
from tests.support.listing_model import JOBS, cursor

TRIAL = PendingRequest(Direction.UP, 50, 50)


def made():
    cursors = SyntheticCursors()
    cursors.learn(with_params(JOBS, cursor=cursor(100)), 100)
    return cursors


def test_no_cursor_is_made_before_one_was_seen():
    cursors = SyntheticCursors()
    assert cursors.way(()) is None
    assert not cursors.can_ask_last
    with pytest.raises(RuntimeError, match="before the server has sent one"):
        cursors.page(Direction.UP, 5)


def test_two_cursors_are_tried_before_one_is_taken():
    cursors = made()
    assert cursors.way([TRIAL]) is Direction.UP
    assert cursors.way([TRIAL, TRIAL]) is None
    cursors.taken(Direction.UP)
    assert cursors.way([TRIAL] * 15) is Direction.UP
    assert cursors.is_taking(Direction.UP)
    assert not cursors.is_taking(Direction.DOWN)


def test_a_misread_direction_gives_way_to_the_other():
    cursors = made()
    cursors.misread(Direction.UP)
    assert cursors.direction is Direction.UP
    cursors.misread(Direction.UP)
    assert cursors.direction is Direction.DOWN
    cursors.misread(Direction.UP)
    assert cursors.direction is Direction.DOWN
    cursors.misread(Direction.DOWN)
    assert cursors.direction is None


@pytest.mark.parametrize("way", [Direction.UP, Direction.DOWN, Direction.LAST])
def test_a_refusal_ends_all_made_cursors(way):
    cursors = made()
    cursors.refused(way)
    assert cursors.way(()) is None
    assert cursors.can_ask_last == (way is not Direction.LAST)


def test_a_form_that_changes_ends_all_made_cursors():
    cursors = made()
    cursors.learn(with_params(JOBS, cursor="opaque"), 99)
    assert cursors.way(()) is None
    cursors.learn(with_params(JOBS, cursor=cursor(98)), 98)
    assert not cursors.can_ask_last


@pytest.mark.parametrize("ids", [(187, 93, 8), (93, 187, 8), (8, 93, 187)])
def test_cursors_without_padding_are_one_form(ids):
    # Of three lengths in a row, one needs no padding: it does not say whether others have it.
    cursors = SyntheticCursors()
    for number in ids:
        cursors.learn(with_params(JOBS, cursor=cursor(number).rstrip("=")), number)
    assert cursors.can_ask_last
    asked = [dict(cursors.page(Direction.UP, number).params)["cursor"] for number in ids]
    assert not any(one.endswith("=") for one in asked)


@pytest.mark.parametrize(
    ("asked", "left"),
    [
        ([], [300, 100]),
        ([PendingRequest(Direction.LINK, 300, 300)], [100]),
        ([PendingRequest(Direction.DOWN, 400, 400)], [100]),
        ([PendingRequest(Direction.UP, 200, 200)], [100]),
        ([PendingRequest(Direction.UP, 99, 99)], [100]),
        ([PendingRequest(Direction.UP, 98, 98)], [300, 100]),
        ([PendingRequest(Direction.DOWN, 250, 250)], [300, 100]),
        ([PendingRequest(Direction.DOWN, 150, 150)], [300]),
        ([PendingRequest(Direction.LAST, 0, TOP)], [300, 100]),
    ],
)
def test_a_range_is_walked_from_either_end(asked, left):
    """300 to 200 and below 100 are unread."""
    gaps = [Gap(300, 200), Gap(100, 20)]
    assert [gap.above for gap in unwalked(gaps, asked)] == left
