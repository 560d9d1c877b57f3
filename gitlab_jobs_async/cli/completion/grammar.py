"""The commands with their words and options, as values that a file keeps. Pure."""

from typing import Any

from attrs import frozen


@frozen
class Option:
    """An option: its names, whether a value follows, and which values there are."""

    names: tuple[str, ...]
    about: str
    value: str = ""
    """The name of its value in the help, such as PIPELINE; empty for a switch."""

    choices: tuple[str, ...] = ()


@frozen
class CommandWords:
    """A command: the names of its arguments in their order, and its options."""

    about: str
    arguments: tuple[str, ...]
    options: tuple[Option, ...]
    choices: tuple[str, ...] = ()
    """The values of its first argument, such as the shells."""


Grammar = dict[str, CommandWords]


def grammar_from(plain: dict[str, Any]) -> Grammar:
    """Return the grammar of JSON values that `attrs.asdict` has made."""
    return {
        name: CommandWords(
            command["about"],
            tuple(command["arguments"]),
            tuple(
                Option(tuple(one["names"]), one["about"], one["value"], tuple(one["choices"]))
                for one in command["options"]
            ),
            tuple(command["choices"]),
        )
        for name, command in plain.items()
    }
