"""Keyset pages of a project's jobs and their cursors, with GitLab's responses to odd ones.

Follows lib/gitlab/pagination/keyset/{paginator,order,cursor_pager,header_builder}.rb.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Sequence
from typing import Final

import orjson
from attrs import frozen

from gitlab_jobs_async.simulator.api.answers import Answer, error, json_answer, server_error
from gitlab_jobs_async.simulator.api.calls import Call
from gitlab_jobs_async.simulator.api.parameters import to_query
from gitlab_jobs_async.simulator.records import Job, Project

_FORWARD: Final = "n"
_BACKWARD: Final = "p"
_LARGEST: Final = 2**63 - 1
_NUMBER: Final = re.compile(r"\s*([+-]?[0-9]+(?:_[0-9]+)*)")
Fits = Callable[[Job], bool]
Present = Callable[[Sequence[Job]], object]


@frozen
class Cursor:
    """The start of a page: an id and a direction.

    `job_id` None: an end of the list, which `direction` names. GitLab ignores an unknown
    `direction`: it reads forward and sends no headers.
    """

    job_id: int | None
    direction: object

    @property
    def backward(self) -> bool:
        """Whether the page is read towards newer jobs."""
        return self.direction == _BACKWARD


@frozen
class Page:
    """Rows of a page, newest first, and whether GitLab finds a page after and before it."""

    rows: Sequence[Job]
    has_next: bool
    has_previous: bool


def newest(project: Project, stop: int, count: int, fits: Fits | None) -> list[Job]:
    """Return up to *count* of the builds before the index *stop*, newest first."""
    builds = project.builds
    if fits is None:
        return builds[max(0, stop - count) : stop][::-1]
    found: list[Job] = []
    for index in range(stop - 1, -1, -1):
        if fits(builds[index]):
            found.append(builds[index])
            if len(found) == count:
                break
    return found


def _oldest(project: Project, start: int, count: int, fits: Fits | None) -> list[Job]:
    builds = project.builds
    if fits is None:
        return builds[start : start + count]
    found: list[Job] = []
    for index in range(start, len(builds)):
        if fits(builds[index]):
            found.append(builds[index])
            if len(found) == count:
                break
    return found


def keyset_page(call: Call, project: Project, fits: Fits | None, present: Present) -> Answer:
    """Answer a page by keyset; `per_page` has no upper bound here."""
    order, sort = (_word(call, *named) for named in (("order_by", "id"), ("sort", "desc")))
    # Job listings declare only this order for keyset pagination.
    if (order, sort) != ("id", "desc"):
        raise error(405, "Keyset pagination is not yet available for this type of request")
    per_page = int(str(call.params["per_page"]))
    if not 0 < per_page < _LARGEST:
        raise server_error()  # LIMIT 0 makes a page of no row, the database refuses the others
    cursor = _read_cursor(call)
    page = _read_page(project, cursor, per_page, fits)
    return json_answer(present(page.rows), 200, _headers(call, page))


def _word(call: Call, name: str, default: str) -> str:
    value = call.params.get(name)
    if isinstance(value, list | dict):
        raise server_error()  # order_by[]=id: an Array has no to_sym
    return default if value is None else str(value)


def _read_page(project: Project, cursor: Cursor, per_page: int, fits: Fits | None) -> Page:
    total = len(project.builds)
    # One more row than the page shows whether another page follows.
    if cursor.backward:
        at = 0 if cursor.job_id is None else project.builds_below(cursor.job_id + 1)
        found = _oldest(project, at, per_page + 1, fits)
        shown, another = found[:per_page][::-1], len(found) > per_page
        # A page read backward from an id has a next one without any check.
        return Page(shown, has_next=cursor.job_id is not None, has_previous=another)
    at = total if cursor.job_id is None else project.builds_below(cursor.job_id)
    found = newest(project, at, per_page + 1, fits)
    shown, another = found[:per_page], len(found) > per_page
    if cursor.direction != _FORWARD:
        return Page(shown, has_next=False, has_previous=False)
    return Page(shown, has_next=another, has_previous=cursor.job_id is not None)


def _headers(call: Call, page: Page) -> tuple[tuple[str, str], ...]:
    wants_previous = page.has_previous and call.settings.features.cursor_headers
    if not page.rows and (page.has_next or wants_previous):
        raise server_error()  # a cursor is made of the attributes of a row that is nil
    headers: list[tuple[str, str]] = []
    if wants_previous:
        headers.append(("X-PREV-CURSOR", _write_cursor(call, page.rows[0].id, _BACKWARD)))
    if page.has_next:
        following = _write_cursor(call, page.rows[-1].id, _FORWARD)
        if call.settings.features.cursor_headers:
            headers.append(("X-NEXT-CURSOR", following))
        query = to_query({**call.params, "cursor": following})
        headers.append(("Link", f'<{call.origin}{call.request.path}?{query}>; rel="next"'))
    return tuple(headers)


def _write_cursor(call: Call, job_id: int, direction: str) -> str:
    written = orjson.dumps({"id": str(job_id), "_kd": direction})
    if call.settings.cursor_form == "opaque":
        mark = hashlib.sha256(written).digest()[:6]
        written = mark + bytes(byte ^ 0x5A for byte in written)
    return base64.urlsafe_b64encode(written).decode()


def _read_cursor(call: Call) -> Cursor:
    """Read `cursor` as GitLab does; raise a 500 where its code fails."""
    given = call.params.get("cursor")
    if _blank(given):
        return Cursor(None, _FORWARD)
    try:
        value = orjson.loads(_decoded(call, given))
    except ValueError:
        raise server_error() from None
    if not isinstance(value, dict):
        raise server_error()
    direction = value.pop("_kd", None)
    # Without an id only `_kd` counts: the first page or, backward, the last one.
    if not value:
        return Cursor(None, _FORWARD if _blank(direction) else direction)
    if set(value) != {"id"}:
        raise server_error()  # "Incorrect cursor values were given"
    job_id = _as_id(value["id"])
    if job_id is None:  # a comparison with NULL finds no row in either direction
        job_id = _LARGEST if direction == _BACKWARD else -_LARGEST
    return Cursor(job_id, direction)


def _blank(value: object) -> bool:
    """Return whether a JSON value is blank for Rails."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or value is False or value in ([], {})


def _decoded(call: Call, cursor: object) -> bytes:
    """Decode base64 as Ruby's `urlsafe_decode64`: strictly, but for missing padding."""
    if not isinstance(cursor, str):
        raise server_error()
    # Ruby adds missing padding but refuses a wrong one.
    padded = cursor if cursor.endswith("=") else cursor + "=" * (-len(cursor) % 4)
    written = base64.b64decode(padded.replace("-", "+").replace("_", "/"), validate=True)
    return _unsealed(written) if call.settings.cursor_form == "opaque" else written


def _unsealed(sealed: bytes) -> bytes:
    written = bytes(byte ^ 0x5A for byte in sealed[6:])
    if hashlib.sha256(written).digest()[:6] != sealed[:6]:
        raise ValueError("not an opaque cursor")
    return written


def _as_id(value: object) -> int | None:
    """Cast an id as ActiveModel's Integer does: "12x" is 12, "x" is NULL; one too large fails."""
    if isinstance(value, str):
        match = _NUMBER.match(value)
        if match is None:
            return None
        digits = match[1].replace("_", "")
        # A huge number of digits would be slow to parse and is too large anyway.
        number = int(digits) if len(digits) < 25 else _LARGEST + 1
    elif isinstance(value, int | float):
        number = int(value)
    else:
        return None
    if abs(number) > _LARGEST:
        raise server_error()
    return number
