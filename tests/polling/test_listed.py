"""Rows of the last listing of a project: whose poll they answer, and for how long."""

import pytest
from attrs import frozen

from gitlab_jobs_async.polling.listed import ListedRows


@frozen
class Row:
    id: int
    status: str = "running"
    project_id: int | None = None


def test_two_ids_share_a_listing():
    rows = ListedRows()
    rows.add(7)
    rows.add(7)
    assert not rows.is_shared
    rows.add(9)
    assert rows.is_shared
    assert rows.lowest == 7
    rows.remove(7)
    assert rows.is_shared
    rows.remove(7)
    assert not rows.is_shared
    assert rows.lowest == 9


@pytest.mark.parametrize(
    ("now", "fresh"), [(99.9, False), (100, True), (104.9, True), (105, False)]
)
def test_listing_is_fresh_for_an_interval(now, fresh):
    rows = ListedRows()
    assert not rows.is_fresh(now, 5)
    rows.update([Row(1)], 100)
    assert rows.is_fresh(now, 5) == fresh


def test_newer_listing_replaces_rows():
    rows = ListedRows()
    rows.update([Row(1), Row(2)], 0)
    rows.update([Row(2), Row(3)], 5)
    assert rows.shown(1) is None
    assert rows.shown(3) == Row(3)


@pytest.mark.parametrize(("ids", "pages"), [(2, 1), (9, 1), (10, 2), (89, 9), (90, 10), (1000, 10)])
def test_listing_costs_less_than_single_requests(ids, pages):
    rows = ListedRows()
    for number in range(ids):
        rows.add(number)
    assert rows.max_pages == pages < ids


def test_missing_id_is_listed_again_later():
    rows = ListedRows()
    for number in (1, 2):
        rows.add(number)
    assert not rows.is_missing(1, 100)
    rows.update([Row(2)], 100)
    assert [rows.is_missing(number, 159.9) for number in (1, 2, 3)] == [True, False, False]
    assert not rows.is_missing(1, 160)
    rows.update([Row(1), Row(2)], 105)
    assert not rows.is_missing(1, 106)


def test_id_that_left_is_no_longer_missing():
    rows = ListedRows()
    rows.add(1)
    rows.update([], 100)
    rows.remove(1)
    rows.add(1)
    assert not rows.is_missing(1, 101)
