"""Steps of a store's transactions: pure generators that yield SQL and take its rows.

SQLite runs them in a thread, PostgreSQL in the loop. A parameter is written `?`; both dialects know
`ON CONFLICT` and `RETURNING`. Each transaction that must not meet another one begins with an UPDATE
of the row that it is about.
"""

from collections.abc import Generator, Sequence
from typing import Any, TypeVar

from attrs import frozen

from gitlab_jobs_async.store.checksums import ChecksumError, check_sum

T = TypeVar("T")

Rows = list[tuple[Any, ...]]


@frozen
class Step:
    """A statement with its parameters, or with many rows of them and no result."""

    sql: str
    parameters: Sequence[Any] = ()
    rows: Sequence[Sequence[Any]] | None = None


class NotOwnerError(Exception):
    """The lease of a write has another owner, or the store has been set back."""


@frozen
class Now:
    """Asks for the store's time in unix seconds, as the only value of the only row.

    Where *is_steady*, it is that of a clock which is never set, if the store has one. Only its
    differences count then; it begins anew with the machine.
    """

    is_steady: bool = False


Transaction = Generator[Step | Now, Rows, T]


def unix_now() -> Transaction[float]:
    """Return the store's time in unix seconds."""
    ((now,),) = yield Now()
    return float(now)


def steady_now() -> Transaction[float]:
    """Return the seconds of the store's steadiest clock."""
    ((now,),) = yield Now(is_steady=True)
    return float(now)


def many(sql: str, rows: Sequence[Sequence[Any]]) -> Transaction[None]:
    """Run a statement for each of *rows*."""
    if rows:
        yield Step(sql, rows=rows)


def count(name: str, by: int) -> Transaction[int]:
    """Raise a counter, and keep other transactions from it until the end of this one.

    Raises:
        ChecksumError: it was damaged.
    """
    rows = yield Step(
        "UPDATE counters SET value = value + ?, complement = complement - ? WHERE name = ?"
        " RETURNING value, complement",
        (by, by, name),
    )
    if not rows:
        raise ChecksumError(f"counter {name!r} is missing")
    value, complement = rows[0]
    check_sum(f"counter {name}", value, complement)
    return int(value)


def get_property(name: str) -> Transaction[str | None]:
    """Return the value of a property, or None."""
    rows = yield Step("SELECT value FROM properties WHERE name = ?", (name,))
    return str(rows[0][0]) if rows else None


def set_property(name: str, value: str) -> Transaction[str]:
    """Set a property that is not set yet, and return its value."""
    yield Step("INSERT INTO properties VALUES (?, ?) ON CONFLICT DO NOTHING", (name, value))
    ((stored,),) = yield Step("SELECT value FROM properties WHERE name = ?", (name,))
    return str(stored)
