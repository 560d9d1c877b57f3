"""Rows of a page on their way to models."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from gitlab_jobs_async.api.endpoints import PER_PAGE
from gitlab_jobs_async.api.responses import Response
from gitlab_jobs_async.errors import DecodeError


class UndecodedRow(Protocol):
    """A row of a page, of which only the id is known."""

    @property
    def id(self) -> int:
        """The id of the row."""


Select = Callable[[Sequence[Any]], Sequence[Any]]
"""Return those of the `UndecodedRow`s of a page that are to be decoded."""

Report = Callable[[str], None]
"""Report the ignored values of a response, at most once for each response."""


def check_length(rows: Sequence[object], response: Response) -> None:
    """Check that a page is not longer than any requested one.

    Raises:
        DecodeError: it is longer.
    """
    if len(rows) > PER_PAGE:
        reason = f"expected at most {PER_PAGE} rows, got {len(rows)} @ $"
        raise DecodeError(reason, response.method, response.url)
