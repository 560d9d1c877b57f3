"""Authentication; follows lib/gitlab/auth/auth_finders.rb and lib/api/api_guard.rb."""

from typing import Final

from gitlab_jobs_async.simulator.api.answers import (
    ApiError,
    forbidden,
    invalid_token,
    json_answer,
    unauthorized,
)
from gitlab_jobs_async.simulator.api.calls import Call, Identity
from gitlab_jobs_async.simulator.records import Job, Token, User

_EXPIRED: Final = "Token is expired. You can either do re-authorization or token refresh."
_REVOKED: Final = "Token was revoked. You have to re-authorize from the user."
_DENIED: Final = "The request requires higher privileges than provided by the access token."
_BLOCKED: Final = {
    "blocked": "Your account has been blocked.",
    "deactivated": "Your account has been deactivated by your administrator.",
    "blocked_pending_approval": "Your account is pending approval from your administrator.",
}


def identify(call: Call) -> Identity | None:
    """Return the caller, None without a token; raise a 401 for an invalid token on any path."""
    query = dict(call.request.query)
    headers = call.request.headers
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    bearer = credentials.strip() if scheme.lower() == "bearer" else ""
    job_tokens = call.world.registry.job_tokens
    # A bearer may be a job token on the routes that admit one.
    if bearer in job_tokens and call.route.permission is not None:
        return _by_job(job_tokens[bearer])
    personal = query.get("private_token") or headers.get("private-token")
    access = personal or bearer or query.get("access_token")
    if access:
        return _by_token(call, access, personal=bool(personal))
    job_token = headers.get("job-token") or query.get("job_token") or query.get("token")
    if job_token:
        if job_token not in job_tokens or call.route.permission is None:
            raise unauthorized()
        return _by_job(job_tokens[job_token])
    return None


def _by_token(call: Call, value: str, *, personal: bool) -> Identity:
    token = call.world.registry.tokens.get(value)
    # PRIVATE-TOKEN does not accept OAuth tokens.
    if token is None or (personal and token.kind == "oauth"):
        raise unauthorized()
    if token.revoked:
        raise invalid_token(_REVOKED)
    if token.expires_at is not None and token.expires_at <= call.now:
        raise invalid_token(_EXPIRED)
    _check_scope(call, token)
    _check_state(token.user)
    return Identity(token.user, token)


def _by_job(job: Job) -> Identity:
    if job.user is None or job.status not in {"running", "canceling"}:
        raise unauthorized()
    _check_state(job.user)
    return Identity(job.user, job=job)


def _check_scope(call: Call, token: Token) -> None:
    enough = ["api"]
    if call.request.method in {"GET", "HEAD"}:
        enough += ["read_api", *call.route.scopes]
    if "*" not in enough and not set(enough) & set(token.scopes):
        body = {
            "error": "insufficient_scope",
            "error_description": _DENIED,
            "scope": " ".join(enough),
        }
        raise ApiError(json_answer(body, 403))


def _check_state(user: User) -> None:
    if user.state != "active":
        raise forbidden(_BLOCKED.get(user.state, "Your account is not active."))
