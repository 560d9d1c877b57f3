"""Who is asking: how each kind of token signs a request; no repr, str or error shows one.

Follows https://docs.gitlab.com/api/rest/authentication/ and, for job tokens,
https://docs.gitlab.com/api/jobs/#get-job-tokens-job
"""

from collections.abc import Mapping
from typing import Literal

from attrs import evolve, field, frozen
from attrs.validators import in_

from gitlab_jobs_async.sansio.requests import Request

GITLAB_COM = "https://gitlab.com"


def _token(token: str) -> str:
    if not isinstance(token, str):
        raise TypeError(f"a token must be a string, not {type(token).__name__}")
    if not token:
        raise ValueError("the token is empty; leave auth out to ask without one")
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise ValueError("the token (not shown) holds a space, a line break or a non-ASCII letter")
    return token


@frozen
class PrivateToken:
    """A personal, project or group access token, sent as `PRIVATE-TOKEN`."""

    token: str = field(converter=_token, repr=False)

    def sign(self, request: Request) -> Request:
        """*request* with the credential on it, for the wire only."""
        return _with_header(request, "PRIVATE-TOKEN", self.token)


@frozen
class BearerToken:
    """An OAuth token, or any other token GitLab takes as `Authorization: Bearer`."""

    token: str = field(converter=_token, repr=False)

    def sign(self, request: Request) -> Request:
        """*request* with the credential on it, for the wire only."""
        return _with_header(request, "Authorization", f"Bearer {self.token}")


@frozen
class JobToken:
    """A `CI_JOB_TOKEN`, good while its job runs.

    It goes as the `JOB-TOKEN` header, as `Authorization: Bearer` (*via* "bearer"), or as the
    query parameter `job_token` (*via* "query", for gateways that strip headers).
    """

    token: str = field(converter=_token, repr=False)
    via: Literal["header", "bearer", "query"] = field(
        default="header", kw_only=True, validator=in_(("header", "bearer", "query"))
    )

    def sign(self, request: Request) -> Request:
        """*request* with the credential on it, for the wire only."""
        if self.via == "query":
            return evolve(request, params=(*request.params, ("job_token", self.token)))
        if self.via == "bearer":
            return _with_header(request, "Authorization", f"Bearer {self.token}")
        return _with_header(request, "JOB-TOKEN", self.token)


Credentials = PrivateToken | BearerToken | JobToken


def _with_header(request: Request, name: str, value: str) -> Request:
    return evolve(request, headers=(*request.headers, (name, value)))


def credentials_from(auth: Credentials | str | None) -> Credentials | None:
    """What a caller gave as `auth`: a string is a private token, `None` is nobody.

    Raises:
        TypeError: it is something else.
        ValueError: the token is empty or cannot be one.
    """
    if auth is None or isinstance(auth, PrivateToken | BearerToken | JobToken):
        return auth
    if isinstance(auth, str):
        return PrivateToken(auth)
    raise TypeError(
        f"auth is a {type(auth).__name__}; allowed are a private token as a string, "
        "PrivateToken, BearerToken, JobToken and None"
    )


def redact(said: bytes, credentials: Credentials | None) -> bytes:
    """What a server or proxy said, without the token it may have echoed."""
    return said if credentials is None else said.replace(credentials.token.encode(), b"[token]")


def from_environment(environ: Mapping[str, str]) -> tuple[str, Credentials | None]:
    """The server and token that environment variables name.

    The URL is `GITLAB_URL`, else `CI_SERVER_URL`, else https://gitlab.com. The token is
    `GITLAB_TOKEN` or `GITLAB_PRIVATE_TOKEN`, else `GITLAB_OAUTH_TOKEN`, else `CI_JOB_TOKEN`; the
    last only for the server of that job, since it is no other server's business.
    """
    named, ci = environ.get("GITLAB_URL"), environ.get("CI_SERVER_URL")
    url = named or ci or GITLAB_COM
    if token := environ.get("GITLAB_TOKEN") or environ.get("GITLAB_PRIVATE_TOKEN"):
        return url, PrivateToken(token)
    if token := environ.get("GITLAB_OAUTH_TOKEN"):
        return url, BearerToken(token)
    if (token := environ.get("CI_JOB_TOKEN")) and ci and url.rstrip("/") == ci.rstrip("/"):
        return url, JobToken(token)
    return url, None
