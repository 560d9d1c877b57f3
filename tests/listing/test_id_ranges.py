"""Which ids have been read: exactly those that were said to be, however they were put together."""

from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.listing.id_ranges import TOP, Gap, IdRangeSet
from tests.support.listing_model import Row

SPAN = 40


@given(st.lists(st.tuples(st.integers(1, SPAN), st.integers(1, SPAN)), max_size=12))
def test_what_is_no_gap_has_been_read(added):
    coverage, read = IdRangeSet(), set()
    for one, other in added:
        coverage.add(max(one, other), min(one, other))
        read |= set(range(min(one, other), max(one, other) + 1))
    gaps = list(coverage.gaps())
    unread = {n for gap in gaps for n in range(gap.below + 1, min(gap.above, SPAN + 1))}
    assert unread == set(range(1, SPAN + 1)) - read
    assert [gap.above for gap in gaps] == sorted((gap.above for gap in gaps), reverse=True)
    rows = [Row(n) for n in range(SPAN, 0, -1)]
    assert {row.id for row in coverage.unread(rows)} == unread
    assert coverage.unread(rows[5:9]) == [row for row in rows[5:9] if row.id in unread]


def test_at_first_all_is_unread_and_at_last_nothing():
    coverage = IdRangeSet()
    assert list(coverage.gaps()) == [Gap(TOP, 0)]
    assert coverage.unread([]) == []
    coverage.add(TOP - 1, 7)
    assert list(coverage.gaps()) == [Gap(7, 0)]
    coverage.add(6, 1)
    assert list(coverage.gaps()) == []
