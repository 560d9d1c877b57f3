"""JSON bytes -> models: an answer as what it should be, or an error that says where it is not.

Equal values that the jobs of a page have in common become one object.
"""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from traceback import clear_frames
from typing import Any, TypeVar, get_args, get_origin

from attrs import define, field, frozen

from gitlab_jobs_async.api.endpoints import PER_PAGE
from gitlab_jobs_async.api.json_types import EXACT, Hook, type_mismatch
from gitlab_jobs_async.api.responses import Response
from gitlab_jobs_async.api.structuring import object_of, strict_converter, structured
from gitlab_jobs_async.api.tolerant import tolerant_converter, tolerated
from gitlab_jobs_async.errors import DecodeError
from gitlab_jobs_async.models.jobs import (
    Bridge,
    Commit,
    Job,
    JobProject,
    Pipeline,
    Runner,
    RunnerManager,
    User,
)

T = TypeVar("T")

_shared: list[dict[Any, tuple[dict[str, Any], Any]]] = []
"""What the answer being decoded has shown so far, for each kind of value it may repeat."""


@frozen
class UndecodedRow:
    """One row of a page, of which only the id has been read."""

    id: int
    value: Any = field(repr=False)


Report = Callable[[str], None]
"""Told in words what was left out of an answer, at most once for each answer."""


def _unreported(_said: str) -> None:
    pass


def decode(response: Response, kind: type[T], report: Report = _unreported) -> T:
    """The answer as *kind*, such as `Job` or `list[Job]`.

    An optional value of another type is left out and told to *report*; it costs nothing else.

    Raises:
        DecodeError: it is no JSON, or a required field is missing or of another type.
    """
    with _without_collecting():
        return _structured(response.json(), kind, response, report)


def decode_rows(
    response: Response,
    kind: type[T],
    wanted: Callable[[Sequence[UndecodedRow]], Sequence[UndecodedRow]] | None = None,
    report: Report = _unreported,
) -> list[T]:
    """A page of *kind*; of its rows only those that *wanted* picks by their ids.

    Raises:
        DecodeError: it is no JSON, no list, longer than any page that is asked for, or a required
            field is missing or of another type.
    """
    kinds = list[kind]  # type: ignore[valid-type]  # mypy takes no type held in a variable
    with _without_collecting():
        return _rows(response, kinds, wanted, report)


def _rows(
    response: Response,
    kinds: type[list[T]],
    wanted: Callable[[Sequence[UndecodedRow]], Sequence[UndecodedRow]] | None,
    report: Report,
) -> list[T]:
    given = response.json()
    if type(given) is list and len(given) > PER_PAGE:
        said = f"{len(given)} rows where at most {PER_PAGE} were due @ $"
        raise DecodeError(said, response.method, response.url)
    if wanted is None:
        return _structured(given, kinds, response, report)
    rows = wanted(_undecoded(given, kinds, response))
    return _structured([row.value for row in rows], kinds, response, report)


def _undecoded(given: Any, kinds: type[list[T]], response: Response) -> list[UndecodedRow]:
    try:
        rows = [UndecodedRow(EXACT[int](row["id"], int), row) for row in given]
    except (KeyError, TypeError):
        rows = []
    if type(given) is not list or len(rows) != len(given):
        # What is wrong is said in the models' words; a page that they take has ids.
        _structured(given, kinds, response, _unreported)
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


def _structured(given: object, kind: type[T], response: Response, report: Report) -> T:
    left_out = _LeftOut(response)
    try:
        with suppress(*_WRONG):
            value: T = _fast.structure(given, kind)
            return value
        # Outside of the block, lest its error stays with another one: it holds values.
        value = left_out.structured(given, kind)
    finally:
        for known in _shared:
            known.clear()
    if left_out.said:
        report(left_out.words())
    return value


_WRONG = (TypeError, ValueError, KeyError)
"""What the converter raises that says no place."""

_MOST_ODD = 100
"""Values of one row that may be left out: more is no row."""

_MOST_SAID = 3


@define
class _LeftOut:
    """Structures an answer that is not as documented, and keeps in words what is left out."""

    response: Response
    said: list[str] = field(factory=list)

    def words(self) -> str:
        """Return what was left out, in short, with the request and the ids."""
        more = len(self.said) - _MOST_SAID
        said = "; ".join(self.said[:_MOST_SAID]) + (f" (and {more} more rows)" if more > 0 else "")
        return f"{self.response.method} {self.response.url}: {said}"

    def structured(self, given: Any, kind: Any) -> Any:
        """Return *given* as *kind*; of a list each row by itself, up to the first that is wrong.

        Raises:
            DecodeError: a required field is missing or of another type.
        """
        if get_origin(kind) is not list:
            return self._one(given, kind, "")
        if type(given) is not list:
            raise self._error(str(type_mismatch("a list", given)) + " @ $")
        (item,) = get_args(kind)
        return [self._row(row, item, number) for number, row in enumerate(given)]

    def _row(self, given: object, kind: Any, number: int) -> Any:
        with suppress(*_WRONG):
            return _fast.structure(given, kind)
        return self._one(given, kind, f"[{number}]")

    def _one(self, given: Any, kind: Any, place: str) -> Any:
        number = given.get("id") if type(given) is dict else None
        name = f"id {number}" if type(number) is int else f"${place}"
        try:
            value, odd = tolerated(given, kind, _tolerant, most=_MOST_ODD)
            if kind is Bridge and value.downstream_pipeline is None:
                # A tree would end here as if it had no more: this one is required where it is.
                structured(given.get("downstream_pipeline"), _DOWNSTREAM, _tolerant)
        except ValueError as error:
            said = str(error).replace("@ $", f"@ ${place}")
        else:
            if odd.count:
                more = odd.count - len(odd.told)
                words = "; ".join(odd.told) + (f" (and {more} more)" if more else "")
                self.said.append(f"{name}: {words}")
            return value
        raise self._error(f"{said} ({name})" if place and type(number) is int else said)

    def _error(self, said: str) -> DecodeError:
        return DecodeError(said, self.response.method, self.response.url)


def decode_job_or_bridge(response: Response, report: Report = _unreported) -> Job | Bridge:
    """The answer to play, which is a Bridge when a trigger job was played."""
    with _without_collecting():
        return _job_or_bridge(response.json(), response, report)


def _job_or_bridge(given: object, response: Response, report: Report) -> Job | Bridge:
    is_bridge = isinstance(given, dict) and "downstream_pipeline" in given
    if is_bridge:
        return _structured(given, Bridge, response, report)
    return _structured(given, Job, response, report)


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

_fast = strict_converter(names_places=False)
_fast.register_structure_hook_factory(
    _SHARED.__contains__, lambda kind, inner: _sharing(object_of(kind, inner), _SHARED[kind])
)

_tolerant = tolerant_converter({}, {})
"""Takes what *_fast* refuses: slower, and so only the rows that need it."""

_DOWNSTREAM: Any = Pipeline | None
