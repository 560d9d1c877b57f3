"""Credentials: how each kind of token signs a request. No repr, str or error shows a token.

Follows https://docs.gitlab.com/api/rest/authentication/ and, for job tokens,
https://docs.gitlab.com/api/jobs/#get-job-tokens-job
"""

import html
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, cast
from urllib.parse import quote, quote_plus

import orjson
from attrs import evolve, field, frozen

from gitlab_jobs_async.api.environment import (
    GITLAB_COM,
    NamedServer,
    check_guess,
    chosen_server,
    job_server,
    server_in,
)
from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.api.urls import ServerUrl


def _problem(token: object) -> Exception | None:
    """Return the error of an invalid *token*, without showing it."""
    # The caller raises it after deleting the token: error reporters collect locals.
    if not isinstance(token, str):
        return TypeError(f"the token is a {type(token).__name__}: expected a string")
    if not token:
        return ValueError(
            "the token is empty: expected a token, or no auth= for anonymous requests"
        )
    if not (token.isascii() and token.isprintable()) or " " in token:
        problem = "invalid token (not shown): expected ASCII without spaces or line breaks"
        return ValueError(problem)
    return None


@frozen(init=False)
class PrivateToken:
    """A personal, project or group access token, sent as `PRIVATE-TOKEN`."""

    token: str = field(repr=False)

    def __init__(self, token: str) -> None:
        problem = _problem(token)
        if problem is not None:
            del token
            raise problem
        self.__attrs_init__(token)

    def sign(self, request: Request) -> Request:
        """Return *request* with the credential, for sending only."""
        return _with_header(request, "PRIVATE-TOKEN", self.token)


@frozen(init=False)
class BearerToken:
    """An OAuth token, or any other token that GitLab accepts as `Authorization: Bearer`."""

    token: str = field(repr=False)

    def __init__(self, token: str) -> None:
        problem = _problem(token)
        if problem is not None:
            del token
            raise problem
        self.__attrs_init__(token)

    def sign(self, request: Request) -> Request:
        """Return *request* with the credential, for sending only."""
        return _with_header(request, "Authorization", f"Bearer {self.token}")


Via = Literal["header", "bearer", "query"]


@frozen(init=False)
class JobToken:
    """A `CI_JOB_TOKEN`, valid while its job runs.

    It is sent as the `JOB-TOKEN` header, as `Authorization: Bearer` (*via* "bearer"), or as the
    query parameter `job_token` (*via* "query", for gateways that drop headers).
    """

    token: str = field(repr=False)
    via: Via = field(default="header", kw_only=True)

    def __init__(self, token: str, *, via: Via = "header") -> None:
        problem = _problem(token)
        if problem is None and via not in {"header", "bearer", "query"}:
            problem = ValueError(f"unknown via {via!r}: expected header, bearer or query")
        if problem is not None:
            del token
            raise problem
        self.__attrs_init__(token, via=via)

    def sign(self, request: Request) -> Request:
        """Return *request* with the credential, for sending only."""
        if self.via == "query":
            return evolve(request, params=(*request.params, ("job_token", self.token)))
        if self.via == "bearer":
            return _with_header(request, "Authorization", f"Bearer {self.token}")
        return _with_header(request, "JOB-TOKEN", self.token)


Credentials = PrivateToken | BearerToken | JobToken

CredentialsFunction = Callable[[], Credentials | str | Awaitable[Credentials | str]]
"""A function, plain or async, that returns the credentials of the moment."""

Auth = Credentials | str | CredentialsFunction | None

EXPECTED = "expected a private token as a string, a PrivateToken, BearerToken or JobToken"


def _with_header(request: Request, name: str, value: str) -> Request:
    return evolve(request, headers=(*request.headers, (name, value)))


