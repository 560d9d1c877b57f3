"""Structure JSON into attrs values with cattrs; a value of another type is an error with its path.

Unknown fields are dropped, unknown statuses are kept.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, get_args, get_origin

from attrs import has
from cattrs import BaseValidationError, Converter, transform_error
from cattrs.cols import list_structure_factory
from cattrs.gen import make_dict_structure_fn

from gitlab_jobs_async.api.value_types import (
    EXACT,
    WORDS,
    Hook,
    instance_hook,
    is_union,
    type_mismatch,
)

T = TypeVar("T")

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
