"""All checks of a server, in the order of the report, and the exit code that they give."""

from gitlab_jobs_async.cli.doctor import (
    graphql_checks,
    listing_checks,
    log_checks,
    server_checks,
)
from gitlab_jobs_async.cli.doctor.check import Check
from gitlab_jobs_async.cli.doctor.findings import Findings
from gitlab_jobs_async.cli.errors import FAILED, NOT_FOUND, OK


def checks_of(findings: Findings) -> list[Check]:
    """Return all checks of a server's answers."""
    return [
        server_checks.version(findings),
        server_checks.metadata(findings),
        server_checks.token(findings),
        server_checks.scopes(findings),
        server_checks.projects(findings),
        server_checks.rate_limit(findings),
        listing_checks.jobs(findings),
        listing_checks.order(findings),
        listing_checks.next_page(findings),
        listing_checks.cursor_headers(findings),
        listing_checks.last_page(findings),
        listing_checks.below_last(findings),
        listing_checks.offset(findings),
        log_checks.trace(findings),
        log_checks.byte_ranges(findings),
        log_checks.trace_etag(findings),
        log_checks.job_etag(findings),
        *graphql_checks.questions(findings),
        graphql_checks.updated_at(findings),
    ]


def exit_code(findings: Findings, checks: list[Check]) -> int:
    """Return 4 if what the caller named cannot be read, 1 if a relied-on answer differs, else 0."""
    named = {"jobs": findings.named_project, "projects": findings.named_group}
    if any(findings.reply(name).is_denied for name, given in named.items() if given):
        return NOT_FOUND
    return FAILED if any(check.is_harmful for check in checks) else OK