def credentials_from(auth: Credentials | str | None) -> Credentials | None:
    """Return the credentials for `auth`: a string is a private token, None is anonymous.

    Raises:
        TypeError: *auth* is of another type.
        ValueError: the token is empty or invalid.
    """
    if auth is None or isinstance(auth, PrivateToken | BearerToken | JobToken):
        return auth
    if isinstance(auth, str):
        return PrivateToken(auth)
    raise TypeError(
        f"auth is a {type(auth).__name__}: {EXPECTED}, a function that returns one, or None"
    )


def checked_auth(auth: Auth) -> Credentials | CredentialsFunction | None:
    """Return the credentials for `auth`, or the function that returns them.

    Raises:
        TypeError, ValueError: as `credentials_from`.
    """
    # A class is callable, too.
    if callable(auth) and not isinstance(auth, type):
        return auth
    return credentials_from(cast(Credentials | str | None, auth))


# GitLab's tokens have 20 characters and more. A shorter text could match other words of a
# response, such as "next" in a `Link`.
_MIN_TOKEN_LENGTH = 8


def redactor(credentials: Credentials | None) -> Callable[[str], str]:
    """Return a function that removes the token from a server's text, in any encoding of it.

    A token of less than 8 characters is kept.
    """
    if credentials is None or len(credentials.token) < _MIN_TOKEN_LENGTH:
        return str
    token = credentials.token
    # Servers and proxies echo parts of a request quoted, escaped or in base64.
    written = {
        token,
        quote(token),
        quote(token, safe=""),
        quote_plus(token),
        html.escape(token),
        orjson.dumps(token).decode()[1:-1],
        b64encode(token.encode()).decode(),
    }
    # Longest first: one form may contain another.
    forms = sorted(written, key=len, reverse=True)

    def hide(text: str) -> str:
        for form in forms:
            text = text.replace(form, "[token]")
        return text

    return hide


def from_environment(
    environ: Mapping[str, str], url: str | None = None, *, needs_token: bool = False
) -> tuple[str, Credentials | None]:
    """Return the server and token from environment variables; *url* overrides the server.

    The URL is `GITLAB_URL` or another variable of `environment.CHOSEN`, else that of the CI job,
    else https://gitlab.com. The token is `GITLAB_TOKEN` or `GITLAB_PRIVATE_TOKEN`, else
    `GITLAB_OAUTH_TOKEN`, else `CI_JOB_TOKEN`. The first three belong to the chosen server, the last
    to the job's. A token is sent to no other server.

    Raises:
        ValueError: two variables name different servers, a variable that is not read names another
            server than gitlab.com, or *needs_token* is set and no token was found.
    """
    if url is None:
        named = server_in(environ)
        url = check_guess(environ, GITLAB_COM) if named is None else named.url
    credentials = _token_for(environ, url)
    if credentials is None and needs_token:
        chosen = chosen_server(environ)
        known = "" if chosen is None else f" ({chosen.variable} names {chosen.url})"
        raise ValueError(
            f"no token for {url} in the environment{known}: expected GITLAB_TOKEN, "
            "GITLAB_PRIVATE_TOKEN or GITLAB_OAUTH_TOKEN, or auth="
        )
    return url, credentials


def _token_for(environ: Mapping[str, str], url: str) -> Credentials | None:
    private = environ.get("GITLAB_TOKEN") or environ.get("GITLAB_PRIVATE_TOKEN")
    if token := private or environ.get("GITLAB_OAUTH_TOKEN"):
        chosen = chosen_server(environ)
        # The token of another server would be disclosed to this one.
        if chosen is None or _is_at(url, chosen):
            return PrivateToken(token) if private else BearerToken(token)
    # A job token is valid on the job's own server alone.
    if token := environ.get("CI_JOB_TOKEN"):
        of_job = job_server(environ)
        if of_job is not None and _is_at(url, of_job):
            return JobToken(token)
    return None


def _is_at(url: str, named: NamedServer) -> bool:
    return ServerUrl.parse(url) == named.server
