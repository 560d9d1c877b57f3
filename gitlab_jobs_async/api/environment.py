"""Find the server that environment variables name, under the names that common tools read.

glab: https://docs.gitlab.com/cli/ (internal/config/config_mapping.go). CI jobs:
https://docs.gitlab.com/ci/variables/predefined_variables/.
"""

import re
from collections.abc import Mapping
from typing import Self
from urllib.parse import urlsplit

from attrs import frozen

from gitlab_jobs_async.api.urls import ServerUrl

GITLAB_COM = "https://gitlab.com"

CHOSEN = (
    "GITLAB_URL",
    "GITLAB_HOST",  # glab, cosign
    "GL_HOST",  # glab
    "GITLAB_URI",  # glab
    "GITLAB_BASE_URL",  # Terraform's provider
    "GITLAB_API_URL",  # MCP servers
    "GITLAB_API_BASE_URL",
    "GITLAB_API_ENDPOINT",  # the Ruby gem
    "GITLAB_ENDPOINT",
    "GITLAB_SERVER_URL",
    "GITLAB_SERVER",
    "GITLAB_INSTANCE_URL",
    "GITLAB_API_HOST",  # glab
    "GL_URL",  # semantic-release
)
"""Variables that a person sets to choose a server."""

OF_THE_JOB = (
    "CI_SERVER_URL",
    "CI_API_V4_URL",
    "CI_API_GRAPHQL_URL",
    "CI_SERVER_FQDN",
    "CI_SERVER_HOST",
)
"""Variables that GitLab sets in a CI job: its own server, used if none was chosen."""

TOKENS = ("GITLAB_TOKEN", "GITLAB_PRIVATE_TOKEN", "GITLAB_OAUTH_TOKEN")
"""Variables with a token for the chosen server."""

# glab's names for the host of the web pages; the API may have another host.
_OVERRULED_BY_API_HOST = frozenset({"GITLAB_HOST", "GL_HOST", "GITLAB_URI"})

_MAY_NAME_A_SERVER = re.compile(
    r"(?:GITLAB|GLAB|GL)"
    r"(?:_(?:API|BASE|CI|CLIENT|CLOUD|CORP|DEDICATED|DEFAULT|ENTERPRISE|EXTERNAL|HOSTED|HTTPS?|"
    r"INSTANCE|INTERNAL|MANAGED|MY|PRIVATE|PUBLIC|REMOTE|REST|ROOT|SELF|SELFHOSTED|SERVER|SITE|URL|"
    r"V4|WEB))*"
    r"_(?:ADDRESS|API|APIURL|BASE|BASEURL|DOMAIN|ENDPOINT|FQDN|HOST|HOSTNAME|INSTANCE|SERVER|SITE|"
    r"URI|URL)"
)
# CI_API_GRAPHQL_URL is the server's URL with this path.
_GRAPHQL = re.compile(r"/api/graphql/?$")
_LOOKS_LIKE_A_HOST = re.compile(r"(?:\w+://[^\s/]+|localhost|[^\s/]+[.:][^\s/]+)(?:/\S*)?")
_NAMES_A_HOST = re.compile(r"\w+_(?:DOMAIN|FQDN|HOST|HOSTNAME)")
# Values of a switch; any other value of a variable whose name ends in HOST is a host.
_IS_A_WORD = re.compile(r"\d*|yes|no|true|false|on|off|none|null|enabled|disabled", re.IGNORECASE)


@frozen(eq=False, repr=False)
class NamedServer:
    """A server, and the environment variable that names it."""

    variable: str
    url: str
    server: ServerUrl
    is_exact: bool
    """Whether the scheme was given; a bare host leaves it open."""

    @classmethod
    def read(cls, variable: str, value: str) -> Self:
        """Return the server of a URL, or of a host with an optional port and path over https.

        Raises:
            ValueError: *value* does not name a server; the message names *variable*.
        """
        given = value.strip()
        is_exact = "://" in given
        url = given if is_exact else f"https://{given.removeprefix('//')}"
        try:
            return cls(variable, url, ServerUrl.parse(url), is_exact)
        except ValueError as error:
            raise ValueError(f"{variable}: {error}") from None

    @property
    def detail(self) -> tuple[bool, bool, bool]:
        """Sort key by detail: scheme, port, path."""
        parts = urlsplit(self.server.origin)
        return self.is_exact, parts.port is not None, bool(self.server.prefix)

    def agrees_with(self, other: "NamedServer") -> bool:
        """Return whether this name, with at most as much detail, may mean the server of *other*."""
        if self.is_exact and other.is_exact:
            return self.server == other.server
        mine, theirs = urlsplit(self.server.origin), urlsplit(other.server.origin)
        _, has_port, has_path = self.detail
        return (
            mine.hostname == theirs.hostname
            and not (has_port and mine.port != theirs.port)
            and not (has_path and self.server.prefix != other.server.prefix)
        )


