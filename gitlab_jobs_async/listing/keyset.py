"""Read a listing by keyset pagination, concurrently in id ranges, with offsets as the fallback.

`range_plan.py` draws how ranges are split and read. Here a response is checked and classified.

A server before GitLab 15.9 has no keyset for jobs, and a gateway may drop the headers that name the
next page: then the listing continues by offset. A server with keyset refuses large offsets with
405: then it continues by keyset, from what is unread.
"""

from array import array
from collections.abc import Sequence
from typing import Generic

from attrs import define, field

from gitlab_jobs_async.api.capabilities import NextPageHeaders
from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.api.responses import Response
from gitlab_jobs_async.api.urls import ServerUrl
from gitlab_jobs_async.errors import (
    DecodeError,
    GitLabError,
    MethodNotAllowedError,
    ServerError,
)
from gitlab_jobs_async.listing.cursors import (
    Direction,
    PendingRequest,
    SyntheticCursors,
)
from gitlab_jobs_async.listing.id_ranges import ID_LIMIT, UnreadIds
from gitlab_jobs_async.listing.offset import OffsetStrategy, without_keyset
from gitlab_jobs_async.listing.page_checks import (
    is_expected_page,
    is_offset_page,
    may_have_next,
    next_by_keyset,
)
from gitlab_jobs_async.listing.range_plan import RangePlan
from gitlab_jobs_async.listing.strategy import PageRequest, ProgressGuard, R, not_advancing


