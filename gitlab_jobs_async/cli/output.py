"""Print results in one of three forms: JSON lines, a table on a terminal, plain lines in a pipe."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from gitlab_jobs_async.cli import views
from gitlab_jobs_async.cli.errors import usage_error
from gitlab_jobs_async.cli.terminal import is_terminal, shows_links, write, write_json
from gitlab_jobs_async.cli.views.columns import Column, select_columns
from gitlab_jobs_async.cli.views.rows import json_line, plain_line

T = TypeVar("T")


def print_result(sentence: str, value: object, *, json: bool) -> None:
    """Print the result of an action: *value* as JSON, else *sentence*."""
    if json:
        write_json(json_line(value))
    else:
        write(f"{sentence}\n")


def print_rows(
    values: Iterable[object],
    rows: Iterable[Sequence[object]],
    table: Callable[[], object],
    *,
    json: bool,
) -> None:
    """Print many values, each as one JSON object or as a row of plain cells or of *table*."""
    if json:
        write_json("".join(map(json_line, values)))
    elif is_terminal():
        views.console().print(table())
    else:
        write("".join(map(plain_line, rows)))


def chosen_columns(
    names: str | None, known: Sequence[Column[T]], default: Sequence[str], *, json: bool
) -> list[Column[T]]:
    """Return the columns of `--columns`, which JSON has not.

    Raises:
        CommandError: an unknown column, or JSON.
    """
    if names is not None and json:
        raise usage_error("--columns and --json: expected only one; JSON has all fields")
    return select_columns(names, known, default)


def print_table(
    rows: Sequence[T],
    columns: Sequence[Column[T]],
    values: Iterable[object],
    *,
    nothing: str,
    json: bool,
) -> None:
    """Print rows by their columns, or their *values* as JSON; *nothing* to a person if empty."""
    now = datetime.now(UTC)
    print_rows(
        values,
        ([column.plain(row) for column in columns] for row in rows),
        lambda: views.rows_table(columns, rows, now, links=shows_links()) if rows else nothing,
        json=json,
    )


def print_facts(facts: Sequence[tuple[str, object]], value: object, *, json: bool) -> None:
    """Print one value, else its *facts*, names with values, one below the other."""
    print_rows([value], facts, lambda: views.details_table(facts), json=json)
