"""Serialize values to JSON for a checkpoint, and read back equal values.

Fields with their default value are omitted. A value of a union names its class.
"""

import json
from datetime import datetime
from typing import Any, TypeVar, get_args, get_origin

from attrs import fields, has
from cattrs import Converter
from cattrs.gen import make_dict_unstructure_fn, override

from gitlab_jobs_async.api.structuring import object_of, strict_converter, structured
from gitlab_jobs_async.api.value_types import Hook, is_union, type_mismatch
from gitlab_jobs_async.events import AnyEvent

T = TypeVar("T")

_CLASS = "_class"
# A field may be renamed in code, but a checkpoint outlives the version that wrote it.
_NAME = "stored_as"


def stored_as(name: str) -> dict[str, str]:
    """Return the metadata for an attrs field that checkpoints store under another *name*."""
    return {_NAME: name}


def dumps(value: object) -> bytes:
    """Return an attrs value as JSON.

    Its fields may be `int`, `float`, `str`, `bool`, aware times, statuses and failure reasons,
    other attrs values, tuples, mappings by `str`, unions of attrs classes, and `None`.
    """
    return _written(_converter.unstructure(value))


def loads(data: bytes, kind: type[T]) -> T:
    """Return the value of class *kind* that `dumps` was given.

    Raises:
        ValueError: *data* is not JSON, or not of that class; the message says where.
    """
    return structured(_parsed(data), kind, _converter)


def dump_event(event: AnyEvent) -> bytes:
    """Return *event* as JSON with the name of its class."""
    return _written(_converter.unstructure(event, AnyEvent))


def load_event(data: bytes) -> AnyEvent:
    """Return the event that `dump_event` was given.

    Raises:
        ValueError: *data* is not JSON, or not an event of this version; the message says where.
    """
    return structured(_parsed(data), AnyEvent, _converter)  # type: ignore[arg-type]  # a union


def _written(value: Any) -> bytes:
    # orjson would write infinity as null, and refuse the lone surrogates of system messages.
    written = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return written.encode("utf-8", "surrogatepass")


def _parsed(data: bytes) -> object:
    try:
        return json.loads(data.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"invalid JSON: {error}") from None


def _is_choice(kind: Any) -> bool:
    """Return whether *kind* is a union of attrs classes, such as `Job | Bridge | None`."""
    classes = [arg for arg in get_args(kind) if arg is not type(None)]
    return is_union(kind) and len(classes) > 1 and all(map(has, classes))


def _choice_of(kind: Any, converter: Converter) -> Hook:
    classes = {_class_of(arg).__name__: arg for arg in get_args(kind) if has(arg)}
    hooks = {name: converter.get_structure_hook(arg) for name, arg in classes.items()}
    words = " or ".join(classes)
    may_be_none = type(None) in get_args(kind)

    def hook(given: Any, _: Any) -> Any:
        if given is None and may_be_none:
            return None
        name = given.get(_CLASS) if type(given) is dict else None
        if type(name) is not str:
            raise type_mismatch(words, given)
        if name not in classes:
            raise TypeError(f"expected {words}, got class {name!r}")
        return hooks[name](given, classes[name])

    return hook


def _unstructured_choice_of(kind: Any, converter: Converter) -> Any:
    hooks = {
        _class_of(arg): converter.get_unstructure_hook(arg) for arg in get_args(kind) if has(arg)
    }

    def hook(value: Any) -> Any:
        if value is None:
            return None
        return {_CLASS: type(value).__name__, **hooks[type(value)](value)}

    return hook


def _class_of(kind: Any) -> Any:
    """Return the class of *kind*, which may be an event of certain jobs: `JobErased[Job]`."""
    return get_origin(kind) or kind


def _renamed(kind: Any) -> dict[str, Any]:
    named = (f for f in fields(kind) if _NAME in f.metadata)
    return {field.name: override(rename=field.metadata[_NAME]) for field in named}


def _unstructured_object(kind: Any, converter: Converter) -> Any:
    return make_dict_unstructure_fn(
        kind, converter, _cattrs_omit_if_default=converter.omit_if_default, **_renamed(kind)
    )


def _make_converter() -> Converter:
    converter = strict_converter(omit_if_default=True)
    converter.register_structure_hook_factory(has, lambda k, c: object_of(k, c, _renamed(k)))
    converter.register_unstructure_hook_factory(has, _unstructured_object)
    converter.register_structure_hook_factory(_is_choice, _choice_of)
    converter.register_unstructure_hook_factory(_is_choice, _unstructured_choice_of)
    converter.register_unstructure_hook(datetime, datetime.isoformat)
    return converter


_converter = _make_converter()
