"""JSON bytes -> models. The only module that knows cattrs, and it never coerces.

cattrs by itself makes "None" of a null and 7 of a "7"; here a value of another type than the
model's is an error that says where. Unknown fields are dropped, unknown statuses kept.
"""

import gc
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar, Union, get_args, get_origin

from attrs import field, frozen, has
from cattrs import BaseValidationError, Converter, transform_error
from cattrs.cols import list_structure_factory
from cattrs.gen import make_dict_structure_fn

from gitlab_jobs_async.errors import DecodeError
from gitlab_jobs_async.models import (
    Bridge,
    Commit,
    Job,
    JobProject,
    Pipeline,
    Runner,
    RunnerManager,
    User,
)
from gitlab_jobs_async.sansio.exact import EXACT, WORDS, Hook, due, same
from gitlab_jobs_async.sansio.responses import Response

T = TypeVar("T")

_shared: list[dict[Any, tuple[dict[str, Any], Any]]] = []
"""What the answer being decoded has shown so far, for each kind of value it may repeat."""


@frozen
class UndecodedRow:
    """One row of a page, of which only the id has been read."""

    id: int
    value: Any = field(repr=False)


def decode(response: Response, kind: type[T]) -> T:
    """The answer as *kind*, such as `Job` or `list[Job]`.

    Raises:
        DecodeError: it is no JSON, or a field is missing or of another type.
    """
    with _without_collecting():
        return _structured(response.json(), kind, response)


def decode_rows(
    response: Response,
    kind: type[T],
    wanted: Callable[[Sequence[UndecodedRow]], Sequence[UndecodedRow]] | None = None,
) -> list[T]:
    """A page of *kind*; of its rows only those that *wanted* picks by their ids.

    Raises:
        DecodeError: it is no JSON, no list, or a field is missing or of another type.
    """
    kinds = list[kind]  # type: ignore[valid-type]  # mypy takes no type held in a variable
    if wanted is None:
        return decode(response, kinds)
    with _without_collecting():
        return _decoded(wanted(_undecoded(response, kinds)), kinds, response)


def _decoded(rows: Sequence[UndecodedRow], kinds: type[list[T]], response: Response) -> list[T]:
    return _structured([row.value for row in rows], kinds, response)


def _undecoded(response: Response, kinds: type[list[T]]) -> list[UndecodedRow]:
    given = response.json()
    try:
        rows = [UndecodedRow(EXACT[int](row["id"], int), row) for row in given]
    except (KeyError, TypeError):
        rows = []
    if type(given) is not list or len(rows) != len(given):
        # What is wrong is said in the models' words; a page that they take has ids.
        _structured(given, kinds, response)
    return rows


@contextmanager
def _without_collecting() -> Iterator[None]:
    """A page is thousands of objects and no cycle: looking for some costs a fifth of the time."""
    was_collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_collecting:
            gc.enable()


def _structured(given: object, kind: type[T], response: Response) -> T:
    try:
        return _converter.structure(given, kind)
    except (BaseValidationError, TypeError) as error:
        reasons = transform_error(error, format_exception=_reason)
        more = f" (and {len(reasons) - 3} more)" if len(reasons) > 3 else ""
        said = "; ".join(reasons[:3]) + more
    finally:
        for known in _shared:
            known.clear()
    # Without cattrs' own error: it is a group, and it holds values that may echo a token.
    raise DecodeError(said, response.method, response.url)


def decode_job_or_bridge(response: Response) -> Job | Bridge:
    """The answer to play, which is a Bridge when a trigger job was played."""
    given = response.json()
    is_bridge = isinstance(given, dict) and "downstream_pipeline" in given
    if is_bridge:
        return _structured(given, Bridge, response)
    return _structured(given, Job, response)


def _reason(error: BaseException, _: type | None) -> str:
    if isinstance(error, KeyError):
        return "required field missing"
    return str(error.args[0]) if error.args else type(error).__name__


_KEYS = frozenset({bool, int, str})


def _sharing(structure: Hook, name: str) -> Hook:
    """Structure equal values once; they are known by the field *name* and compared whole."""
    known: dict[Any, tuple[dict[str, Any], Any]] = {}
    _shared.append(known)

    def hook(given: Any, kind: Any) -> Any:
        key = given.get(name) if type(given) is dict else None
        if type(key) not in _KEYS:
            return structure(given, kind)
        found = known.get(key)
        if found is not None and found[0] == given:
            return found[1]
        value = structure(given, kind)
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


_SHARED = {
    Commit: "id",
    JobProject: "ci_job_token_scope_enabled",
    Pipeline: "id",
    Runner: "id",
    RunnerManager: "id",
    User: "id",
}
"""What the jobs of a page mostly have in common, and by which field it is found again."""


def _object_of(kind: Any, converter: Converter) -> Hook:
    structure = make_dict_structure_fn(kind, converter)

    def hook(given: Any, _: Any) -> Any:
        if type(given) is not dict:
            raise due("an object", given)
        return structure(given, kind)

    return _sharing(hook, _SHARED[kind]) if kind in _SHARED else hook


def _optional_of(kind: Any, converter: Converter) -> Hook:
    inner = next(arg for arg in get_args(kind) if arg is not type(None))
    if inner in WORDS:
        return same(inner, WORDS[inner], or_null=True)
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
    as_list = list.__class_getitem__(get_args(kind)[:1])
    structure = converter.get_structure_hook(as_list)
    return lambda given, _: () if given is None else tuple(structure(given, as_list))


def _make_converter() -> Converter:
    converter = Converter()
    converter.register_structure_hook_factory(has, _object_of)
    converter.register_structure_hook_factory(_is_optional, _optional_of)
    converter.register_structure_hook_factory(_is_list, _list_of)
    converter.register_structure_hook_factory(_is_tuple, _tuple_of)
    for kind, hook in EXACT.items():
        converter.register_structure_hook(kind, hook)
    return converter


_converter = _make_converter()
