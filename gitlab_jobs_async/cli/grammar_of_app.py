"""The grammar of the command line for completion, read from its definition."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from cyclopts import App

from gitlab_jobs_async.cli.app import build
from gitlab_jobs_async.cli.completion.grammar import CommandWords, Grammar, Option
from gitlab_jobs_async.cli.views.archive_columns import ENTRY_COLUMNS
from gitlab_jobs_async.cli.views.columns import Column
from gitlab_jobs_async.cli.views.events import EVENT_COLUMNS
from gitlab_jobs_async.cli.views.failures import FAILURE_COLUMNS
from gitlab_jobs_async.cli.views.job_columns import JOB_COLUMNS
from gitlab_jobs_async.cli.views.pipeline_columns import PIPELINE_COLUMNS
from gitlab_jobs_async.cli.waterfall.plain import TIMELINE_COLUMNS

_COLUMNS: Final[Mapping[str, Sequence[Column[Any]]]] = {
    "artifacts": ENTRY_COLUMNS,
    "events": EVENT_COLUMNS,
    "failures": FAILURE_COLUMNS,
    "list": JOB_COLUMNS,
    "pipelines": PIPELINE_COLUMNS,
    "timeline": TIMELINE_COLUMNS,
    "watch": EVENT_COLUMNS,
}


def grammar_of_app() -> Grammar:
    """Return the commands in the order of the help, with their arguments and options."""
    app = build()
    return {name: _command(name, app[name]) for name in app if not name.startswith("-")}


def _command(name: str, command: App) -> CommandWords:
    shown = [one for one in command.assemble_argument_collection() if one.parse and one.show]
    words = [one for one in shown if not one.names[0].startswith("-")]
    return CommandWords(
        _first_sentence(command.help),
        tuple(one.names[0] for one in words),
        tuple(_option(name, one) for one in shown if one not in words),
        tuple(map(str, words[0].get_choices() or ())) if words else (),
    )


def _option(command: str, argument: Any) -> Option:
    is_switch = argument.hint in {bool, bool | None} or argument.token_count()[0] == 0
    # cyclopts names a --no- form of each switch, also where it is not offered.
    negatives = set(argument.parameter.negative or ())
    names = [
        name
        for name in argument.names
        if name in negatives or not name.startswith(("--no-", "--empty-"))
    ]
    return Option(
        tuple(names),
        _first_sentence(argument.parameter.help or ""),
        "" if is_switch else (argument.parameter.metavar or "VALUE"),
        _columns(command)
        if "--columns" in names
        else tuple(map(str, argument.get_choices() or ())),
    )


def _columns(command: str) -> tuple[str, ...]:
    return tuple(column.name for column in _COLUMNS[command])


def _first_sentence(text: str) -> str:
    return text.strip().partition("\n")[0].partition(". ")[0].removesuffix(".")
