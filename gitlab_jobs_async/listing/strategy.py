"""The interface between a pagination strategy and the loop that fetches its pages.

A strategy is pure: it names the pages to request and consumes their responses or errors, in any
order. It owns its fallback: if a server does not support one kind of pagination, the same object
continues with another, and ignores the pages that were requested before.
"""

from collections.abc import Sequence
from operator import gt
from typing import Protocol, TypeVar

from attrs import define, frozen

from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.api.responses import Response
from gitlab_jobs_async.errors import DecodeError, GitLabError

# Some pages without new rows are normal, as rows move between requests.
_MAX_STALLED_PAGES = 20


class Row(Protocol):
    """Anything with one of GitLab's ids."""

    @property
    def id(self) -> int:
        """Unique on the server."""


R = TypeVar("R", bound=Row)


@frozen(eq=False)
class PageRequest:
    """A request for one page; its strategy recognizes it by identity.

    A status in `final` is not retried: the strategy decides how to continue.
    """

    request: Request
    final: frozenset[int] = frozenset()


class PageStrategy(Protocol[R]):
    """Pagination of one listing, from its first request to its last row."""

    @property
    def is_complete(self) -> bool:
        """Whether all rows were read, so that pending requests can be dropped."""

    def next_requests(self, limit: int, guesses: int, /) -> list[PageRequest]:
        """Return at most *limit* pages to request now, concurrently.

        At most *guesses* of them may return rows that were read already.
        """

    def on_page(self, request: PageRequest, response: Response, rows: Sequence[R]) -> Sequence[R]:
        """Consume a page and return its new *rows*, which were not returned before.

        Raises:
            DecodeError: the response is not a page of this listing.
            ListingChangedError: the listing changes faster than it can be read.
        """

    def on_error(self, request: PageRequest, error: GitLabError) -> None:
        """Continue without the page if possible.

        Raises:
            GitLabError: *error* ends the listing.
        """


@define(eq=False, repr=False)
class ProgressGuard:
    """Guard against endless pagination: fail after too many pages without a new row."""

    _stalled: int = 0

    def advance(self) -> None:
        """Record a page with new rows."""
        self._stalled = 0

    def stall(self, response: Response) -> None:
        """Record a page without new rows.

        Raises:
            DecodeError: there were too many in a row.
        """
        self._stalled += 1
        if self._stalled > _MAX_STALLED_PAGES:
            raise not_advancing(response)


def not_advancing(response: Response, detail: str = "") -> DecodeError:
    """Return the error for pagination that leads back to rows that were read already."""
    reason = "pagination does not advance" + (f": {detail}" if detail else "")
    return DecodeError(reason, response.method, response.url)


def is_newest_first(rows: Sequence[Row]) -> bool:
    """Return whether the ids fall from row to row."""
    # GitLab documents this order for jobs; proofs that a listing is complete rest on it.
    ids = [row.id for row in rows]
    return all(map(gt, ids, ids[1:]))
