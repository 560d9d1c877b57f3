"""Decode with cattrs a response that the fast decoder has refused.

Such a response is rare, so this module and cattrs are loaded when the first one comes.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

import orjson
from attrs import define, field, frozen

from gitlab_jobs_async.api.responses import Response
from gitlab_jobs_async.api.rows import Report, Select, check_length
from gitlab_jobs_async.api.structuring import structured
from gitlab_jobs_async.api.tolerant import tolerant_converter, tolerated
from gitlab_jobs_async.api.value_types import EXACT, type_mismatch
from gitlab_jobs_async.api.wire import WIRE_ERRORS, wire_decoder
from gitlab_jobs_async.errors import DecodeError
from gitlab_jobs_async.models.jobs import Bridge
from gitlab_jobs_async.models.pipelines import PipelineBasic

T = TypeVar("T")

# A slower converter, which names the path of an error.
_tolerant = tolerant_converter({}, {})

_DOWNSTREAM: Any = PipelineBasic | None

# Maximum ignored values of one row; with more the row is invalid.
_MAX_IGNORED = 100

_MAX_REPORTED = 3


@frozen
class _JsonRow:
    """A row as JSON, and its id."""

    id: int
    value: Any = field(repr=False)


@define(eq=False, repr=False)
class TolerantDecoder(Generic[T]):
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
        check_length(given, self.response)
        return given

    def selected(self, given: list[Any], select: Select) -> list[Any]:
        """Return the rows of *given* that *select* picks by their ids."""
        rows: list[_JsonRow] = []
        with suppress(KeyError, TypeError):
            rows = [_JsonRow(EXACT[int](row["id"], int), row) for row in given]
        if len(rows) < len(given):
            # The models raise the readable error; a page that they accept has ids.
            self._decoded(given)
        return [row.value for row in select(rows)]

    def rows(self, given: Sequence[Any], report: Report) -> list[T]:
        """Decode rows one by one, up to the first error.

        Raises:
            DecodeError: a required field is missing or of another type.
        """
        decoded = self._decoded(given)
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

    def _decoded(self, given: Sequence[Any]) -> list[T]:
        return [self._row(row, number) for number, row in enumerate(given)]

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
