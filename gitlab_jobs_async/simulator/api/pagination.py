"""Pages of both kinds with their headers; rows come newest first.

Follows lib/api/helpers/pagination_strategies.rb and lib/gitlab/pagination/**.
"""

import base64
import hashlib
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import orjson
from attrs import frozen

from gitlab_jobs_async.simulator.api.answers import Answer, error, json_answer
from gitlab_jobs_async.simulator.api.calls import Call
from gitlab_jobs_async.simulator.api.parameters import integer, to_query
from gitlab_jobs_async.simulator.records import Job, Project

MAX_PER_PAGE: Final = 100
_LIMIT_TEXT: Final = (
    "Offset pagination has a maximum allowed offset of {} for requests that return objects of "
    "type Ci::Build. Remaining records can be retrieved using keyset pagination."
)
Present = Callable[[Sequence[Job]], object]
Row = TypeVar("Row")


@frozen
class Window:
    """The page asked for."""

    page: int
    per_page: int

    @property
    def start(self) -> int:
        """The index of its first row."""
        return (self.page - 1) * self.per_page


def window(call: Call) -> Window:
    """`page` and `per_page`, checked, clamped and put back among the parameters."""
    page, per_page = integer(call.params, "page"), integer(call.params, "per_page")
    page, per_page = 1 if page is None else page, 20 if per_page is None else per_page
    if call.settings.positive_pagination:
        for name, value in (("page", page), ("per_page", per_page)):
            if value < 1:
                raise error(400, f"{name} does not have a valid value")
    elif per_page == 0:
        raise error(400, "per_page has a value not allowed")
    page, per_page = max(page, 1), min(per_page if per_page > 0 else 20, MAX_PER_PAGE)
    call.params.update(page=page, per_page=per_page)
    return Window(page, per_page)


def paginated(
    call: Call, rows: Sequence[Row], present: Callable[[Sequence[Row]], object]
) -> Answer:
    """A page of rows that are all there, counted if they are not too many."""
    asked = window(call)
    total = len(rows) if len(rows) <= call.settings.count_limit else None
    shown = rows[asked.start : asked.start + asked.per_page]
    more = len(rows) > asked.start + asked.per_page
    return json_answer(present(shown), 200, offset_headers(call, asked, more=more, total=total))


def offset_headers(
    call: Call, asked: Window, *, more: bool, total: int | None
) -> tuple[tuple[str, str], ...]:
    """`X-*` and `Link` of an offset page; `total` None leaves out what needs counting."""
    pages = None if total is None else max(1, -(-total // asked.per_page))
    following = str(asked.page + 1) if more else ""
    previous = str(asked.page - 1) if asked.page > 1 else ""
    links = [
        (previous, "prev"),
        (following, "next"),
        ("1", "first"),
        ("" if pages is None else str(pages), "last"),
    ]
    link = ", ".join(
        f'<{_url(call, page=int(page), per_page=asked.per_page)}>; rel="{rel}"'
        for page, rel in links
        if page
    )
    headers = [
        ("X-Per-Page", str(asked.per_page)),
        ("X-Page", str(asked.page)),
        ("X-Next-Page", following),
        ("X-Prev-Page", previous),
        ("Link", link),
    ]
    if total is not None and pages is not None:
        headers += [("X-Total", str(total)), ("X-Total-Pages", str(pages))]
    return tuple(headers)


def _url(call: Call, **changes: object) -> str:
    return f"{call.origin}{call.request.path}?{to_query({**call.params, **changes})}"


def project_jobs(
    call: Call, project: Project, fits: Callable[[Job], bool] | None, present: Present
) -> Answer:
    """A page of a project's builds: by keyset if asked for and known, else by offset; uncounted."""
    asked = window(call)
    if call.params.get("pagination") == "keyset" and call.settings.keyset:
        return _keyset(call, project, fits, present)
    limit = call.settings.offset_limit
    if limit and asked.page * asked.per_page > limit:
        raise error(405, _LIMIT_TEXT.format(limit))
    if fits is None:
        stop = max(0, len(project.builds) - asked.start)
        rows = _newest(project, stop, asked.per_page + 1, None)
    else:
        end = asked.start + asked.per_page + 1
        rows = _newest(project, len(project.builds), end, fits)[asked.start :]
    more = len(rows) > asked.per_page
    headers = offset_headers(call, asked, more=more, total=None)
    return json_answer(present(rows[: asked.per_page]), 200, headers)


def _newest(
    project: Project, stop: int, count: int, fits: Callable[[Job], bool] | None
) -> list[Job]:
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


def _keyset(
    call: Call, project: Project, fits: Callable[[Job], bool] | None, present: Present
) -> Answer:
    order, sort = call.params.get("order_by", "id"), call.params.get("sort", "desc")
    if (order, sort) != ("id", "desc"):
        raise error(405, "Keyset pagination is not yet available for this type of request")
    per_page = int(str(call.params["per_page"]))
    cursor = call.params.get("cursor")
    stop, forward = len(project.builds), True
    if cursor:
        job_id, forward = _read_cursor(call, str(cursor))
        stop = project.builds_below(job_id if forward else job_id + 1)
    if forward:
        rows = _newest(project, stop, per_page + 1, fits)
        more, earlier = len(rows) > per_page, bool(cursor)
    else:
        rows, earlier = _newer(project, stop, per_page, fits)
        more = True
    shown = rows[:per_page]
    return json_answer(
        present(shown), 200, _keyset_headers(call, shown, more=more, earlier=earlier)
    )


def _newer(
    project: Project, start: int, count: int, fits: Callable[[Job], bool] | None
) -> tuple[list[Job], bool]:
    found: list[Job] = []
    for index in range(start, len(project.builds)):
        job = project.builds[index]
        if fits is None or fits(job):
            found.append(job)
            if len(found) > count:
                break
    return found[:count][::-1], len(found) > count


def _keyset_headers(
    call: Call, shown: Sequence[Job], *, more: bool, earlier: bool
) -> tuple[tuple[str, str], ...]:
    following = _write_cursor(call, shown[-1].id, "n") if more and shown else ""
    previous = _write_cursor(call, shown[0].id, "p") if earlier and shown else ""
    headers: list[tuple[str, str]] = []
    if call.settings.cursor_headers:
        headers += [("X-NEXT-CURSOR", following), ("X-PREV-CURSOR", previous)]
    if following:
        headers.append(("Link", f'<{_url(call, cursor=following)}>; rel="next"'))
    return tuple(headers)


def _write_cursor(call: Call, job_id: int, direction: str) -> str:
    written = orjson.dumps({"id": str(job_id), "_kd": direction})
    if call.settings.cursor_form == "opaque":
        mark = hashlib.sha256(written).digest()[:6]
        written = mark + bytes(byte ^ 0x5A for byte in written)
    return base64.urlsafe_b64encode(written).decode()


def _read_cursor(call: Call, cursor: str) -> tuple[int, bool]:
    try:
        written = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        if call.settings.cursor_form == "opaque":
            written = _unsealed(written)
        value = orjson.loads(written)
        return int(value["id"]), value.get("_kd", "n") != "p"
    except (ValueError, KeyError, TypeError, AttributeError):
        raise error(call.settings.malformed_cursor_status, "cursor is invalid") from None


def _unsealed(sealed: bytes) -> bytes:
    written = bytes(byte ^ 0x5A for byte in sealed[6:])
    if hashlib.sha256(written).digest()[:6] != sealed[:6]:
        raise ValueError("not one of ours")
    return written
