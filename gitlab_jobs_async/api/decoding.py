"""Decode responses into models, or raise an error with the path of the unexpected value.

A fast decoder takes the values that GitLab documents, and cattrs decides about all others. Equal
values of the jobs of a page become one object.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from traceback import clear_frames
from typing import TypeVar

from gitlab_jobs_async import api
from gitlab_jobs_async.api.responses import Response
from gitlab_jobs_async.api.rows import Report, Select, check_length
from gitlab_jobs_async.api.wire import WIRE_ERRORS, forgetting_shared, wire_decoder
from gitlab_jobs_async.errors import DecodeError
from gitlab_jobs_async.models.jobs import Bridge, Job

T = TypeVar("T")


def _unreported(_said: str) -> None:
    pass


def decode(response: Response, kind: type[T], report: Report = _unreported) -> T:
    """Return the body as *kind*, an attrs class such as `Job`.

    An optional value of another type is ignored and passed to *report*.

    Raises:
        DecodeError: the body is not JSON, or a required field is missing or of another type.
    """
    with without_collecting(), forgetting_shared():
        return _object(response, kind, report)


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
        return _rows(response, kind, select, report)


def _object(response: Response, kind: type[T], report: Report) -> T:
    with suppress(*WIRE_ERRORS):
        return wire_decoder(kind).decode(response.checked_body())
    # Outside of the block, so that its error, whose frames hold the body, is not chained.
    return api.TolerantDecoder(response, kind).one(response.json(), report)


def _rows(response: Response, kind: type[T], select: Select | None, report: Report) -> list[T]:
    decoder, rows = wire_decoder(kind), None
    with suppress(*WIRE_ERRORS):
        rows = decoder.rows(response.checked_body())
    if rows is None:
        tolerant = api.TolerantDecoder(response, kind)
        given = tolerant.page()
        return tolerant.rows(given if select is None else tolerant.selected(given, select), report)
    check_length(rows, response)
    chosen = rows if select is None else select(rows)
    with suppress(*WIRE_ERRORS):
        return decoder.build(chosen)
    numbers = {id(row): number for number, row in enumerate(rows)}
    tolerant = api.TolerantDecoder(response, kind)
    given = tolerant.page()
    return tolerant.rows([given[numbers[id(row)]] for row in chosen], report)


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


def decode_job_or_bridge(response: Response, report: Report = _unreported) -> Job | Bridge:
    """Return the played job, a Bridge if it is a trigger job."""
    with without_collecting():
        is_bridge = _is_bridge(response)
    return decode(response, Bridge, report) if is_bridge else decode(response, Job, report)


def _is_bridge(response: Response) -> bool:
    given = response.json()
    # Only bridges have this field; it is null until the downstream pipeline exists.
    return isinstance(given, dict) and "downstream_pipeline" in given
