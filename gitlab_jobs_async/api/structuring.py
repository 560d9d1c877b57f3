"""Structure JSON into attrs values with cattrs; a value of another type is an error with its path.

Unknown fields are dropped, unknown statuses are kept.
"""

import types
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import msgspec
from attrs import has
from cattrs import BaseValidationError, Converter, transform_error
from cattrs.cols import list_structure_factory
from cattrs.gen import make_dict_structure_fn

from gitlab_jobs_async.models.statuses import FailureReason, JobStatus

T = TypeVar("T")
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


# A lookup is faster than a call of the enum, which only unlisted values need.
_STATUSES = {status.value: status for status in JobStatus}
_REASONS = {reason.value: reason for reason in FailureReason}


def status_of(given: str) -> JobStatus:
    """Return the status of a string; unknown ones are kept."""
    return _STATUSES.get(given) or JobStatus(given)


def failure_reason_of(given: str) -> FailureReason:
    """Return the reason of a string; unknown ones are kept."""
    return _REASONS.get(given) or FailureReason(given)


def _string_hook(make: Callable[[str], Any]) -> Hook:
    """Return a hook for values that *make* returns for a string."""

    def hook(given: Any, _: Any) -> Any:
        if type(given) is not str:
            raise type_mismatch("a string", given)
        return make(given)

    return hook


EXACT: dict[Any, Hook] = {
    **{kind: instance_hook(kind, words) for kind, words in WORDS.items()},
    float: _number,
    float | str | None: _number_or_string,
    int | str: _integer_or_string,
    datetime: _datetime,
    JobStatus: _string_hook(status_of),
    FailureReason: _string_hook(failure_reason_of),
}
"""Hooks for scalar values."""

_AS_NAMED: Mapping[str, Any] = {}


def structured(given: object, kind: type[T], converter: Converter) -> T:
    """Return *given* as *kind*.

    Raises:
        ValueError: a field is missing or of another type, as `reason @ $.path`.
    """
    try:
        return converter.structure(given, kind)
    except (BaseValidationError, TypeError) as error:
        reason = reasons_of(error)
    # Not from cattrs' error: it is a group, and holds values that may echo a token.
    raise ValueError(reason)


def reasons_of(error: BaseException) -> str:
    """Return at most three reasons why a value was refused, each with its path."""
    reasons = transform_error(error, format_exception=_reason)
    more = f" (and {len(reasons) - 3} more)" if len(reasons) > 3 else ""
    return "; ".join(reasons[:3]) + more


def _reason(error: BaseException, _: type | None) -> str:
    if isinstance(error, KeyError):
        return "required field missing"
    return str(error.args[0]) if error.args else type(error).__name__


def is_union(kind: Any) -> bool:
    """Return whether *kind* is written with `|`, `Union` or `Optional`."""
    return get_origin(kind) in {Union, types.UnionType}


def _is_optional(kind: Any) -> bool:
    args = get_args(kind)
    return is_union(kind) and len(args) == 2 and type(None) in args


def _is(origin: Any) -> Callable[[Any], bool]:
    return lambda kind: get_origin(kind) is origin


def object_of(kind: Any, converter: Converter, overrides: Mapping[str, Any] = _AS_NAMED) -> Hook:
    """Return the hook of an attrs class; *overrides* are cattrs' own, by attribute."""
    structure = make_dict_structure_fn(kind, converter, **overrides)

    def hook(given: Any, _: Any) -> Any:
        if type(given) is not dict:
            raise type_mismatch("an object", given)
        return structure(given, kind)

    return hook


def _optional_of(kind: Any, converter: Converter) -> Hook:
    inner = next(arg for arg in get_args(kind) if arg is not type(None))
    if inner in WORDS:
        return instance_hook(inner, WORDS[inner], or_null=True)
    structure = converter.get_structure_hook(inner)
    return lambda given, _: None if given is None else structure(given, inner)


def _list_of(kind: Any, converter: Converter) -> Hook:
    structure = list_structure_factory(kind, converter)

    def hook(given: Any, _: Any) -> Any:
        if type(given) is not list:
            raise type_mismatch("a list", given)
        return structure(given, kind)

    return hook


def _tuple_of(kind: Any, converter: Converter) -> Hook:
    args = get_args(kind)
    if args[-1] is not Ellipsis:
        return _row_of(args, converter)
    as_list = list.__class_getitem__(args[:1])
    structure = converter.get_structure_hook(as_list)
    return lambda given, _: () if given is None else tuple(structure(given, as_list))


def _row_of(kinds: tuple[Any, ...], converter: Converter) -> Hook:
    """Return the hook of a tuple with one value of each of *kinds*."""
    hooks = [converter.get_structure_hook(kind) for kind in kinds]

    def hook(given: Any, _: Any) -> Any:
        if type(given) is not list or len(given) != len(kinds):
            raise type_mismatch(f"a list of {len(kinds)}", given)
        return tuple(
            structure(value, kind)
            for structure, value, kind in zip(hooks, given, kinds, strict=True)
        )

    return hook


def _mapping_of(kind: Any, converter: Converter) -> Hook:
    names, values = get_args(kind)
    if names is not str:
        raise TypeError(f"invalid mapping of {names}: expected str as the type of names")
    structure = converter.get_structure_hook(values)

    def hook(given: Any, _: Any) -> Any:
        if type(given) is not dict:
            raise type_mismatch("an object", given)
        return {name: structure(value, values) for name, value in given.items()}

    return hook


def strict_converter(*, omit_if_default: bool = False) -> Converter:
    """Return a converter that coerces nothing."""
    # By default cattrs coerces: null becomes "None", and "7" becomes 7.
    converter = Converter(omit_if_default=omit_if_default)
    converter.register_structure_hook_factory(has, object_of)
    converter.register_structure_hook_factory(_is_optional, _optional_of)
    converter.register_structure_hook_factory(_is(list), _list_of)
    converter.register_structure_hook_factory(_is(tuple), _tuple_of)
    converter.register_structure_hook_factory(_is(Mapping), _mapping_of)
    for kind, hook in EXACT.items():
        converter.register_structure_hook(kind, hook)
    return converter
