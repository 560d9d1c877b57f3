"""`JobStruct`: msgspec's struct with the fields and types of `Job`, and structs in place of others.

A struct is made in C, so nothing typed is cheaper to decode.
"""

from typing import Any, get_args, get_origin, get_type_hints

import attrs
import msgspec

from gitlab_jobs_async import Job

_made: dict[type, type] = {}


def struct_of(model: type) -> type:
    """Return the struct with the fields of an attrs class."""
    if model not in _made:
        hints = get_type_hints(model)
        fields = [
            (f.name, _translated(hints[f.name]))
            if f.default is attrs.NOTHING
            else (f.name, _translated(hints[f.name]), f.default)
            for f in attrs.fields(model)
        ]
        _made[model] = msgspec.defstruct(
            f"{model.__name__}Struct", fields, frozen=True, kw_only=True
        )
    return _made[model]


def _translated(hint: Any) -> Any:
    if attrs.has(hint):
        return struct_of(hint)
    parts = get_args(hint)
    if not parts:
        return hint
    translated = tuple(map(_translated, parts))
    if get_origin(hint) is tuple:
        return tuple[translated]
    # A union, whose parts `|` joins.
    union = translated[0]
    for part in translated[1:]:
        union |= part
    return union


JobStruct = struct_of(Job)
