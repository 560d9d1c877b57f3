"""Checks of logs, and of conditional requests."""

from typing import Final

from gitlab_jobs_async.cli.doctor.check import Check, Question, needs_jobs
from gitlab_jobs_async.cli.doctor.findings import Findings, Problem, Reply

_RANGES: Final = (19, 1)
_WHOLE: Final = "a followed log is read whole whenever it has changed"


def trace(findings: Findings) -> Check:
    """Check the permission to read a log."""
    asked = "GET /projects/:id/jobs/:job_id/trace"
    question = Question("read a log", asked, "200")
    reply = findings.reply("trace")
    if reply.is_good or reply.problem is Problem.TOO_LARGE:
        return question.expects("200")
    if findings.is_job_token and reply.status == 401:
        return question.expects("HTTP 401", "job tokens may not read logs")
    if reply.is_denied:
        return question.differs(reply.seen, "this token may not read logs", is_harmful=True)
    return question.unanswered(reply, needs_jobs(findings))


def byte_ranges(findings: Findings) -> Check:
    """Check that a part of a log can be read."""
    question = Question("byte ranges", "byte_limit=1 of a log", "1 byte (19.1), else the whole log")
    reply = findings.reply("trace")
    if reply.problem is Problem.TOO_LARGE:
        seen, is_ranged = "the whole log", False
    elif not reply.is_good:
        return question.unanswered(reply, needs_jobs(findings))
    elif reply.size == 0:
        return question.unknown("an empty log", "needs a job with a log")
    else:
        is_ranged = reply.size == 1
        seen = "1 byte" if is_ranged else "the whole log"
    expected = findings.is_since(_RANGES)
    if expected is None or expected is is_ranged:
        return question.expects(seen, "" if is_ranged else _WHOLE)
    return question.differs(seen, "none: the client finds out" if is_ranged else _WHOLE)


def trace_etag(findings: Findings) -> Check:
    """Check a conditional request for a log."""
    question = Question("ETag of a log", "If-None-Match of a log", "304")
    first, again = findings.reply("trace"), findings.reply("trace again")
    if first.is_good and first.size == 0:
        return question.unknown("an empty log", "needs a job with a log")
    # A running job may have written more.
    if again.is_good and findings.job_status in {"running", "canceling"}:
        return question.unknown("the log has changed", "needs a project with a finished job")
    return _conditional(question, findings, first, again)


def job_etag(findings: Findings) -> Check:
    """Check a conditional request for JSON."""
    question = Question("ETag of a job", "If-None-Match of a job", "304")
    first, again = findings.reply("job"), findings.reply("job again")
    if findings.is_job_token:
        return question.unknown(first.seen, "job tokens may not read a single job")
    if again.is_good and findings.job_status not in {"success", "failed", "canceled"}:
        return question.unknown("the job has changed", "needs a project with a finished job")
    return _conditional(question, findings, first, again)


def _conditional(question: Question, findings: Findings, first: Reply, again: Reply) -> Check:
    if not first.is_good:
        return question.unanswered(first, needs_jobs(findings))
    if "etag" not in first.headers:
        return question.differs("no ETag", "unchanged answers are sent again")
    if again.status == 304:
        return question.expects("304")
    if again.is_good:
        return question.differs("200", "unchanged answers are sent again")
    return question.unanswered(again, needs_jobs(findings))
