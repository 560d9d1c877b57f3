"""Values of the scalar types in JSON; a value of another type is an error that names both."""

import types
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from enum import Enum
from typing import Annotated, Any, Union, get_origin

import msgspec

from gitlab_jobs_async.models.statuses import FailureReason, JobStatus

Hook = Callable[[Any, Any], Any]
"""Return the value of a type for a JSON value, as cattrs calls it."""

AWARE_DATETIME = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time with a zone, for msgspec."""


def type_mismatch(expected: str, given: object) -> TypeError:
    """Return the error for a value other than *expected*, such as "an object"."""
    # Never with a string of the value: it may be a token.
    names = {dict: "an object", list: "a list", str: "a string", type(None): "null"}
    return TypeError(f"expected {expected}, got {names.get(type(given), repr(given))}")


def instance_hook(kind: type, words: str, *, or_null: bool = False) -> Hook:
    """Return a hook for values of exactly this type."""

    # Not isinstance, by which a bool passes as an int.
    def hook(given: Any, _: Any) -> Any:
        if type(given) is kind or (or_null and given is None):
            return given
        raise type_mismatch(words, given)

    return hook


WORDS = {str: "a string", int: "a whole number", bool: "true or false"}


def _integer_or_string(given: Any, _: Any) -> int | str:
    if type(given) is int or type(given) is str:
        return given
    raise type_mismatch("a whole number or a string", given)


def _number(given: Any, _: Any) -> float:
    if type(given) is float or type(given) is int:
        return float(given)
    raise type_mismatch("a number", given)


def _number_or_string(given: Any, _: Any) -> float | str | None:
    return given if given is None or type(given) is str else _number(given, _)


def _datetime(given: Any, _: Any) -> datetime:
    if type(given) is not str:
        raise type_mismatch("a time", given)
    # First as pages are decoded: it rounds nanoseconds, where Python drops digits.
    with suppress(msgspec.ValidationError):
        return msgspec.convert(given, AWARE_DATETIME)
    try:
        at = datetime.fromisoformat(given)
    except ValueError:
        raise TypeError("expected an ISO 8601 time, got another string") from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


class _Words(dict[str | None, Any]):
    """Members of an enum by their strings, and None; unlisted strings are kept."""

    def __init__(self, words: type[Enum]) -> None:
        # A lookup is faster than a call of the enum, which only unlisted strings need.
        super().__init__({None: None} | {word.value: word for word in words})
        self._words = words

    def __missing__(self, text: str) -> Any:
        return self._words(text)

    def hook(self, given: Any, _: Any) -> Any:
        """Structure one string."""
        if type(given) is not str:
            raise type_mismatch("a string", given)
        return self[given]


STATUSES = _Words(JobStatus)
FAILURE_REASONS = _Words(FailureReason)


EXACT: dict[Any, Hook] = {
    **{kind: instance_hook(kind, words) for kind, words in WORDS.items()},
    float: _number,
    float | str | None: _number_or_string,
    int | str: _integer_or_string,
    datetime: _datetime,
    JobStatus: STATUSES.hook,
    FailureReason: FAILURE_REASONS.hook,
}
"""Hooks for scalar values."""


def is_union(kind: Any) -> bool:
    """Return whether *kind* is written with `|`, `Union` or `Optional`."""
    return get_origin(kind) in {Union, types.UnionType}
