"""Track which ids of a listing are unread.

A page is one snapshot of rows in the order of their ids: it has every row between its first and its
last. So a row that matched during the whole call has been emitted once no id is unread. Neither the
order of the pages nor changes of other rows matter.
"""

from collections.abc import Sequence

from attrs import define, frozen

from gitlab_jobs_async.listing.strategy import R

ID_LIMIT = 2**63
"""Above every id: GitLab's are PostgreSQL's bigint."""


@frozen
class Gap:
    """The unread ids below `above` and above `below`; `below` is 0 if no older id was read."""

    above: int
    below: int


@define
class UnreadIds:
    """The ids that were not read yet, as disjoint gaps, newest first."""

    gaps: Sequence[Gap] = (Gap(ID_LIMIT, 0),)

    def remove(self, newest: int, oldest: int) -> None:
        """Mark the ids from *newest* down to *oldest* as read."""
        gaps: list[Gap] = []
        for gap in self.gaps:
            if newest <= gap.below or gap.above <= oldest:
                gaps.append(gap)
                continue
            if newest < gap.above - 1:
                gaps.append(Gap(gap.above, newest))
            if oldest > gap.below + 1:
                gaps.append(Gap(oldest, gap.below))
        self.gaps = gaps

    def end_above(self, start: int) -> int:
        """Return the upper end of the gap that has the id above *start*, else `ID_LIMIT`."""
        ends = (gap.above for gap in self.gaps if gap.below <= start < gap.above - 1)
        return next(ends, ID_LIMIT)

    def among(self, rows: Sequence[R]) -> list[R]:
        """Return the *rows* (newest first) whose ids are unread."""
        if not rows:
            return []
        newest, oldest = rows[0].id, rows[-1].id
        near = [gap for gap in self.gaps if gap.below < newest and oldest < gap.above]
        return [row for gap in near for row in rows if gap.below < row.id < gap.above]
