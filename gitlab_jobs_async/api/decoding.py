"""Decode responses into models, or raise an error with the path of the unexpected value.

Equal values of the jobs of a page become one object.
"""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from traceback import clear_frames
from typing import Any, TypeVar, get_args, get_origin

from attrs import define, field, frozen

from gitlab_jobs_async.api.endpoints import PER_PAGE
from gitlab_jobs_async.api.responses import Response
from gitlab_jobs_async.api.structuring import (
    EXACT,
    Hook,
    object_of,
    strict_converter,
    structured,
    type_mismatch,
)
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

# Values seen in the response that is being decoded, for each type that repeats.
_shared: list[dict[Any, tuple[dict[str, Any], Any]]] = []


@frozen
class UndecodedRow:
    """A row of a page; only its id has been read."""

    id: int
    value: Any = field(repr=False)


Report = Callable[[str], None]
"""Report the ignored values of a response, at most once for each response."""


def _unreported(_said: str) -> None:
    pass


def decode(response: Response, kind: type[T], report: Report = _unreported) -> T:
    """Return the body as *kind*, such as `Job` or `list[Job]`.

    An optional value of another type is ignored and passed to *report*.

    Raises:
        DecodeError: the body is not JSON, or a required field is missing or of another type.
    """
    with without_collecting():
        return _structured(response.json(), kind, response, report)


def decode_rows(
    response: Response,
    kind: type[T],
    select: Callable[[Sequence[UndecodedRow]], Sequence[UndecodedRow]] | None = None,
    report: Report = _unreported,
) -> list[T]:
    """Return the rows of a page as *kind*; *select* picks them by their ids.

    Raises:
        DecodeError: the body is not a JSON list, is longer than any requested page, or a required
            field is missing or of another type.
    """
    kinds = list[kind]  # type: ignore[valid-type]  # mypy takes no type held in a variable
    with without_collecting():
        return _rows(response, kinds, select, report)


def _rows(
    response: Response,
    kinds: type[list[T]],
    select: Callable[[Sequence[UndecodedRow]], Sequence[UndecodedRow]] | None,
    report: Report,
) -> list[T]:
    given = response.json()
    if type(given) is list and len(given) > PER_PAGE:
        reason = f"expected at most {PER_PAGE} rows, got {len(given)} @ $"
        raise DecodeError(reason, response.method, response.url)
    if select is None:
        return _structured(given, kinds, response, report)
    rows = select(_undecoded(given, kinds, response))
    return _structured([row.value for row in rows], kinds, response, report)


def _undecoded(given: Any, kinds: type[list[T]], response: Response) -> list[UndecodedRow]:
    try:
        rows = [UndecodedRow(EXACT[int](row["id"], int), row) for row in given]
    except (KeyError, TypeError):
        rows = []
    if type(given) is not list or len(rows) != len(given):
        # The models raise the readable error; a page that they accept has ids.
        _structured(given, kinds, response, _unreported)
    return rows


@contextmanager
def without_collecting() -> Iterator[None]:
    """Pause the garbage collector; clear the frames of a `DecodeError`."""
    # A page is thousands of objects without a cycle; the collector costs a fifth of the time.
    was_collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    except DecodeError as error:
        # The response may echo a token, and error reporters collect locals.
        clear_frames(error.__traceback__)
        raise
    finally:
        if was_collecting:
            gc.enable()


def _structured(given: object, kind: type[T], response: Response, report: Report) -> T:
    decoder = _TolerantDecoder(response)
    try:
        with suppress(*_WRONG):
            value: T = _fast.structure(given, kind)
            return value
        # Outside of the block, so that its error, which holds values, is not chained.
        value = decoder.structured(given, kind)
    finally:
        # Kept for one response only: values change, and memory would grow.
        for known in _shared:
            known.clear()
    if decoder.ignored:
        report(decoder.words())
    return value


# Errors of the fast converter, without a path.
_WRONG = (TypeError, ValueError, KeyError)

# Maximum ignored values of one row; with more the row is invalid.
_MAX_IGNORED = 100

_MAX_REPORTED = 3


@define
class _TolerantDecoder:
    """Decoder of a response with undocumented types; it collects the ignored values."""

    response: Response
    ignored: list[str] = field(factory=list)

    def words(self) -> str:
        """Return a summary of the ignored values, with the request and the ids."""
        more = len(self.ignored) - _MAX_REPORTED
        shown = "; ".join(self.ignored[:_MAX_REPORTED]) + (
            f" (and {more} more rows)" if more > 0 else ""
        )
        return f"{self.response.method} {self.response.url}: {shown}"

    def structured(self, given: Any, kind: Any) -> Any:
        """Return *given* as *kind*; decode the rows of a list one by one, up to the first error.

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
            value, ignored = tolerated(given, kind, _tolerant, most=_MAX_IGNORED)
            if kind is Bridge and value.downstream_pipeline is None:
                # A pipeline tree would end here as if it were complete, so this field is required.
                structured(given.get("downstream_pipeline"), _DOWNSTREAM, _tolerant)
        except ValueError as error:
            reason = str(error).replace("@ $", f"@ ${place}")
        else:
            if ignored.count:
                more = ignored.count - len(ignored.reasons)
                words = "; ".join(ignored.reasons) + (f" (and {more} more)" if more else "")
                self.ignored.append(f"{name}: {words}")
            return value
        raise self._error(f"{reason} ({name})" if place and type(number) is int else reason)

    def _error(self, reason: str) -> DecodeError:
        return DecodeError(reason, self.response.method, self.response.url)


def decode_job_or_bridge(response: Response, report: Report = _unreported) -> Job | Bridge:
    """Return the played job, a Bridge if it is a trigger job."""
    with without_collecting():
        return _job_or_bridge(response.json(), response, report)


def _job_or_bridge(given: object, response: Response, report: Report) -> Job | Bridge:
    # Only bridges have this field; it is null until the downstream pipeline exists.
    is_bridge = isinstance(given, dict) and "downstream_pipeline" in given
    if is_bridge:
        return _structured(given, Bridge, response, report)
    return _structured(given, Job, response, report)


# JSON may have a list or object, which is not hashable, in the place of an id.
_KEYS = frozenset({bool, int, str})


def _sharing(structure: Hook, name: str) -> Hook:
    """Return a hook that structures equal values once; the field *name* indexes them."""
    known: dict[Any, tuple[dict[str, Any], Any]] = {}
    _shared.append(known)

    def hook(given: Any, kind: Any) -> Any:
        key = given.get(name) if type(given) is dict else None
        if type(key) not in _KEYS:
            return structure(given, kind)
        found = known.get(key)
        # One id may come with different values: a runner changes while the page is made.
        if found is not None and found[0] == given:
            return found[1]
        value = structure(given, kind)
        known[key] = (given, value)
        return value

    return hook


# Types that the jobs of a page share, and the field that indexes their values.
_SHARED = {
    Commit: "id",
    # GitLab sends a job's project without its id.
    JobProject: "ci_job_token_scope_enabled",
    Pipeline: "id",
    Runner: "id",
    RunnerManager: "id",
    User: "id",
}

_fast = strict_converter(names_places=False)
_fast.register_structure_hook_factory(
    _SHARED.__contains__, lambda kind, inner: _sharing(object_of(kind, inner), _SHARED[kind])
)

# A slower converter for rows that *_fast* refuses.
_tolerant = tolerant_converter({}, {})

_DOWNSTREAM: Any = Pipeline | None
