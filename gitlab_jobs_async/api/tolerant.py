"""Structure JSON whose optional fields may have undocumented types.

A field of another type takes its default and is reported. A required one is an error.
"""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from math import inf
from typing import Any, TypeVar, get_args, get_origin

from attrs import NOTHING, Attribute, define, field, fields, has
from cattrs import BaseValidationError, Converter
from cattrs.gen import override

from gitlab_jobs_async.api.structuring import (
    object_of,
    reasons_of,
    strict_converter,
    structured,
)
from gitlab_jobs_async.api.value_types import Hook, type_mismatch

T = TypeVar("T")

MAX_ROWS = 50_000
"""Maximum rows of one list: more than fit into a 25 MB body from GitLab."""

# A hostile body could fill the log with reasons.
_MAX_REASONS = 10


@define(eq=False, repr=False)
class IgnoredValues:
    """The values that were left out: the first reasons, and the count of all."""

    most: float = inf
    reasons: list[str] = field(factory=list)
    count: int = 0

    def add(self, where: str, error: Exception) -> None:
        """Record an unexpected value at *where*.

        Raises:
            TypeError: there are more than *most*.
        """
        self.count += 1
        if self.count > self.most:
            raise TypeError(f"more than {self.most} values of unexpected types")
        if len(self.reasons) < _MAX_REASONS:
            self.reasons.append(f"{where}: {reasons_of(error).removesuffix(' @ $')}")


# cattrs passes only the value and its type to a hook, so the record travels beside it.
_ignored: ContextVar[IgnoredValues] = ContextVar("_ignored")


def tolerated(
    given: object, kind: type[T], converter: Converter, *, most: float = inf
) -> tuple[T, IgnoredValues]:
    """Return *given* as *kind*, and the values that were left out.

    Raises:
        ValueError: a required field is missing or of another type, or more than *most* values
            were left out, as `reason @ $.path`.
    """
    ignored = IgnoredValues(most)
    token = _ignored.set(ignored)
    try:
        return structured(given, kind, converter), ignored
    finally:
        _ignored.reset(token)


def tolerant_converter(
    names: Mapping[type, Mapping[str, str | None]], hooks: Mapping[Any, Hook]
) -> Converter:
    """Return a converter for `tolerated`.

    *names* maps, for each class, fields to other JSON names, or to None if JSON never sets them.
    *hooks* replace hooks of the strict converter for some types.
    """
    converter = strict_converter()

    def tolerant_object(kind: Any, inner: Converter) -> Hook:
        renamed = names.get(kind, {})
        overrides = {}
        for one in fields(kind):
            name = renamed.get(one.name, one.name)
            overrides[one.name] = (
                override(omit=True)
                if name is None
                else override(rename=name, struct_hook=_hook_of(one, kind, inner))
            )
        return object_of(kind, inner, overrides)

    converter.register_structure_hook_factory(has, tolerant_object)
    for kind, hook in hooks.items():
        converter.register_structure_hook(kind, hook)
    return converter


def _hook_of(one: "Attribute[Any]", kind: type, converter: Converter) -> Hook:
    where = f"{kind.__name__}.{one.name}"
    if get_origin(one.type) is tuple:
        return _optional(_rows(one.type, where, converter), lambda: (), where)
    structure = converter.get_structure_hook(one.type)
    return structure if one.default is NOTHING else _optional(structure, lambda: one.default, where)


def _optional(structure: Hook, default: Callable[[], Any], where: str) -> Hook:
    def hook(given: Any, kind: Any) -> Any:
        try:
            return default() if given is None else structure(given, kind)
        except (TypeError, BaseValidationError) as error:
            _ignored.get().add(where, error)
            return default()

    return hook


def _rows(kind: Any, where: str, converter: Converter) -> Hook:
    """Return a hook that keeps the valid rows of a list and reports the others."""
    item, _ = get_args(kind)
    structure = converter.get_structure_hook(item)

    def rows(given: list[Any]) -> Any:
        for number, row in enumerate(given):
            try:
                yield structure(row, item)
            except (TypeError, BaseValidationError) as error:
                _ignored.get().add(f"{where}[{number}]", error)

    def hook(given: Any, _: Any) -> Any:
        if type(given) is not list:
            raise type_mismatch("a list", given)
        if len(given) > MAX_ROWS:
            raise TypeError(f"expected at most {MAX_ROWS} rows, got {len(given)}")
        return tuple(rows(given))

    return hook