@define(eq=False, repr=False)
class KeysetStrategy(Generic[R]):
    """A project's jobs by keyset; *first* requests the newest page.

    With a *window* of 1 the rows come newest first. `refusal` is a refused large offset.
    """

    server: ServerUrl
    first: Request
    window: int
    headers: NextPageHeaders = field(factory=NextPageHeaders)
    unread: UnreadIds = field(factory=UnreadIds)
    refusal: MethodNotAllowedError | None = None
    _offset: OffsetStrategy[R] | None = None
    _cursors: SyntheticCursors = field(init=False)
    _plan: RangePlan = field(init=False)
    _guard: ProgressGuard = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._start()

    def _start(self) -> None:
        """Make a new plan for the unread ids; pages of an earlier plan are ignored."""
        self._cursors = SyntheticCursors(Direction.DOWN if self.window == 1 else Direction.UP)
        self._plan = RangePlan(self.first, self.window, self.unread, self._cursors)
        self._guard = ProgressGuard()

    @property
    def is_complete(self) -> bool:
        """See `PageStrategy.is_complete`."""
        return not self.unread.gaps if self._offset is None else self._offset.is_complete

    def next_requests(self, limit: int, guesses: int, /) -> list[PageRequest]:
        """See `PageStrategy.next_requests`."""
        return (self._offset or self._plan).next_requests(limit, guesses)

    def on_page(self, request: PageRequest, response: Response, rows: Sequence[R]) -> Sequence[R]:
        """See `PageStrategy.on_page`; a response without keyset starts the fallback."""
        if self._offset is not None:
            return self._offset.on_page(request, response, rows)
        pending = self._plan.pop(request)
        if pending is None:
            return ()
        self.headers.learn(response)
        if self.is_complete:
            return ()
        # The server's own links must lead to a page; a synthetic cursor may be misread.
        if pending.direction is Direction.LINK:
            return self._on_linked_page(request.request, pending, response, rows)
        return self._on_synthetic_page(request.request, pending, response, rows)

    def on_error(self, request: PageRequest, error: GitLabError) -> None:
        """See `PageStrategy.on_error`; a refused synthetic cursor is the last one made."""
        offset = self._offset
        if offset is None:
            self._on_keyset_error(request, error)
        elif (
            isinstance(error, MethodNotAllowedError)
            and self.refusal is None
            and offset.is_later_page(request)
        ):
            # Only once: with an ambiguous end, the two kinds could alternate forever.
            self.refusal, self._offset = error, None
        else:
            offset.on_error(request, error)

    def _on_keyset_error(self, request: PageRequest, error: GitLabError) -> None:
        pending = self._plan.pop(request)
        if pending is None or self.is_complete:
            return
        if pending.direction is not Direction.LINK:
            self._cursors.on_refused(pending.direction)
            self._plan.is_link_doubted = pending.direction is not Direction.LAST
        elif isinstance(error, ServerError) and error.status in request.final:
            self._plan.doubt_link(pending.edge)
        elif (
            pending.start == ID_LIMIT
            and isinstance(error, MethodNotAllowedError)
            and self.refusal is None
        ):
            self._use_offsets()
        else:
            raise self.refusal or error

    def _on_synthetic_page(
        self, sent: Request, pending: PendingRequest, response: Response, rows: Sequence[R]
    ) -> Sequence[R]:
        direction, start = pending.direction, pending.start
        is_accepted = self._cursors.is_accepted(direction)
        try:
            following = next_by_keyset(self.server, sent, response, rows)
            is_expected = is_expected_page(
                pending, following, rows, self.unread, is_accepted=is_accepted
            )
        except DecodeError:
            is_expected = False
        if not is_expected:
            self._cursors.on_unexpected(direction)
            return ()
        if (
            direction is Direction.UP
            and not is_accepted
            and self.unread.end_above(start) == ID_LIMIT
        ):
            # The server's links have read these rows by now, so the page proves nothing.
            return ()
        self._cursors.on_accepted(direction)
        if direction is Direction.LAST:
            return self._on_last_page(rows)
        if direction is Direction.DOWN:
            return self._record(start - 1, rows[-1].id, following, rows)
        return self._record(rows[0].id, start + 1, following, rows)

    def _on_linked_page(
        self, sent: Request, pending: PendingRequest, response: Response, rows: Sequence[R]
    ) -> Sequence[R]:
        start = pending.start
        # Only a first page may lack keyset: later, rows could slip through the change unseen.
        if start == ID_LIMIT and is_offset_page(self.server, sent, response):
            return self._reread_by_offset(response, rows)
        following = next_by_keyset(self.server, sent, response, rows)
        if rows and rows[0].id >= start:
            raise not_advancing(response, "rows are not below their cursor")
        if following is not None and not rows:
            # An empty page that names a next one proves nothing about any id.
            if following.params == sent.params:
                raise not_advancing(response)
            self._guard.stall(response)
            self._plan.add_link(pending.edge, following, start)
            return ()
        size = None if start == ID_LIMIT else self._plan.page_size
        if following is None and may_have_next(response, rows, size, self.headers):
            return self._on_unnamed_next(start, response, rows)
        self._plan.is_second_page_read = self._plan.is_second_page_read or start != ID_LIMIT
        return self._record(start - 1, 1 if following is None else rows[-1].id, following, rows)

    def _on_unnamed_next(self, start: int, response: Response, rows: Sequence[R]) -> Sequence[R]:
        """Continue after a full page without a next one: the last, or its headers were lost."""
        if start == ID_LIMIT:
            if not self.headers.are_reliable:
                return self._reread_by_offset(response, rows, is_silent=True)
            return self._record(ID_LIMIT - 1, 1, None, rows)
        new = self._record(start - 1, rows[-1].id, None, rows)
        gap = next((gap for gap in self.unread.gaps if gap.above == rows[-1].id), None)
        if gap is None:
            return new
        if self._plan.is_known_below(gap):
            self.headers.learn_dropped()
            can_go_on = self._cursors.direction is not None
        else:
            can_go_on = self._cursors.can_request_last
        if not can_go_on:
            self._use_offsets(is_silent=True)
        return new

    def _on_last_page(self, rows: Sequence[R]) -> Sequence[R]:
        """Close the end of the listing by its last page, which may be empty."""
        plan = self._plan
        was_doubted, plan.is_link_doubted = plan.is_link_doubted, False
        gap = self.unread.gaps[0]
        is_silent = not plan.has_link(gap.above)
        if not rows:
            if was_doubted or is_silent:
                # No row matches any more, so none that matched during the whole call is unread.
                self.unread.remove(ID_LIMIT - 1, 1)
            return ()
        plan.lowest_id = rows[-1].id
        if is_silent and plan.lowest_id < gap.above:
            self.headers.learn_dropped()
        if self.window == 1 and (gap.below or rows[0].id < gap.above - 1):
            # In order, these rows come later.
            return ()
        return self._record(rows[0].id, 1, None, rows)

    def _record(
        self, newest: int, oldest: int, following: Request | None, rows: Sequence[R]
    ) -> Sequence[R]:
        self._guard.advance()
        return self._plan.record(newest, oldest, following, rows)

    def _reread_by_offset(
        self, response: Response, rows: Sequence[R], *, is_silent: bool = False
    ) -> Sequence[R]:
        """Switch to offsets, and use *response* as the first offset page."""
        if self.refusal is not None:
            raise self.refusal
        offset = self._use_offsets(is_silent=is_silent)
        return offset.on_page(offset.next_requests(1, 0)[0], response, rows)

    def _use_offsets(self, *, is_silent: bool = False) -> OffsetStrategy[R]:
        self._offset = OffsetStrategy(
            self.server,
            without_keyset(self.first),
            in_order=self.window == 1,
            unread=self.unread,
            headers=self.headers,
            is_silent=is_silent,
            emitted=array("q", sorted(self._plan.emitted)),
        )
        self._start()
        return self._offset
