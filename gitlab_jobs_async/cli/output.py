"""Print results in one of three forms: JSON lines, a table on a terminal, plain lines in a pipe."""

from collections.abc import Callable, Iterable, Sequence

from gitlab_jobs_async.cli import views
from gitlab_jobs_async.cli.terminal import is_terminal, write, write_json
from gitlab_jobs_async.cli.views.rows import json_line, plain_line


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


def print_facts(facts: Sequence[tuple[str, object]], value: object, *, json: bool) -> None:
    """Print one value, else its *facts*, names with values, one below the other."""
    print_rows([value], facts, lambda: views.details_table(facts), json=json)
