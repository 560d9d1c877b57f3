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
