"""Advice about the next step after each kind of error."""

import re
import socket
from datetime import UTC, datetime

import pytest

from gitlab_jobs_async import errors
from gitlab_jobs_async.cli.config.advice import advice
from gitlab_jobs_async.cli.errors import error_line

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
URL = "https://gitlab.example.com"
ARGUMENTS = ("GET", f"{URL}/api/v4/projects/1/jobs")
SCOPE = "insufficient_scope: The request requires higher privileges than provided"


def refused(kind, status, message="no", **fields):
    return kind(status, message, *ARGUMENTS, **fields)


def unreachable(reason, cause=None, kind=errors.ConnectionFailedError):
    error = kind(reason, *ARGUMENTS)
    error.__cause__ = cause
    return error


NAMELESS = unreachable("no connection to x:443: Name or service not known", socket.gaierror())
CASES = [
    (
        refused(errors.AuthenticationError, 401),
        "expired or revoked; gitlab-jobs config",
    ),
    (refused(errors.PermissionDeniedError, 403, SCOPE), "scope api to act, or read_api to read"),
    (refused(errors.PermissionDeniedError, 403), "not allowed to do it, or the job is not in"),
    (refused(errors.NotFoundError, 404), "mistyped, deleted, or hidden from this token"),
    (refused(errors.RateLimitedError, 429), "try again later"),
    (refused(errors.ServerError, 502), "try again later"),
    (unreachable("slow", kind=errors.TimedOutError), "try again later"),
    (unreachable("name it by --ca-file", kind=errors.CertificateError), ""),
    (unreachable("proxy refused the connection: HTTP 407"), "check https_proxy, http_proxy and no"),
    (NAMELESS, "check the host of --url or GITLAB_URL"),
    (unreachable("[SSL] record layer failure"), "begins with the right one of http and https"),
    (unreachable("Connection refused"), f"check that {URL} is right and can be reached"),
    (
        errors.DecodeError("expected JSON, got an HTML page", *ARGUMENTS),
        "a proxy or a sign-in page",
    ),
    (errors.DecodeError("expected a list", *ARGUMENTS), "gitlab-jobs doctor compares"),
    (refused(errors.BadRequestError, 400), ""),
    (refused(errors.BadRequestError, 400, "400 Bad request - Unplayable Job"), "retry runs a"),
    (refused(errors.ResponseError, 302, "redirected to the sign-in page"), "gitlab-jobs config"),
    (
        errors.NotFoundError(404, "no", "GET", f"{URL}/api/v4/projects/1/jobs/2/artifacts"),
        "or the artifacts have expired",
    ),
    (unreachable("response ended before it was complete"), "try again later"),
]


@pytest.mark.parametrize(("error", "words"), CASES)
def test_advice_for_each_error(error, words):
    given = advice(error, URL, NOW, has_token=True)
    assert words in given
    assert bool(given) == bool(words)
    assert f"{error_line(error)}; {given}".isprintable()


def test_missing_token_comes_first():
    for error in (CASES[0][0], CASES[3][0]):
        given = advice(error, URL, NOW, has_token=False)
        assert given == f"no token was found for {URL}; gitlab-jobs config shows what was found"


def test_rate_limit_has_its_end():
    error = refused(errors.RateLimitedError, 429, retry_after=600.0)
    given = advice(error, URL, NOW, has_token=True)
    assert re.fullmatch(r"try again in 10 min, at \S+", given)
