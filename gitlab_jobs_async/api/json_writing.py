"""Write models and events as JSON; `json_reading` reads the same back.

Models have GitLab's own field names. Events also have the version of this form and their type.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any, get_args, get_origin

import orjson
from attrs import fields, has

from gitlab_jobs_async.api.credentials import Credentials
from gitlab_jobs_async.events import Event

VERSION = 1
"""Version of the JSON of events; a change that older readers cannot ignore increments it."""

EVENT_TYPES: Mapping[str, Any] = {
    kind.__name__: kind for kind in (get_origin(arg) or arg for arg in get_args(Event))
}
"""The classes of events by name."""


def to_dict(value: object) -> dict[str, Any]:
    """Return a model or an event as a `dict` of JSON values.

    A model has GitLab's field names, as in https://docs.gitlab.com/api/jobs/, and `null` for what
    is unknown. Times are ISO 8601 strings. An event starts with `version` and `type`, such as
    "JobFinished". `from_json` returns an equal value.

    Raises:
        TypeError: *value* is not a model or an event.
    """
    kind = type(value)
    # A logger that takes this for any value must not show a token.
    if not has(kind) or issubclass(kind, Credentials):
        raise TypeError(f"{kind.__name__} is not a model or an event: expected a Job, for example")
    plain: dict[str, Any] = _plain(value)
    is_event = EVENT_TYPES.get(kind.__name__) is kind
    return {"version": VERSION, "type": kind.__name__, **plain} if is_event else plain


def to_json(value: object) -> bytes:
    """Return a model or an event as JSON in UTF-8, without line breaks: `to_dict` has its form.

    Lists and mappings of them are written, too, as `list_jobs` returns them: ids become strings.

    Raises:
        TypeError: *value* is, or contains, something else that JSON does not have.
    """
    plain = _document(value)
    try:
        return orjson.dumps(plain)
    except TypeError:  # ids as keys, a lone surrogate, more than 64 bits: refused by orjson alone
        return json.dumps(plain, separators=(",", ":")).encode()


def _document(value: Any) -> Any:
    """Return *value* with the models in its lists and mappings as `dict`s."""
    if type(value) in _KEPT or isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return {name: _document(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_document(one) for one in value]
    return to_dict(value)


def _plain(value: Any) -> Any:
    kind: type = type(value)
    return _writer_of(kind)(value)


@cache
def _writer_of(kind: type) -> Callable[[Any], Any]:
    """Return the function that writes values of *kind*."""
    if has(kind):
        return _object_writer(kind)
    for base, write in _WRITERS.items():
        if issubclass(kind, base):
            return write
    raise TypeError(f"invalid value of type {kind.__name__}: expected a value that JSON has")


def _object_writer(kind: type) -> Callable[[Any], dict[str, Any]]:
    names = [(field.name, field.alias) for field in fields(kind)]

    def write(value: Any) -> dict[str, Any]:
        plain = {alias: getattr(value, name) for name, alias in names}
        for alias, one in plain.items():
            # Most values need no call.
            if type(one) not in _KEPT:
                plain[alias] = _plain(one)
        return plain

    return write


def _time(at: datetime) -> str:
    written = at.isoformat()
    return f"{written[:-6]}Z" if written.endswith("+00:00") else written


_KEPT = frozenset({int, float, str, bool, type(None)})
_WRITERS: dict[type | tuple[type, ...], Callable[[Any], Any]] = {
    str: str.__str__,  # the statuses and reasons are strings of their own type
    datetime: _time,
    (tuple, list): lambda values: [_plain(value) for value in values],
    Mapping: lambda values: {name: _plain(value) for name, value in values.items()},
    (int, float, type(None)): lambda value: value,
}
