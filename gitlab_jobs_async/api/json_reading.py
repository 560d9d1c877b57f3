"""Read the models and events that `json_writing` wrote; cattrs is loaded with the first."""

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any, TypeVar, get_args, overload

from attrs import has

from gitlab_jobs_async.api.json_writing import EVENT_TYPES, VERSION
from gitlab_jobs_async.api.structuring import object_of, strict_converter, structured
from gitlab_jobs_async.api.value_types import Hook, type_mismatch
from gitlab_jobs_async.events import AnyEvent
from gitlab_jobs_async.models.jobs import Bridge, Job

T = TypeVar("T")

_FORMS = dict(zip(EVENT_TYPES, get_args(AnyEvent), strict=True))
"""The events by the names of their types, such as `JobFinished[Job | Bridge]`."""

JSONData = bytes | str | Mapping[str, Any]
"""JSON as text, or as the `dict` that it holds."""


@overload
def from_json(data: JSONData) -> AnyEvent: ...


@overload
def from_json(data: JSONData, kind: type[T]) -> T: ...


def from_json(data: JSONData, kind: Any = None) -> Any:
    """Return the model or event that `to_json` or `to_dict` was given.

    Args:
        data: JSON, or a `dict` as `to_dict` returns it. Unknown fields are ignored, missing ones
            have their defaults.
        kind: the class of a model, such as `Job`; an event needs none.

    Raises:
        ValueError: *data* is not JSON, or not of that class, or an event of a newer version; the
            message says where.
        TypeError: *kind* is not a class of models.
    """
    if kind is not None and not (isinstance(kind, type) and has(kind)):
        raise TypeError(f"invalid kind {kind!r}: expected a class of models, such as Job")
    given = dict(data) if isinstance(data, Mapping) else _parsed(data)
    if kind is not None and kind not in EVENT_TYPES.values():
        return structured(given, kind, _converter)
    event = _event(given)
    if kind is not None and type(event) is not kind:
        raise ValueError(f"event of type {type(event).__name__}: expected {kind.__name__}")
    return event


def _parsed(data: bytes | str) -> object:
    try:
        return json.loads(data, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"invalid JSON: {error}") from None


def _finite(written: str) -> float:
    # Python reads NaN, and 1e999 as infinity; `to_json` has no form for them.
    number = float(written)
    if not isfinite(number):
        raise ValueError(f"{written:.50} is not a finite number")
    return number


def _event(given: object) -> AnyEvent:
    if type(given) is not dict:
        raise ValueError(str(type_mismatch("an event", given)))
    version, name = given.get("version"), given.get("type")
    if type(version) is not int or version < 1:
        raise ValueError(f"event without a version: expected 1 to {VERSION} @ $.version")
    if version > VERSION:
        reason = f"event of version {version}: expected at most {VERSION}, which this release reads"
        raise ValueError(f"{reason} @ $.version")
    if type(name) is not str or name not in EVENT_TYPES:
        raise ValueError(f"expected {' or '.join(EVENT_TYPES)}, got {name!r:.50} @ $.type")
    event: AnyEvent = structured(given, _FORMS[name], _converter)
    return event


def _job_or_bridge(given: Any, _: Any) -> Job | Bridge:
    # As in GitLab's own answers, only bridges have this field.
    is_bridge = type(given) is dict and "downstream_pipeline" in given
    found: Job | Bridge = _bridge(given, Bridge) if is_bridge else _job(given, Job)
    return found


def _aliased(kind: Any) -> Hook:
    return object_of(kind, _converter, {"_cattrs_use_alias": True})


_converter = strict_converter()
_converter.register_structure_hook_factory(has, _aliased)
_converter.register_structure_hook_func(lambda kind: kind == Job | Bridge, _job_or_bridge)
_job, _bridge = map(_converter.get_structure_hook, (Job, Bridge))
