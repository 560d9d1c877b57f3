"""Checks of listings of a project's jobs."""

from typing import Final

from gitlab_jobs_async.cli.doctor.check import Check, Question, needs_jobs
from gitlab_jobs_async.cli.doctor.findings import Findings, Reply
from gitlab_jobs_async.cli.doctor.questions import PAGE
from gitlab_jobs_async.cli.views.counts import counted

_KEYSET: Final = (15, 9)
# The headers came with 18.1 to 18.4; no source names the release.
_BEFORE_HEADERS: Final = (18, 0)
_AFTER_HEADERS: Final = (18, 4)
_SLOW: Final = "long listings are read one page after the other"


def jobs(findings: Findings) -> Check:
    """Check the permission to list jobs."""
    question = Question("list jobs", "GET /projects/:id/jobs", "200")
    reply = findings.reply("jobs")
    if reply.is_good:
        return question.expects("200" if reply.rows else "200, no jobs")
    if reply.is_denied and findings.named_project is None:
        return question.unknown(reply.seen, needs_jobs(findings))
    if reply.is_denied:
        return question.differs(
            reply.seen, "this token may not list the project's jobs", is_harmful=True
        )
    return question.unanswered(reply, needs_jobs(findings))


def order(findings: Findings) -> Check:
    """Check the order of jobs."""
    question = Question("order of jobs", "GET /projects/:id/jobs", "newest id first")
    ids = findings.reply("jobs").ids
    if len(ids) < 2:
        return question.unknown(counted(len(ids), "job"), needs_jobs(findings))
    if ids == sorted(set(ids), reverse=True):
        return question.expects("newest id first")
    return question.differs("another order", "listings miss or repeat jobs", is_harmful=True)


def next_page(findings: Findings) -> Check:
    """Check the link to the next page by keyset."""
    expected = "Link with a cursor (15.9)"
    question = Question("next page", "GET /projects/:id/jobs?pagination=keyset", expected)
    reply = findings.reply("jobs")
    if not _has_more(findings):
        return question.unknown("one page", f"needs a project with more than {PAGE} jobs")
    link = reply.headers.get("link", "")
    if 'rel="next"' not in link:
        return question.differs(
            "no Link", "the client makes cursors, or reads until a page is empty"
        )
    if "cursor=" in link:
        return question.expects("Link with a cursor")
    if findings.is_since(_KEYSET) is False:
        return question.expects("Link by offset", f"an older server; {_SLOW}")
    return question.differs("Link by offset", _SLOW)


def cursor_headers(findings: Findings) -> Check:
    """Check the header with the next cursor."""
    asked = "GET /projects/:id/jobs?pagination=keyset"
    question = Question("X-Next-Cursor", asked, "sent (18.2)")
    if not _has_more(findings):
        return question.unknown("one page", f"needs a project with more than {PAGE} jobs")
    is_sent = bool(findings.reply("jobs").headers.get("x-next-cursor"))
    seen = "sent" if is_sent else "not sent"
    if _is_new(findings) in {None, is_sent}:
        return question.expects(seen)
    return question.differs(seen, "none: Link is enough")


def last_page(findings: Findings) -> Check:
    """Check the cursor of the last page."""
    asked = 'cursor {"_kd":"p"} of GET /projects/:id/jobs'
    question = Question("last page", asked, "the oldest jobs (15.9)")
    reply, ids = findings.reply("last"), findings.reply("jobs").ids
    if findings.is_since(_KEYSET) is False and reply.is_good:
        return question.expects("ignored", f"an older server; {_SLOW}")
    if not reply.is_good:
        if reply.status in {0, 429}:
            return question.unanswered(reply, needs_jobs(findings))
        return question.differs(reply.seen, _SLOW)
    if _are_oldest(reply, ids, has_more=_has_more(findings)):
        return question.expects("the oldest jobs")
    return question.differs("other jobs", _SLOW)


def below_last(findings: Findings) -> Check:
    """Check a cursor without rows below it."""
    asked = "cursor below the lowest id"
    question = Question("below the last job", asked, "500 (18.2), else 200 and no job")
    reply = findings.reply("below")
    if findings.is_since(_KEYSET) is False and reply.is_good and reply.rows:
        return question.expects("ignored", f"an older server; {_SLOW}")
    if reply.is_good and reply.rows:
        return question.differs("jobs", "cursors are ignored: " + _SLOW)
    if reply.is_good or reply.status == 500:
        seen = "500" if reply.status == 500 else "200, no job"
        if _is_new(findings) in {None, reply.status == 500}:
            return question.expects(seen)
        return question.differs(seen, "none: the client asks for no such page")
    if reply.status in {0, 429}:
        return question.unanswered(reply, needs_jobs(findings))
    return question.differs(reply.seen, "none: the client asks for no such page")


def offset(findings: Findings) -> Check:
    """Check the headers of a page by offset."""
    expected = "Link, X-Next-Page; no X-Total"
    question = Question("page by offset", "GET /projects/:id/jobs without keyset", expected)
    reply = findings.reply("offset")
    if not reply.is_good:
        return question.unanswered(reply, needs_jobs(findings))
    names = ("Link", "X-Next-Page", "X-Total")
    sent = [name for name in names if name.lower() in reply.headers]
    seen = ", ".join(sent) or "none of them"
    if sent == ["Link", "X-Next-Page"]:
        return question.expects(seen)
    if "X-Next-Page" in sent or "Link" in sent:
        return question.differs(seen, "none: one of both is enough")
    return question.differs(seen, "pages are read until one is empty")


def _has_more(findings: Findings) -> bool:
    """Return whether the first page of jobs cannot be the only one."""
    first, last = findings.reply("jobs").ids, findings.reply("last").ids
    if "link" in findings.reply("jobs").headers and len(first) == PAGE:
        return True
    return bool(len(first) >= PAGE and last and min(last) < min(first))


def _is_new(findings: Findings) -> bool | None:
    """Return whether the server must have cursor headers, None if it may or may not."""
    release = findings.release
    if release is None or _BEFORE_HEADERS <= release < _AFTER_HEADERS:
        return None
    return release >= _AFTER_HEADERS


def _are_oldest(reply: Reply, newest: list[int], *, has_more: bool) -> bool:
    ids = reply.ids
    if not ids or not newest or ids != sorted(set(ids), reverse=True) or "link" in reply.headers:
        return False
    return min(ids) < min(newest) if has_more else min(ids) == min(newest)
