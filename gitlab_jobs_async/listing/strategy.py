"""What every way of reading a listing has in common: it says what to ask and takes the answers.

A walk never waits. Whoever drives it asks what it wants asked, in any order and number, and hands
each answer or failure back; the walk that comes back is the one to go on with.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol, TypeVar

from attrs import frozen

from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.api.responses import Response
from gitlab_jobs_async.errors import GitLabError


class Row(Protocol):
    """Anything with one of GitLab's ids."""

    @property
    def id(self) -> int:
        """Unique on the server."""


R = TypeVar("R", bound=Row)


@frozen
class PageRequest:
    """One page to ask for; `place` is where it stands, for the walk that asks.

    An answer whose status is in `final` is not asked for again: the walk says how to go on.
    """

    wanted: Request
    place: int
    final: frozenset[int] = frozenset()


class PageStrategy(Protocol[R]):
    """One listing being read; complete when it has nothing left to ask and nothing is asked."""

    @property
    def is_complete(self) -> bool:
        """Whether all has been read, so that answers still under way can be left."""

    def asks(self, free: int, guesses: int, /) -> list[PageRequest]:
        """At most *free* pages to ask for now, side by side.

        At most *guesses* of them may turn out to have been read already.
        """

    def take(
        self, ask: PageRequest, response: Response, rows: Sequence[R]
    ) -> tuple["PageStrategy[R]", Sequence[R]]:
        """The walk to go on with, and those of *rows* that it had not told before.

        Raises:
            DecodeError: the answer is no page of this listing.
            ListingChangedError: it changes faster than it can be read.
        """

    def refused(self, ask: PageRequest, error: GitLabError) -> "PageStrategy[R]":
        """The walk to go on with although *ask* failed.

        Raises:
            GitLabError: *error* itself, where nothing leads around it.
        """


def is_newest_first(rows: Sequence[Row]) -> bool:
    """Whether the ids fall from row to row, as GitLab promises of jobs."""
    return all(before.id > after.id for before, after in pairwise(rows))
