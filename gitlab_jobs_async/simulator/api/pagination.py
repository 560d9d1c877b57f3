"""Offset pages with their headers; rows are newest first.

Follows lib/api/helpers/pagination_strategies.rb, lib/gitlab/pagination/offset_pagination.rb and
offset_header_builder.rb.
"""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from attrs import frozen

from gitlab_jobs_async.simulator.api.answers import Answer, error, json_answer, server_error
from gitlab_jobs_async.simulator.api.calls import Call
from gitlab_jobs_async.simulator.api.keyset import keyset_page, newest
from gitlab_jobs_async.simulator.api.parameters import integer, to_query
from gitlab_jobs_async.simulator.records import Job, Project

MAX_PER_PAGE: Final = 100
_MAX_OFFSET: Final = 2**63 - 1
_LIMIT_TEXT: Final = (
    "Offset pagination has a maximum allowed offset of {} for requests that return objects of "
    "type Ci::Build. Remaining records can be retrieved using keyset pagination."
)
Present = Callable[[Sequence[Job]], object]
Row = TypeVar("Row")


@frozen
class RequestedPage:
    """The requested page."""

    page: int
    per_page: int

    @property
    def start(self) -> int:
        """The index of its first row."""
        return (self.page - 1) * self.per_page


def page_parameters(call: Call) -> None:
    """Check `page` and `per_page` and store them with their defaults."""
    page, per_page = integer(call.params, "page"), integer(call.params, "per_page")
    page, per_page = 1 if page is None else page, 20 if per_page is None else per_page
    if call.settings.positive_pagination:
        for name, value in (("page", page), ("per_page", per_page)):
            if value < 1:
                raise error(400, f"{name} does not have a valid value")
    elif per_page == 0:
        raise error(400, "per_page has a value not allowed")
    call.params.update(page=page, per_page=per_page)


def requested_page(call: Call) -> RequestedPage:
    """Return the requested page, clamped as Kaminari does."""
    page, per_page = int(str(call.params["page"])), int(str(call.params["per_page"]))
    requested = RequestedPage(max(page, 1), min(per_page if per_page > 0 else 20, MAX_PER_PAGE))
    if requested.start > _MAX_OFFSET:
        raise server_error()  # the database refuses such an OFFSET
    call.params.update(page=requested.page, per_page=requested.per_page)
    return requested


def paginated(
    call: Call, rows: Sequence[Row], present: Callable[[Sequence[Row]], object]
) -> Answer:
    """Return a page of rows, with totals unless there are too many."""
    page_parameters(call)
    requested = requested_page(call)
    total = len(rows) if len(rows) <= call.settings.count_limit else None
    shown = rows[requested.start : requested.start + requested.per_page]
    more = len(rows) > requested.start + requested.per_page
    headers = offset_headers(call, requested, more=more, total=total, empty=not shown)
    return json_answer(present(shown), 200, headers)


def offset_headers(
    call: Call, requested: RequestedPage, *, more: bool, total: int | None, empty: bool
) -> tuple[tuple[str, str], ...]:
    """Return `X-*` and `Link` of an offset page; without `total`, those that need no count.

    An `empty` page past the end has no previous one: `prev_page` of Kaminari is nil out of range.
    """
    pages = None if total is None else max(1, -(-total // requested.per_page))
    following = str(requested.page + 1) if more else ""
    previous = str(requested.page - 1) if requested.page > 1 and not empty else ""
    links = [
        (previous, "prev"),
        (following, "next"),
        ("1", "first"),
        ("" if pages is None else str(pages), "last"),
    ]
    link = ", ".join(
        f'<{_url(call, page=int(page), per_page=requested.per_page)}>; rel="{rel}"'
        for page, rel in links
        if page
    )
    headers = [
        ("X-Per-Page", str(requested.per_page)),
        ("X-Page", str(requested.page)),
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
    """Return a page of a project's builds, by keyset if requested and supported, else by offset."""
    if call.params.get("pagination") == "keyset" and call.settings.features.keyset:
        return keyset_page(call, project, fits, present)
    limit = call.settings.offset_limit
    page, per_page = int(str(call.params["page"])), int(str(call.params["per_page"]))
    if limit and page * per_page > limit:
        raise error(405, _LIMIT_TEXT.format(limit))
    requested = requested_page(call)
    if fits is None:
        stop = max(0, len(project.builds) - requested.start)
        rows = newest(project, stop, requested.per_page + 1, None)
    else:
        end = requested.start + requested.per_page + 1
        rows = newest(project, len(project.builds), end, fits)[requested.start :]
    more = len(rows) > requested.per_page
    shown = rows[: requested.per_page]
    headers = offset_headers(call, requested, more=more, total=None, empty=not shown)
    return json_answer(present(shown), 200, headers)
