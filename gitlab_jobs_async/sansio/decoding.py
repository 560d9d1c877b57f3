"""JSON bytes -> models. The only module that knows cattrs, and it never coerces.

cattrs by itself makes "None" of a null and 7 of a "7"; here a value of another type than the
model's is an error that says where. Unknown fields are dropped, unknown statuses kept.
"""

import types
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar, Union, get_args, get_origin

from attrs import has
from cattrs import BaseValidationError, Converter, transform_error
from cattrs.cols import list_structure_factory
from cattrs.gen import make_dict_structure_fn

from gitlab_jobs_async.errors import DecodeError
from gitlab_jobs_async.models import (
    Artifact,
    Bridge,
    Commit,
    Job,
    Pipeline,
    Runner,
    RunnerManager,
    User,
)
from gitlab_jobs_async.sansio.responses import Response
from gitlab_jobs_async.statuses import FailureReason, JobStatus

T = TypeVar("T")

_MOST_SHARED = 1024
"""Values remembered for sharing at most: about a megabyte."""


def decode(response: Response, kind: type[T]) -> T:
    """The answer as *kind*, such as `Job` or `list[Job]`.

    Raises:
        DecodeError: it is no JSON, or a field is missing or of another type.
    """
    given = response.json()
    try:
        return _converter.structure(given, kind)
    except (BaseValidationError, TypeError) as error:
        reasons = transform_error(error, format_exception=_reason)
        more = f" (and {len(reasons) - 3} more)" if len(reasons) > 3 else ""
        said = "; ".join(reasons[:3]) + more
        raise DecodeError(said, response.method, response.url) from error


def decode_job_or_bridge(response: Response) -> Job | Bridge:
    """The answer to play, which is a Bridge when a trigger job was played."""
    given = response.json()
    is_bridge = isinstance(given, dict) and "downstream_pipeline" in given
    return decode(response, Bridge) if is_bridge else decode(response, Job)


def _reason(error: BaseException, _: type | None) -> str:
    if isinstance(error, KeyError):
        return "required field missing"
    return str(error.args[0]) if error.args else type(error).__name__


def _due(expected: str, given: object) -> TypeError:
    names = {dict: "an object", list: "a list", str: "a string", type(None): "null"}
    return TypeError(f"{names.get(type(given), repr(given))} where {expected} was due")


def _string(given: Any, _: Any) -> str:
    if type(given) is str:
        return given
    raise _due("a string", given)


def _integer(given: Any, _: Any) -> int:
    if type(given) is int:
        return given
    raise _due("a whole number", given)


def _boolean(given: Any, _: Any) -> bool:
    if type(given) is bool:
        return given
    raise _due("true or false", given)


def _number(given: Any, _: Any) -> float:
    if type(given) is float or type(given) is int:
        return float(given)
    raise _due("a number", given)


def _number_or_string(given: Any, _: Any) -> float | str | None:
    return given if given is None or type(given) is str else _number(given, _)


def _datetime(given: Any, _: Any) -> datetime:
    if type(given) is not str:
        raise _due("a time", given)
    try:
        at = datetime.fromisoformat(given)
    except ValueError:
        raise TypeError(f"{given[:40]!r} where a time was due") from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


_STATUSES = {status.value: status for status in JobStatus}
_REASONS = {reason.value: reason for reason in FailureReason}


def _status(given: Any, _: Any) -> JobStatus:
    known = _STATUSES.get(given) if type(given) is str else None
    return JobStatus(_string(given, _)) if known is None else known


def _failure_reason(given: Any, _: Any) -> FailureReason:
    known = _REASONS.get(given) if type(given) is str else None
    return FailureReason(_string(given, _)) if known is None else known


Hook = Callable[[Any, Any], Any]


def _by_id(given: dict[str, Any]) -> Any:
    return given.get("id")


def _by_values(given: dict[str, Any]) -> Any:
    return tuple(given.values())


def _sharing(structure: Hook, key_of: Callable[[dict[str, Any]], Any]) -> Hook:
    """Structure equal values once: a page repeats its users, commits, pipelines and artifacts."""
    known: dict[Any, tuple[dict[str, Any], Any]] = {}

    def hook(given: Any, kind: Any) -> Any:
        try:
            key = key_of(given)
            found = known.get(key)
        except (AttributeError, TypeError):
            return structure(given, kind)
        if found is not None and found[0] == given:
            return found[1]
        value = structure(given, kind)
        if len(known) >= _MOST_SHARED:
            known.clear()
        known[key] = (given, value)
        return value

    return hook


def _is_optional(kind: Any) -> bool:
    args = get_args(kind)
    return get_origin(kind) in {Union, types.UnionType} and len(args) == 2 and type(None) in args


def _is_list(kind: Any) -> bool:
    origin: Any = get_origin(kind)
    return origin is list


def _is_tuple(kind: Any) -> bool:
    origin: Any = get_origin(kind)
    return origin is tuple


_EXACT: dict[Any, Hook] = {
    str: _string,
    int: _integer,
    bool: _boolean,
    float: _number,
    float | str | None: _number_or_string,
    datetime: _datetime,
    JobStatus: _status,
    FailureReason: _failure_reason,
}
_SHARED: dict[Any, Callable[[dict[str, Any]], Any]] = {
    Artifact: _by_values,
    Commit: _by_id,
    Pipeline: _by_id,
    Runner: _by_id,
    RunnerManager: _by_id,
    User: _by_id,
}


def _make_converter() -> Converter:
    converter = Converter()

    def object_of(kind: Any) -> Hook:
        structure = make_dict_structure_fn(kind, converter)

        def hook(given: Any, _: Any) -> Any:
            if type(given) is not dict:
                raise _due("an object", given)
            return structure(given, kind)

        return _sharing(hook, _SHARED[kind]) if kind in _SHARED else hook

    def optional(kind: Any) -> Hook:
        inner = next(arg for arg in get_args(kind) if arg is not type(None))
        structure = converter.get_structure_hook(inner)
        return lambda given, _: None if given is None else structure(given, inner)

    def list_of(kind: Any) -> Hook:
        structure = list_structure_factory(kind, converter)

        def hook(given: Any, _: Any) -> Any:
            if type(given) is not list:
                raise _due("a list", given)
            return structure(given, kind)

        return hook

    def tuple_of(kind: Any) -> Hook:
        as_list = list.__class_getitem__(get_args(kind)[:1])
        structure = converter.get_structure_hook(as_list)
        return lambda given, _: () if given is None else tuple(structure(given, as_list))

    converter.register_structure_hook_factory(has, object_of)
    converter.register_structure_hook_factory(_is_optional, optional)
    converter.register_structure_hook_factory(_is_list, list_of)
    converter.register_structure_hook_factory(_is_tuple, tuple_of)
    for kind, hook in _EXACT.items():
        converter.register_structure_hook(kind, hook)
    return converter


_converter = _make_converter()
