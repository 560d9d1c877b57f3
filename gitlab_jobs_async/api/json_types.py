"""Hooks that accept a JSON value of exactly the expected type, without coercion.

A message never shows a string of the value: it may be a token.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from gitlab_jobs_async.models.statuses import FailureReason, JobStatus

Hook = Callable[[Any, Any], Any]
"""Return the value of a type for a JSON value, as cattrs calls it."""


def type_mismatch(expected: str, given: object) -> TypeError:
    """Return the error for a value other than *expected*, such as "an object"."""
    names = {dict: "an object", list: "a list", str: "a string", type(None): "null"}
    return TypeError(f"expected {expected}, got {names.get(type(given), repr(given))}")


def instance_hook(kind: type, words: str, *, or_null: bool = False) -> Hook:
    """Return a hook for values of exactly this type; a bool does not pass as an int."""

    def hook(given: Any, _: Any) -> Any:
        if type(given) is kind or (or_null and given is None):
            return given
        raise type_mismatch(words, given)

    return hook


WORDS = {str: "a string", int: "a whole number", bool: "true or false"}


def _whole_number_or_string(given: Any, _: Any) -> int | str:
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
    try:
        at = datetime.fromisoformat(given)
    except ValueError:
        raise TypeError("expected an ISO 8601 time, got another string") from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


_STATUSES = {status.value: status for status in JobStatus}
_REASONS = {reason.value: reason for reason in FailureReason}


def _status(given: Any, _: Any) -> JobStatus:
    if type(given) is not str:
        raise type_mismatch("a string", given)
    return _STATUSES.get(given) or JobStatus(given)


def _failure_reason(given: Any, _: Any) -> FailureReason:
    if type(given) is not str:
        raise type_mismatch("a string", given)
    return _REASONS.get(given) or FailureReason(given)


EXACT: dict[Any, Hook] = {
    **{kind: instance_hook(kind, words) for kind, words in WORDS.items()},
    float: _number,
    float | str | None: _number_or_string,
    int | str: _whole_number_or_string,
    datetime: _datetime,
    JobStatus: _status,
    FailureReason: _failure_reason,
}
"""Hooks for scalar values."""
