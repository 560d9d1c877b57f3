"""Checks of the server and of the credentials."""

import re
from typing import Final

from gitlab_jobs_async.cli.doctor.check import Check, Question
from gitlab_jobs_async.cli.doctor.findings import Findings

_OLDEST: Final = (15, 0)
_SUPPORTED: Final = (16, 0)
_METADATA: Final = (15, 2)
_OWN_TOKEN: Final = (15, 5)
_BOT: Final = re.compile(r"(project|group)_[0-9]+_bot")
_SCOPE: Final = re.compile(r"[a-z_]{1,40}", re.ASCII)
_THROTTLE: Final = re.compile(r"throttle_[a-z_]{1,60}", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]{1,9}", re.ASCII)
_NEEDS_VERSION: Final = "needs an answer to /version"
_FEW_RIGHTS: Final = "lists jobs and pipelines; no logs, no single job, no GraphQL"


def version(findings: Findings) -> Check:
    """Check the version."""
    question = Question("version", "GET /version", "16.0 or newer")
    release = findings.release
    if release is None:
        reply = findings.reply("version")
        seen = "other text" if reply.is_good else reply.seen
        return question.unknown(seen, "expectations of a release cannot be judged")
    if release < _OLDEST:
        return question.differs(findings.version, "too old to be compared", is_harmful=True)
    if release < _SUPPORTED:
        return question.differs(findings.version, "older than the supported releases, 16 to 19")
    return question.expects(findings.version)


def metadata(findings: Findings) -> Check:
    """Check the metadata."""
    question = Question("metadata", "GET /metadata", "200 (15.2)")
    reply = findings.reply("metadata")
    if reply.is_good:
        return question.expects("200, enterprise" if reply.get("enterprise") is True else "200")
    if reply.status == 404 and findings.is_since(_METADATA) is False:
        return question.expects("HTTP 404", "an older server")
    if reply.status == 404 and findings.is_since(_METADATA):
        return question.differs("HTTP 404", "none: the version is read from /version")
    return question.unanswered(reply, "a job token may not ask")


def token(findings: Findings) -> Check:
    """Check the kind of the credentials."""
    asked = "GET /personal_access_tokens/self, /user"
    question = Question("token", asked, "personal, project, group or OAuth")
    if findings.is_job_token:
        return question.differs("job token", _FEW_RIGHTS)
    kind = _kind(findings)
    if kind is None:
        return question.unanswered(findings.reply("token"), _NEEDS_VERSION)
    return question.expects(*kind)


def _kind(findings: Findings) -> tuple[str, str] | None:
    """Return the kind of an access token with a remark, None if unknown."""
    own, user = findings.reply("token"), findings.reply("user")
    match = _BOT.match(str(user.get("username")))
    if match is not None:
        return f"{match[1]} token", f"sees projects of its {match[1]} only"
    # GitLab refuses every token here that is stored in another table.
    if own.status == 400:
        return "OAuth token", ""
    if own.is_good and user.is_good:
        return "personal token", ""
    if own.is_good:
        return "personal, project or group token", "its user may not be read"
    if user.is_good and findings.is_since(_OWN_TOKEN) is False:
        return "not a job token", "the server is too old to say more (15.5)"
    return None


def scopes(findings: Findings) -> Check:
    """Check the scopes of the token."""
    question = Question("scopes", "GET /personal_access_tokens/self", "read_api or api")
    given = findings.reply("token").get("scopes")
    if not isinstance(given, list):
        reply = findings.reply("token")
        why = "a job token has none" if findings.is_job_token else "the server does not say"
        return question.unknown("other JSON" if reply.is_good else reply.seen, why)
    known = [str(scope) for scope in given if _SCOPE.fullmatch(str(scope))]
    seen = ", ".join(known) or "none"
    if "granular" in known:
        return question.unknown(seen, "each endpoint has a permission of its own")
    if {"api", "read_api"} & set(known):
        return question.expects(seen)
    return question.differs(seen, "GitLab refuses requests with 403", is_harmful=True)


def projects(findings: Findings) -> Check:
    """Check how many projects are known to ask about."""
    has_group = findings.named_group is not None
    asked = "GET /groups/:id/projects" if has_group else "GET /projects?membership=true"
    question = Question("projects", asked, "at least 1 (first page)")
    reply = findings.reply("projects")
    if not reply.is_good:
        if has_group and reply.is_denied:
            return question.differs(reply.seen, "the group cannot be read", is_harmful=True)
        return question.unanswered(reply, "a job token may not ask")
    count = len(reply.ids)
    if count == 0:
        is_named = findings.named_project is not None
        options = "group: --group" if is_named else "project or a group: --project, --group"
        return question.unknown("0", f"name a {options}")
    return question.expects(f"{count}{' or more' if count == 100 else ''}")


def rate_limit(findings: Findings) -> Check:
    """Check the headers of rate limits."""
    expected = "on all answers if a limit is on (18.6)"
    question = Question("rate limit headers", "RateLimit-* of all answers", expected)
    answers = [reply.headers for reply in findings.replies.values()]
    stated = [headers for headers in answers if "ratelimit-limit" in headers]
    if not stated:
        return question.expects(
            "none", "the client learns a limit from a 429; --per-minute states one"
        )
    limit, name = stated[-1]["ratelimit-limit"], stated[-1].get("ratelimit-name", "")
    if not _NUMBER.fullmatch(limit):
        return question.differs("no number", "the client ignores the header")
    shown = f", {name}" if _THROTTLE.fullmatch(name) else ""
    return question.expects(f"{limit} a minute{shown}")
