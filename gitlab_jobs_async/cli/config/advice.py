"""The next step after an error of the server or the connection, in a few words. Pure."""

from datetime import datetime, timedelta

from gitlab_jobs_async.cli.views.times import ago, local_time
from gitlab_jobs_async.errors import (
    AuthenticationError,
    BadRequestError,
    CertificateError,
    ConnectionFailedError,
    DecodeError,
    GitLabError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    ResponseError,
    ServerError,
    TimedOutError,
)

_HELP = "gitlab-jobs config shows what was found"


def advice(error: GitLabError, url: str, now: datetime, *, has_token: bool) -> str:
    """Return what to do about *error* of the server at *url*; empty if the error says it."""
    words = ""
    match error:
        # GitLab answers 404 for a private project without a token.
        case AuthenticationError() | NotFoundError() if not has_token:
            words = f"no token was found for {url}; {_HELP}"
        case RateLimitedError(retry_after=float(seconds)):
            end = now + timedelta(seconds=seconds)
            words = f"try again {ago(end, now)}, at {local_time(end)}"
        case RateLimitedError() | ServerError() | TimedOutError():
            words = "try again later"
        case ResponseError():
            words = _of_response(error)
        case CertificateError():
            pass  # its reason names --ca-file
        case ConnectionFailedError():
            words = _connection(error, url)
        case DecodeError():
            words = _of_content(error, url)
    return words


def reading_of(error: GitLabError, reading: str) -> str:
    """Return how the first word was read, which *reading* begins with, if it may be wrong."""
    if not isinstance(error, NotFoundError):
        return ""
    # Any number may be that of a project, while a path that exists was read right.
    is_unknown = "project not found" in error.message.casefold()
    return reading if is_unknown or reading.partition(" ")[0].isdigit() else ""


def _of_response(error: ResponseError) -> str:
    words = ""
    match error:
        case AuthenticationError():
            words = f"the token is unknown here, expired or revoked; {_HELP}"
        case PermissionDeniedError():
            words = _permission(error)
        case NotFoundError() if "/artifacts" in error.url:
            words = "mistyped, or the artifacts have expired, were deleted or never existed"
        case NotFoundError():
            words = "mistyped, deleted, or hidden from this token"
        case BadRequestError() if "Unplayable" in error.message:
            words = "only manual and delayed jobs are played; retry runs a finished one again"
        case _ if error.status < 400:
            words = _HELP
    return words


def _of_content(error: DecodeError, url: str) -> str:
    if "HTML" in error.reason:
        return f"a proxy or a sign-in page may answer for {url}; {_HELP}"
    return "gitlab-jobs doctor compares this server with GitLab"


def _permission(error: PermissionDeniedError) -> str:
    # The text of https://docs.gitlab.com/api/rest/troubleshooting/#status-code-403.
    if "insufficient_scope" in error.message:
        return "the token needs the scope api to act, or read_api to read"
    return "the token's user is not allowed to do it, or the job is not in a state for it"


def _connection(error: ConnectionFailedError, url: str) -> str:
    reason = error.reason.lower()
    if reason.startswith("response ended"):
        return "try again later"
    if "proxy" in reason:
        return "check https_proxy, http_proxy and no_proxy"
    if type(error.__cause__).__name__ == "gaierror":  # unknown host
        return "check the host of --url or GITLAB_URL"
    if "ssl" in reason:
        return f"check whether {url} begins with the right one of http and https"
    return f"check that {url} is right and can be reached"
