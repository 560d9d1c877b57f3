"""What people type -> what the SDK takes; a refusal says what was meant to be there."""

import re
from collections.abc import Iterable, Sequence

import orjson

from gitlab_jobs_async.api.parameters import ProjectId
from gitlab_jobs_async.cli.errors import bad_input
from gitlab_jobs_async.models.statuses import JobStatus

_STATUSES = tuple(str(status) for status in JobStatus)


def project_id(text: str) -> ProjectId:
    """Return a number is an id, everything else a path; a path cannot begin with a dash."""
    if text.startswith("-"):
        raise bad_input(f"project {text!r} begins with a dash")
    return int(text) if text.isascii() and text.isdigit() else text


def split_scopes(scopes: Iterable[str]) -> list[str]:
    """Statuses, also where several stand in one with commas."""
    found = [part.strip() for scope in scopes for part in scope.split(",")]
    for status in found:
        if status not in _STATUSES:
            raise bad_input(f"unknown --scope {status!r}; allowed are {', '.join(_STATUSES)}")
    return found


def pairs(option: str, texts: Sequence[str]) -> dict[str, str]:
    """`K=V` texts as a mapping; a value may hold further equals signs."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise bad_input(f"{option} must be K=V")
        if _is_broken(text):
            raise bad_input(f"{option} {name!r} is not UTF-8")
        if name in found:
            raise bad_input(f"{option} names {name!r} twice")
        found[name] = value
    return found


def _is_broken(text: str) -> bool:
    """Return whether an argument's bytes were no UTF-8: Python hands those on as halves of characters."""
    return any("\ud800" <= letter <= "\udfff" for letter in text)


def typed_pairs(option: str, texts: Sequence[str]) -> dict[str, object]:
    """Return the same with values that read as a JSON number, boolean, list or string taken as such."""
    return {name: _typed(value) for name, value in pairs(option, texts).items()}


def _typed(text: str) -> object:
    try:
        value: object = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return value if isinstance(value, str | int | float | bool | list) else text


def pattern(option: str, text: str) -> re.Pattern[str]:
    """Return a regular expression."""
    try:
        return re.compile(text)
    except re.error as error:
        raise bad_input(f"{option} {text!r} is no regular expression: {error}") from error
