"""Connections: pages of rows by keyset cursors, newest first.

Follows lib/gitlab/graphql/pagination/keyset/connection.rb.
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from typing import Final, Generic, Protocol, TypeVar

import orjson
from attrs import frozen

from gitlab_jobs_async.simulator.api.graphql.context import ArgumentError

LARGEST_PAGE: Final = 100


class Row(Protocol):
    """A row with an id, by which a connection is ordered."""

    id: int


RowT = TypeVar("RowT", bound=Row)


@frozen
class Connection(Generic[RowT]):
    """One page; `count` is the number of rows on all pages."""

    nodes: Sequence[RowT]
    count: int
    has_next_page: bool
    has_previous_page: bool


def page_size(arguments: Mapping[str, object]) -> int:
    """Return the largest number of rows that a page with these arguments may have."""
    asked = (arguments.get("first"), arguments.get("last"))
    sizes = [max(0, size) for size in asked if isinstance(size, int)]
    return min([*sizes, LARGEST_PAGE])


def page_of(rows: Sequence[RowT], arguments: Mapping[str, object]) -> Connection[RowT]:
    """Return the page of *rows*, which are ordered by descending id.

    Raises:
        ArgumentError: `first` comes with `last`, or a cursor is invalid.
    """
    first, last = arguments.get("first"), arguments.get("last")
    if first is not None and last is not None:
        raise ArgumentError("Can only provide either `first` or `last`, not both")
    after, before = _decoded(arguments.get("after")), _decoded(arguments.get("before"))
    size = page_size(arguments)
    sliced = [
        row
        for row in rows
        if (after is None or row.id < after) and (before is None or row.id > before)
    ]
    found = sliced[-size:] if last is not None and size else sliced[:size]
    beyond = len(sliced) > size
    return Connection(
        found,
        len(rows),
        # GitLab claims a page on the other side of every cursor without counting.
        has_next_page=before is not None or (last is None and beyond),
        has_previous_page=after is not None or (last is not None and beyond),
    )


def cursor_of(row: Row) -> str:
    """Return the cursor of a row."""
    return urlsafe_b64encode(orjson.dumps({"id": str(row.id)})).rstrip(b"=").decode()


def _decoded(cursor: object) -> int | None:
    if not isinstance(cursor, str) or not cursor:
        return None
    try:
        padded = cursor.encode() + b"=" * (-len(cursor) % 4)
        return int(orjson.loads(urlsafe_b64decode(padded))["id"])
    except (binascii.Error, ValueError, KeyError, TypeError):
        raise ArgumentError("Please provide a valid cursor") from None