def chosen_server(environ: Mapping[str, str]) -> NamedServer | None:
    """Return the server that a person chose by one of `CHOSEN`.

    Raises:
        ValueError: two of them name different servers, or one is invalid.
    """
    servers = _read(environ, CHOSEN)
    # As in glab: the host of the API overrides the host of the web pages.
    if any(named.variable == "GITLAB_API_HOST" for named in servers):
        servers = [named for named in servers if named.variable not in _OVERRULED_BY_API_HOST]
    return _agreed(servers)


def job_server(environ: Mapping[str, str]) -> NamedServer | None:
    """Return the server of the CI job that runs this process.

    Raises:
        ValueError: two of `OF_THE_JOB` name different servers, or one is invalid.
    """
    named = _agreed(_read(environ, OF_THE_JOB))
    if named is None or named.is_exact:
        return named
    # CI_SERVER_FQDN and CI_SERVER_HOST have no scheme, and the latter has no port.
    scheme = environ.get("CI_SERVER_PROTOCOL", "").strip() or "https"
    port = environ.get("CI_SERVER_PORT", "").strip()
    host = named.server.origin.removeprefix("https://")
    if port and urlsplit(named.server.origin).port is None:
        host = f"{host}:{port}"
    return NamedServer.read(named.variable, f"{scheme}://{host}{named.server.prefix}")


def server_in(environ: Mapping[str, str]) -> NamedServer | None:
    """Return the chosen server, else that of the CI job.

    Raises:
        ValueError: two variables name different servers, or one is invalid.
    """
    return chosen_server(environ) or job_server(environ)


def check_guess(environ: Mapping[str, str], url: str) -> str:
    """Return *url*, which no variable names, unless the environment contradicts it.

    Raises:
        ValueError: a variable that is not read seems to name another server, or this is a CI job
            of an unnamed server.
    """
    # A wrong guess would send the token of another server to this one.
    host = urlsplit(url).hostname or ""
    for variable, value in environ.items():
        if not _MAY_NAME_A_SERVER.fullmatch(variable) or variable in CHOSEN:
            continue
        given = value.strip()
        names_one = bool(_NAMES_A_HOST.fullmatch(variable)) and not _IS_A_WORD.fullmatch(given)
        if (names_one or _LOOKS_LIKE_A_HOST.fullmatch(given)) and not _is_at(given, host):
            raise ValueError(
                f"{variable} seems to name another server than {url}, but is not read: "
                "expected GITLAB_URL"
            )
    has_token = any(environ.get(name) for name in TOKENS)
    if url == GITLAB_COM and has_token and environ.get("CI_JOB_TOKEN"):
        raise ValueError(
            f"CI_JOB_TOKEN is set, but no variable names its server {url}: "
            "expected CI_SERVER_URL or GITLAB_URL"
        )
    return url


def _is_at(value: str, host: str) -> bool:
    try:
        named = urlsplit(value if "://" in value else f"//{value}").hostname or ""
    except ValueError:
        return False
    # A subdomain, such as that of the registry, belongs to the same server.
    return named == host or named.endswith(f".{host}")


def _read(environ: Mapping[str, str], variables: tuple[str, ...]) -> list[NamedServer]:
    given = [(name, environ.get(name, "").strip()) for name in variables]
    return [NamedServer.read(name, _GRAPHQL.sub("", value)) for name, value in given if value]


def _agreed(servers: list[NamedServer]) -> NamedServer | None:
    """Return the most detailed name, if all others may mean the same server."""
    if not servers:
        return None
    best = max(servers, key=lambda named: named.detail)
    for other in servers:
        if not other.agrees_with(best):
            raise ValueError(
                f"{best.variable} and {other.variable} name different servers, {best.url} and "
                f"{other.url}: expected one of them unset"
            )
    return best
