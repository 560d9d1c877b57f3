"""JSON -> attrs values in which one odd optional field costs nothing but itself.

A field with a default takes it where its value has another type, and says so; a field without one
is an error, as in `strict`.
"""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from math import inf
from typing import Any, TypeVar, get_args, get_origin

from attrs import NOTHING, Attribute, define, field, fields, has
from cattrs import BaseValidationError, Converter
from cattrs.gen import override

from gitlab_jobs_async.api.json_types import Hook, type_mismatch
from gitlab_jobs_async.api.structuring import object_of, said_of, strict_converter, structured

T = TypeVar("T")

MOST_ROWS = 50_000
"""Rows of one list that are structured: more than fit a 25 MB body of GitLab's own."""

_MOST_TOLD = 10


@define
class Oddities:
    """What was left out of a value: the first reasons in words, and the count of all."""

    most: float = inf
    told: list[str] = field(factory=list)
    count: int = 0

    def add(self, where: str, error: Exception) -> None:
        """Note that *where* was not what it should be.

        Raises:
            TypeError: there are more than *most*.
        """
        self.count += 1
        if self.count > self.most:
            raise TypeError(f"more than {self.most} values of another type than was due")
        if len(self.told) < _MOST_TOLD:
            self.told.append(f"{where}: {said_of(error).removesuffix(' @ $')}")


_oddities: ContextVar[Oddities] = ContextVar("_oddities")


def tolerated(
    given: object, kind: type[T], converter: Converter, *, most: float = inf
) -> tuple[T, Oddities]:
    """Return *given* as *kind*, and what of it was odd.

    Raises:
        ValueError: a required field is missing or of another type, or more than *most* values are
            odd; it says which, as `reason @ $.path`.
    """
    odd = Oddities(most)
    token = _oddities.set(odd)
    try:
        return structured(given, kind, converter), odd
    finally:
        _oddities.reset(token)


def tolerant_converter(
    names: Mapping[type, Mapping[str, str | None]], hooks: Mapping[Any, Hook]
) -> Converter:
    """Return a converter for `tolerated`.

    *names* has, for each class, the JSON names of fields that are called otherwise here, and `None`
    for those that no JSON sets; *hooks* says how to take values of some kinds in another way than
    `strict` does.
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
    return structure if one.default is NOTHING else _optional(structure, lambda: None, where)


def _optional(structure: Hook, default: Callable[[], Any], where: str) -> Hook:
    def hook(given: Any, kind: Any) -> Any:
        try:
            return default() if given is None else structure(given, kind)
        except (TypeError, BaseValidationError) as error:
            _oddities.get().add(where, error)
            return default()

    return hook


def _rows(kind: Any, where: str, converter: Converter) -> Hook:
    """Take the rows of a list that are as they should be, and leave out the others."""
    item, _ = get_args(kind)
    structure = converter.get_structure_hook(item)

    def rows(given: list[Any]) -> Any:
        for number, row in enumerate(given):
            try:
                yield structure(row, item)
            except (TypeError, BaseValidationError) as error:
                _oddities.get().add(f"{where}[{number}]", error)

    def hook(given: Any, _: Any) -> Any:
        if type(given) is not list:
            raise type_mismatch("a list", given)
        if len(given) > MOST_ROWS:
            raise TypeError(f"a list of {len(given)} where at most {MOST_ROWS} were due")
        return tuple(rows(given))

    return hook
