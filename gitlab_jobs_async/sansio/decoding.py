"""JSON bytes -> models: an answer as what it should be, or an error that says where it is not.

Equal values that the jobs of a page have in common become one object.
"""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from traceback import clear_frames
from typing import Any, TypeVar

from attrs import field, frozen

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
from gitlab_jobs_async.sansio.exact import EXACT, Hook
from gitlab_jobs_async.sansio.responses import Response
from gitlab_jobs_async.sansio.strict import object_of, strict_converter, structured

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
    except DecodeError as error:
        # What the server sent may echo a token, and error reporters collect locals.
        clear_frames(error.__traceback__)
        raise
    finally:
        if was_collecting:
            gc.enable()


def _structured(given: object, kind: type[T], response: Response) -> T:
    try:
        return structured(given, kind, _converter)
    except ValueError as error:
        said = str(error)
    finally:
        for known in _shared:
            known.clear()
    raise DecodeError(said, response.method, response.url)


def decode_job_or_bridge(response: Response) -> Job | Bridge:
    """The answer to play, which is a Bridge when a trigger job was played."""
    with _without_collecting():
        return _job_or_bridge(response.json(), response)


def _job_or_bridge(given: object, response: Response) -> Job | Bridge:
    is_bridge = isinstance(given, dict) and "downstream_pipeline" in given
    if is_bridge:
        return _structured(given, Bridge, response)
    return _structured(given, Job, response)


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


_SHARED = {
    Commit: "id",
    JobProject: "ci_job_token_scope_enabled",
    Pipeline: "id",
    Runner: "id",
    RunnerManager: "id",
    User: "id",
}
"""What the jobs of a page mostly have in common, and by which field it is found again."""

_converter = strict_converter()
_converter.register_structure_hook_factory(
    _SHARED.__contains__, lambda kind, inner: _sharing(object_of(kind, inner), _SHARED[kind])
)
