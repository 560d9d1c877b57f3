"""Values of JSON -> values of ours. What has another type is an error that says where.

cattrs by itself never refuses: it makes "None" of a null and 7 of a "7". Unknown fields are
dropped, unknown statuses kept.
"""

import types
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar, Union, get_args, get_origin

from attrs import has
from cattrs import BaseValidationError, Converter, transform_error
from cattrs.cols import list_structure_factory
from cattrs.gen import make_dict_structure_fn

from gitlab_jobs_async.statuses import FailureReason, JobStatus

T = TypeVar("T")

Hook = Callable[[Any, Any], Any]


def structured(given: object, kind: type[T], converter: Converter) -> T:
    """What JSON holds, as *kind*.

    Raises:
        ValueError: a field is missing or of another type; it says which, as `reason @ $.path`.
    """
    try:
        return converter.structure(given, kind)
    except (BaseValidationError, TypeError) as error:
        reasons = transform_error(error, format_exception=_reason)
        more = f" (and {len(reasons) - 3} more)" if len(reasons) > 3 else ""
        said = "; ".join(reasons[:3]) + more
    # Without cattrs' own error: it is a group, and it holds values that may echo a token.
    raise ValueError(said)


def _reason(error: BaseException, _: type | None) -> str:
    if isinstance(error, KeyError):
        return "required field missing"
    return str(error.args[0]) if error.args else type(error).__name__


def due(expected: str, given: object) -> TypeError:
    """The error for a value that is *given* where another one was *expected*."""
    names = {dict: "an object", list: "a list", str: "a string", type(None): "null"}
    return TypeError(f"{names.get(type(given), repr(given))} where {expected} was due")


def _same(kind: type, words: str, *, or_null: bool = False) -> Hook:
    """Take a value of this very type as it is; a bool is no int."""

    def hook(given: Any, _: Any) -> Any:
        if type(given) is kind or (or_null and given is None):
            return given
        raise due(words, given)

    return hook


_WORDS = {str: "a string", int: "a whole number", bool: "true or false"}
whole_number = _same(int, _WORDS[int])


def _whole_number_or_string(given: Any, _: Any) -> int | str:
    if type(given) is int or type(given) is str:
        return given
    raise due("a whole number or a string", given)


def _number(given: Any, _: Any) -> float:
    if type(given) is float or type(given) is int:
        return float(given)
    raise due("a number", given)


def _number_or_string(given: Any, _: Any) -> float | str | None:
    return given if given is None or type(given) is str else _number(given, _)


def _datetime(given: Any, _: Any) -> datetime:
    if type(given) is not str:
        raise due("a time", given)
    try:
        at = datetime.fromisoformat(given)
    except ValueError:
        raise TypeError("a string that is no time where one was due") from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


_STATUSES = {status.value: status for status in JobStatus}
_REASONS = {reason.value: reason for reason in FailureReason}


def _status(given: Any, _: Any) -> JobStatus:
    if type(given) is not str:
        raise due("a string", given)
    return _STATUSES.get(given) or JobStatus(given)


def _failure_reason(given: Any, _: Any) -> FailureReason:
    if type(given) is not str:
        raise due("a string", given)
    return _REASONS.get(given) or FailureReason(given)


def is_union(kind: Any) -> bool:
    """Whether *kind* is written with `|`, `Union` or `Optional`."""
    return get_origin(kind) in {Union, types.UnionType}


def _is_optional(kind: Any) -> bool:
    args = get_args(kind)
    return is_union(kind) and len(args) == 2 and type(None) in args


def _is(origin: Any) -> Callable[[Any], bool]:
    return lambda kind: get_origin(kind) is origin


_EXACT: dict[Any, Hook] = {
    **{kind: _same(kind, words) for kind, words in _WORDS.items()},
    float: _number,
    float | str | None: _number_or_string,
    int | str: _whole_number_or_string,
    datetime: _datetime,
    JobStatus: _status,
    FailureReason: _failure_reason,
}


def object_of(kind: Any, converter: Converter) -> Hook:
    """What structures an attrs class."""
    structure = make_dict_structure_fn(kind, converter)

    def hook(given: Any, _: Any) -> Any:
        if type(given) is not dict:
            raise due("an object", given)
        return structure(given, kind)

    return hook


def _optional_of(kind: Any, converter: Converter) -> Hook:
    inner = next(arg for arg in get_args(kind) if arg is not type(None))
    if inner in _WORDS:
        return _same(inner, _WORDS[inner], or_null=True)
    structure = converter.get_structure_hook(inner)
    return lambda given, _: None if given is None else structure(given, inner)


def _list_of(kind: Any, converter: Converter) -> Hook:
    structure = list_structure_factory(kind, converter)

    def hook(given: Any, _: Any) -> Any:
        if type(given) is not list:
            raise due("a list", given)
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
    """A tuple of so many values, each of its own kind."""
    hooks = [converter.get_structure_hook(kind) for kind in kinds]

    def hook(given: Any, _: Any) -> Any:
        if type(given) is not list or len(given) != len(kinds):
            raise due(f"a list of {len(kinds)}", given)
        return tuple(
            structure(value, kind)
            for structure, value, kind in zip(hooks, given, kinds, strict=True)
        )

    return hook


def _mapping_of(kind: Any, converter: Converter) -> Hook:
    names, values = get_args(kind)
    if names is not str:
        raise TypeError(f"JSON has only strings for names, no {names}")
    structure = converter.get_structure_hook(values)

    def hook(given: Any, _: Any) -> Any:
        if type(given) is not dict:
            raise due("an object", given)
        return {name: structure(value, values) for name, value in given.items()}

    return hook


def strict_converter(*, omit_if_default: bool = False) -> Converter:
    """A converter of its own, whose structuring coerces nothing."""
    converter = Converter(omit_if_default=omit_if_default)
    converter.register_structure_hook_factory(has, object_of)
    converter.register_structure_hook_factory(_is_optional, _optional_of)
    converter.register_structure_hook_factory(_is(list), _list_of)
    converter.register_structure_hook_factory(_is(tuple), _tuple_of)
    converter.register_structure_hook_factory(_is(Mapping), _mapping_of)
    for kind, hook in _EXACT.items():
        converter.register_structure_hook(kind, hook)
    return converter
