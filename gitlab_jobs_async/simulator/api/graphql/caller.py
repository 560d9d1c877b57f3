"""Authentication of GraphQL: lib/gitlab/auth/request_authenticator.rb.

Only personal, project and group access tokens and OAuth tokens are valid, with `api` or `read_api`.
"""

from typing import Final

from gitlab_jobs_async.simulator.api.calls import Request
from gitlab_jobs_async.simulator.api.graphql.failures import failure
from gitlab_jobs_async.simulator.records import Token, User
from gitlab_jobs_async.simulator.registry import Registry

_PARAMETERS: Final = ("private_token", "access_token", "job_token", "token")
_HEADERS: Final = ("private-token", "job-token", "deploy-token", "authorization")
_SCOPES: Final = frozenset({"api", "read_api"})


def caller_of(registry: Registry, request: Request, now: float) -> User | None:
    """Return the calling user, None without a token.

    Raises:
        ApiError: a token is given and none is valid (401), which is so for every job token; or the
            user may not use the API (403).
    """
    query, headers = dict(request.query), request.headers
    token = _token_of(registry, request)
    if token is None:
        given = [query.get(name) for name in _PARAMETERS] + [headers.get(n) for n in _HEADERS]
        if any(value is not None for value in given):
            raise failure(401, "Invalid token")
        return None
    has_expired = token.expires_at is not None and token.expires_at <= now
    if token.revoked or has_expired or not _SCOPES & set(token.scopes):
        raise failure(401, "Invalid token")
    if token.user.state != "active":
        raise failure(403, "API not accessible for user")
    return token.user


def _token_of(registry: Registry, request: Request) -> Token | None:
    query, headers = dict(request.query), request.headers
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    bearer = credentials.strip() if scheme.lower() == "bearer" else query.get("access_token", "")
    # A valid OAuth token wins over a personal one.
    oauth = registry.tokens.get(bearer)
    if oauth is not None and oauth.kind == "oauth":
        return oauth
    personal = query.get("private_token") or headers.get("private-token") or bearer
    token = registry.tokens.get(personal)
    return None if token is None or token.kind == "oauth" else token
