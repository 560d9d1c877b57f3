"""Say where server, token, certificates and proxies were found, and hide every secret. Pure."""

import re
from collections.abc import Mapping
from typing import Final

from attrs import frozen

from gitlab_jobs_async.api.credentials import BearerToken, Credentials, JobToken, PrivateToken
from gitlab_jobs_async.api.environment import TOKENS, server_in
from gitlab_jobs_async.cli.config.files import Helper
from gitlab_jobs_async.cli.config.resolution import ConfigFiles, ResolvedServer, same_server
from gitlab_jobs_async.cli.options import ServerOptions
from gitlab_jobs_async.http.proxies import Proxy

_PREFIX: Final = re.compile(r"gl[a-z]{1,8}-")
"""Beginnings of GitLab's own tokens: https://docs.gitlab.com/security/tokens/#token-prefixes."""

_CERTIFICATES: Final = (
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "CI_SERVER_TLS_CA_FILE",
    "CI_SERVER_TLS_CERT_FILE",
    "CI_SERVER_TLS_KEY_FILE",
)
_PROXIES: Final = ("https_proxy", "http_proxy", "all_proxy")
_KINDS: Final[Mapping[type, str]] = {
    PrivateToken: "private token",
    BearerToken: "OAuth token",
    JobToken: "CI job token",
}

Fact = tuple[str, object]


@frozen
class _Account:
    """An account of a configuration, and its name in sentences."""

    name: str
    url: str
    credentials: Credentials | Helper | None


def server_facts(
    server: ResolvedServer,
    options: ServerOptions,
    environ: Mapping[str, str],
    files: ConfigFiles,
    *,
    is_usual: bool,
) -> list[Fact]:
    """Return the server and its token, each with its source.

    Unless *is_usual*, the checkout has selected another server than the usual one.
    """
    accounts = _accounts(files)
    url_source = _url_source(server.url, options, environ, files) if is_usual else "checkout"
    return [
        ("server", server.url),
        ("server_source", url_source),
        ("token", hidden(server.credentials)),
        ("token_source", _token_source(server, options, environ, accounts)),
    ]


def hidden(credentials: Credentials | Helper | None) -> str | None:
    """Return the kind of a token and the prefix that GitLab gives to it, nothing else of it."""
    if credentials is None:
        return None
    if isinstance(credentials, Helper):
        return "printed by a helper"
    prefix = _PREFIX.match(credentials.token)
    return f"{_KINDS[type(credentials)]} {prefix[0] if prefix else ''}…"


def _url_source(
    url: str, options: ServerOptions, environ: Mapping[str, str], files: ConfigFiles
) -> str:
    if options.profile is not None:
        return f"--profile {options.profile}"
    if options.url is not None:
        return "--url"
    named = server_in(environ)
    if named is not None:
        return named.variable
    for tool, known in zip(("python-gitlab", "glab"), files.accounts(), strict=True):
        if known.default == url:
            return f"{tool}'s configuration"
    return "default"


def _token_source(
    server: ResolvedServer,
    options: ServerOptions,
    environ: Mapping[str, str],
    accounts: list[_Account],
) -> str | None:
    if server.credentials is None:
        return None
    if options.token is not None:
        return "--token"
    if options.profile is None and not isinstance(server.credentials, Helper):
        for variable in (*TOKENS, "CI_JOB_TOKEN"):
            if environ.get(variable) == server.credentials.token:
                return variable
    for account in accounts:
        if account.credentials == server.credentials and same_server(account.url, server.url):
            return account.name
    return "configuration"


def _accounts(files: ConfigFiles) -> list[_Account]:
    python_gitlab, glab = files.accounts()
    return [
        *(
            _Account(f"[{name}] in python-gitlab's configuration", one.url, one.credentials)
            for name, one in python_gitlab.accounts.items()
        ),
        *(
            _Account(f"{name} in glab's configuration", one.url, one.credentials)
            for name, one in glab.accounts.items()
        ),
    ]


def connection_facts(server: ResolvedServer, environ: Mapping[str, str]) -> list[Fact]:
    """Return certificates and proxies with their sources."""
    found: list[Fact] = []
    if server.tls is not None:
        for name in ("ca_file", "ca_dir", "client_cert", "client_key"):
            found += [(name, f"{one.path} ({one.source})") for one in server.tls.named(name)]
        if not server.tls.verify:
            found.append(("verify", f"off ({server.tls.source('verify')})"))
    found += [(name, environ[name]) for name in _CERTIFICATES if environ.get(name)]
    for name in _PROXIES:
        for variable in (name, name.upper()):
            if value := environ.get(variable):
                found.append((variable, _proxy(variable, value)))
    for variable in ("no_proxy", "NO_PROXY"):
        if value := environ.get(variable):
            found.append((variable, value))
    return found


def _proxy(variable: str, value: str) -> str:
    """Return a proxy without its login."""
    try:
        return Proxy.read(variable, value).url
    except ValueError:
        return "invalid (hidden)"


def file_facts(files: ConfigFiles) -> list[Fact]:
    """Return the configuration files that were read."""
    paths = [*files.python_gitlab, *files.glab]
    return [("config_files", ", ".join(map(str, paths)) or None)]
