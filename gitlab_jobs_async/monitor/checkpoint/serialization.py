"""Serialize the state of targets to JSON for a checkpoint, and read back equal values.

Fields with their default value are omitted. Events have a form of their own: `api.json_writing`.
"""

import json
from datetime import datetime
from typing import Any, TypeVar

from attrs import fields, has
from cattrs import Converter
from cattrs.gen import make_dict_unstructure_fn, override

from gitlab_jobs_async.api.structuring import object_of, strict_converter, structured

T = TypeVar("T")

# A field may be renamed in code, but a checkpoint outlives the version that wrote it.
_NAME = "stored_as"


def stored_as(name: str) -> dict[str, str]:
    """Return the metadata for an attrs field that checkpoints store under another *name*."""
    return {_NAME: name}


def dumps(value: object) -> bytes:
    """Return an attrs value as JSON.

    Its fields may be `int`, `float`, `str`, `bool`, aware times, statuses and failure reasons,
    other attrs values, tuples, mappings by `str`, and `None`.
    """
    return _written(_converter.unstructure(value))


def loads(data: bytes, kind: type[T]) -> T:
    """Return the value of class *kind* that `dumps` was given.

    Raises:
        ValueError: *data* is not JSON, or not of that class; the message says where.
    """
    return structured(_parsed(data), kind, _converter)


def _written(value: Any) -> bytes:
    # orjson would write infinity as null, and refuse the lone surrogates of system messages.
    written = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return written.encode("utf-8", "surrogatepass")


def _parsed(data: bytes) -> object:
    try:
        return json.loads(data.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"invalid JSON: {error}") from None


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
    converter.register_unstructure_hook(datetime, datetime.isoformat)
    return converter


_converter = _make_converter()
