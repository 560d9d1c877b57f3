"""The read ids are exactly those that were added, in whatever order."""

from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.listing.id_ranges import ID_LIMIT, Gap, IdRangeSet
from tests.support.listing_model import Row

SPAN = 40


@given(st.lists(st.tuples(st.integers(1, SPAN), st.integers(1, SPAN)), max_size=12))
def test_ids_outside_gaps_have_been_read(added):
    ranges, read = IdRangeSet(), set()
    for one, other in added:
        ranges.add(max(one, other), min(one, other))
        read |= set(range(min(one, other), max(one, other) + 1))
    gaps = list(ranges.gaps())
    unread = {n for gap in gaps for n in range(gap.below + 1, min(gap.above, SPAN + 1))}
    assert unread == set(range(1, SPAN + 1)) - read
    assert [gap.above for gap in gaps] == sorted((gap.above for gap in gaps), reverse=True)
    rows = [Row(n) for n in range(SPAN, 0, -1)]
    assert {row.id for row in ranges.unread(rows)} == unread
    assert ranges.unread(rows[5:9]) == [row for row in rows[5:9] if row.id in unread]


def test_gaps_shrink_until_none_is_left():
    ranges = IdRangeSet()
    assert list(ranges.gaps()) == [Gap(ID_LIMIT, 0)]
    assert ranges.unread([]) == []
    ranges.add(ID_LIMIT - 1, 7)
    assert list(ranges.gaps()) == [Gap(7, 0)]
    ranges.add(6, 1)
    assert list(ranges.gaps()) == []


def test_gap_of_one_id_is_a_gap():
    ranges = IdRangeSet()
    ranges.add(ID_LIMIT - 1, 7)
    ranges.add(5, 1)
    assert list(ranges.gaps()) == [Gap(7, 5)]
    ranges.add(6, 6)
    assert ranges.is_complete
