"""The unread ids are exactly those that were not removed, in whatever order."""

from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.listing.id_ranges import ID_LIMIT, Gap, UnreadIds
from tests.support.listing_model import Row

SPAN = 40


@given(st.lists(st.tuples(st.integers(1, SPAN), st.integers(1, SPAN)), max_size=12))
def test_ids_outside_gaps_have_been_read(removed):
    unread, read = UnreadIds(), set()
    for one, other in removed:
        unread.remove(max(one, other), min(one, other))
        read |= set(range(min(one, other), max(one, other) + 1))
    left = {n for gap in unread.gaps for n in range(gap.below + 1, min(gap.above, SPAN + 1))}
    assert left == set(range(1, SPAN + 1)) - read
    edges = [edge for gap in unread.gaps for edge in (gap.above, gap.below)]
    assert edges == sorted(edges, reverse=True)
    assert all(gap.above - gap.below > 1 for gap in unread.gaps)
    rows = [Row(n) for n in range(SPAN, 0, -1)]
    assert unread.among(rows) == [row for row in rows if row.id in left]
    assert unread.among(rows[5:9]) == [row for row in rows[5:9] if row.id in left]
    for start in range(SPAN):
        above = next((n for n in range(start + 1, SPAN + 1) if n not in left), ID_LIMIT)
        assert unread.end_above(start) == (above if start + 1 in left else ID_LIMIT)


def test_gaps_shrink_until_none_is_left():
    unread = UnreadIds()
    assert list(unread.gaps) == [Gap(ID_LIMIT, 0)]
    assert unread.among([]) == []
    unread.remove(ID_LIMIT - 1, 7)
    assert list(unread.gaps) == [Gap(7, 0)]
    unread.remove(6, 1)
    assert list(unread.gaps) == []


def test_gap_of_one_id_is_a_gap():
    unread = UnreadIds()
    unread.remove(ID_LIMIT - 1, 7)
    unread.remove(5, 1)
    assert list(unread.gaps) == [Gap(7, 5)]
    unread.remove(6, 6)
    assert not unread.gaps
