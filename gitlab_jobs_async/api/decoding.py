"""Decode responses into models, or raise an error with the path of the unexpected value.

A fast decoder takes the values that GitLab documents, and cattrs decides about all others. Equal
values of the jobs of a page become one object.
"""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from traceback import clear_frames
from typing import Any, Generic, Protocol, TypeVar

import orjson
from attrs import define, field, frozen

from gitlab_jobs_async.api.endpoints import PER_PAGE
from gitlab_jobs_async.api.responses import Response
from gitlab_jobs_async.api.structuring import EXACT, structured, type_mismatch
from gitlab_jobs_async.api.tolerant import tolerant_converter, tolerated
from gitlab_jobs_async.api.wire import WIRE_ERRORS, forgetting_shared, wire_decoder
from gitlab_jobs_async.errors import DecodeError
from gitlab_jobs_async.models.jobs import Bridge, Job, Pipeline

T = TypeVar("T")


class UndecodedRow(Protocol):
    """A row of a page, of which only the id is known."""

    @property
    def id(self) -> int:
        """The id of the row."""


Select = Callable[[Sequence[Any]], Sequence[Any]]
"""Return those of the `UndecodedRow`s of a page that are to be decoded."""

Report = Callable[[str], None]
"""Report the ignored values of a response, at most once for each response."""


def _unreported(_said: str) -> None:
    pass


def decode(response: Response, kind: type[T], report: Report = _unreported) -> T:
    """Return the body as *kind*, an attrs class such as `Job`.

    An optional value of another type is ignored and passed to *report*.

    Raises:
        DecodeError: the body is not JSON, or a required field is missing or of another type.
    """
    with without_collecting(), forgetting_shared():
        with suppress(*WIRE_ERRORS):
            return wire_decoder(kind).decode(response.checked_body())
        judge = _Judge(response, kind)
        return judge.one(response.json(), report)


def decode_rows(
    response: Response,
    kind: type[T],
    select: Select | None = None,
    report: Report = _unreported,
) -> list[T]:
    """Return the rows of a page as *kind*; *select* picks them by their ids.

    Raises:
        DecodeError: the body is not a JSON list, is longer than any requested page, or a required
            field is missing or of another type.
    """
    with without_collecting(), forgetting_shared():
        decoder = wire_decoder(kind)
        try:
            rows = decoder.rows(response.checked_body())
        except WIRE_ERRORS:
            judge = _Judge(response, kind)
            given = judge.page()
            return judge.rows(given if select is None else judge.selected(given, select), report)
        _check_length(rows, response)
        chosen = rows if select is None else select(rows)
        with suppress(*WIRE_ERRORS):
            return [decoder.build(row) for row in chosen]
        numbers = {id(row): number for number, row in enumerate(rows)}
        judge = _Judge(response, kind)
        given = judge.page()
        return judge.rows([given[numbers[id(row)]] for row in chosen], report)


def _check_length(rows: Sequence[object], response: Response) -> None:
    if len(rows) > PER_PAGE:
        reason = f"expected at most {PER_PAGE} rows, got {len(rows)} @ $"
        raise DecodeError(reason, response.method, response.url)


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


# Maximum ignored values of one row; with more the row is invalid.
_MAX_IGNORED = 100

_MAX_REPORTED = 3


@frozen
class _JsonRow:
    """A row as JSON, and its id."""

    id: int
    value: Any = field(repr=False)


@define
class _Judge(Generic[T]):
    """Decoder of a response that the fast one refused; it collects the values that it ignores."""

    response: Response
    kind: type[T]
    _ignored: list[str] = field(factory=list)

    def page(self) -> list[Any]:
        """Return the rows of the page as JSON.

        Raises:
            DecodeError: it is not a JSON list, or is longer than any requested page.
        """
        given = self.response.json()
        if type(given) is not list:
            raise self._error(str(type_mismatch("a list", given)) + " @ $")
        _check_length(given, self.response)
        return given

    def selected(self, given: list[Any], select: Select) -> list[Any]:
        """Return the rows of *given* that *select* picks by their ids."""
        try:
            rows = [_JsonRow(EXACT[int](row["id"], int), row) for row in given]
        except (KeyError, TypeError):
            # The models raise the readable error; a page that they accept has ids.
            self.rows(given, _unreported)
            rows = []
        return [row.value for row in select(rows)]

    def rows(self, given: Sequence[Any], report: Report) -> list[T]:
        """Decode rows one by one, up to the first error.

        Raises:
            DecodeError: a required field is missing or of another type.
        """
        decoded = [self._row(row, number) for number, row in enumerate(given)]
        self._report(report)
        return decoded

    def one(self, given: Any, report: Report) -> T:
        """Decode one object.

        Raises:
            DecodeError: a required field is missing or of another type.
        """
        decoded = self._tolerated(given, "")
        self._report(report)
        return decoded

    def _row(self, row: Any, number: int) -> T:
        # Most rows of a page are ordinary, and this is the faster way for them.
        with suppress(*WIRE_ERRORS, orjson.JSONEncodeError):
            return wire_decoder(self.kind).decode(orjson.dumps(row))
        return self._tolerated(row, f"[{number}]")

    def _tolerated(self, given: Any, place: str) -> T:
        number = given.get("id") if type(given) is dict else None
        name = f"id {number}" if type(number) is int else f"${place}"
        try:
            value, ignored = tolerated(given, self.kind, _tolerant, most=_MAX_IGNORED)
            if isinstance(value, Bridge) and value.downstream_pipeline is None:
                # A pipeline tree would end here as if it were complete, so this field is required.
                structured(given.get("downstream_pipeline"), _DOWNSTREAM, _tolerant)
        except ValueError as error:
            reason = str(error).replace("@ $", f"@ ${place}")
        else:
            if ignored.count:
                more = ignored.count - len(ignored.reasons)
                words = "; ".join(ignored.reasons) + (f" (and {more} more)" if more else "")
                self._ignored.append(f"{name}: {words}")
            return value
        raise self._error(f"{reason} ({name})" if place and type(number) is int else reason)

    def _error(self, reason: str) -> DecodeError:
        return DecodeError(reason, self.response.method, self.response.url)

    def _report(self, report: Report) -> None:
        """Report the ignored values, if any, with the request and the ids."""
        if not self._ignored:
            return
        more = len(self._ignored) - _MAX_REPORTED
        shown = "; ".join(self._ignored[:_MAX_REPORTED]) + (
            f" (and {more} more rows)" if more > 0 else ""
        )
        report(f"{self.response.method} {self.response.url}: {shown}")


def decode_job_or_bridge(response: Response, report: Report = _unreported) -> Job | Bridge:
    """Return the played job, a Bridge if it is a trigger job."""
    with without_collecting():
        given = response.json()
    # Only bridges have this field; it is null until the downstream pipeline exists.
    if isinstance(given, dict) and "downstream_pipeline" in given:
        return decode(response, Bridge, report)
    return decode(response, Job, report)


# A slower converter, which names the path of an error, for what the fast decoder refuses.
_tolerant = tolerant_converter({}, {})

_DOWNSTREAM: Any = Pipeline | None
