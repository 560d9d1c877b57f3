"""Selection of server and token: flags, then environment, then configuration files. Pure.

A token is never used for another server than the one it was found for. No error quotes a file,
which may hold a token.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from attrs import field, frozen

from gitlab_jobs_async.api.credentials import Credentials, PrivateToken, from_environment
from gitlab_jobs_async.api.environment import GITLAB_COM, check_guess, server_in
from gitlab_jobs_async.api.urls import ServerUrl
from gitlab_jobs_async.cli import config
from gitlab_jobs_async.cli.config.addresses import Address
from gitlab_jobs_async.cli.config.certificates import tls_config
from gitlab_jobs_async.cli.config.files import (
    Account,
    Helper,
    KnownAccounts,
    TLSSettings,
)
from gitlab_jobs_async.cli.errors import CommandError, usage_error
from gitlab_jobs_async.cli.options import ServerOptions
from gitlab_jobs_async.http.tls_config import TLSConfig

Texts = Mapping[Path, str]


@frozen
class ResolvedServer:
    """URL, credentials and TLS configuration of the selected server."""

    url: str
    credentials: Credentials | Helper | None = None
    tls: TLSConfig | None = None


@frozen
class ConfigFiles:
    """Texts of python-gitlab's files, where a later one overrides, and of glab's file."""

    python_gitlab: Texts = field(factory=dict[Path, str], repr=False)
    glab: Texts = field(factory=dict[Path, str], repr=False)

    def python_gitlab_accounts(self) -> KnownAccounts:
        """Return python-gitlab's accounts."""
        texts = self.python_gitlab
        return config.read_python_gitlab(texts) if texts else KnownAccounts()

    def accounts(self) -> list[KnownAccounts]:
        """Return the accounts of both tools in order of precedence."""
        return [self.python_gitlab_accounts(), self.glab_accounts()]

    def glab_accounts(self) -> KnownAccounts:
        """Return glab's accounts."""
        return config.read_glab(self.glab) if self.glab else KnownAccounts()


def python_gitlab_paths(environ: Mapping[str, str], home: Path) -> list[Path]:
    """Return the paths of python-gitlab's files; `PYTHON_GITLAB_CFG` replaces them."""
    if named := environ.get("PYTHON_GITLAB_CFG"):
        return [Path(named)]
    return [Path("/etc/python-gitlab.cfg"), home / ".python-gitlab.cfg"]


def glab_paths(environ: Mapping[str, str], home: Path) -> list[Path]:
    """Return the paths of glab's file; the first existing one is used."""
    if named := environ.get("GLAB_CONFIG_DIR"):
        return [Path(named) / "config.yml"]
    user = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    system = (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")
    return [folder / "glab-cli" / "config.yml" for folder in (user, *map(Path, system))]


def resolve(
    options: ServerOptions, environ: Mapping[str, str], files: ConfigFiles
) -> ResolvedServer:
    """Select the server, its credentials and its TLS configuration.

    Raises:
        CommandError: a needed file is unreadable, or flags contradict one another.
        ValueError: environment variables or TLS settings contradict one another.
    """
    given = None if options.token is None else PrivateToken(options.token)
    if options.profile is not None:
        account = _profile(options.profile, files)
        # The token of a profile must not reach another server.
        if options.url is not None and not same_server(options.url, account.url):
            raise usage_error(
                f"--url {options.url}: expected the server of profile {options.profile!r}"
            )
        return ResolvedServer(
            account.url, given or account.credentials, tls_config(options, account.tls)
        )
    url = options.url or _named_url(environ) or check_guess(environ, _default_url(files))
    # The environment's token only counts for the environment's server.
    found = given or from_environment(environ, url)[1]
    credentials = found or _token_for(url, files.accounts())
    return ResolvedServer(url, credentials, tls_config(options, _tls_for(url, files)))


def resolve_at(
    options: ServerOptions,
    environ: Mapping[str, str],
    files: ConfigFiles,
    address: Address,
    *,
    is_pasted: bool,
) -> ResolvedServer:
    """Select the server of *address*: the usual one, else a configured one with its own token.

    A pasted URL may differ from the server of the environment, a checkout's remote must not.

    Raises:
        CommandError: flags, or for a checkout the environment, name another server, or no token is
            configured for that of *address*.
    """
    usual = resolve(options, environ, files)
    if address.is_at(ServerUrl.parse(usual.url)):
        return usual
    is_chosen = options.url is not None or options.profile is not None or options.token is not None
    if not is_chosen and (is_pasted or server_in(environ) is None):
        # A token of the environment has no server here, and must not reach a pasted one.
        accounts = [account for known in files.accounts() for account in known.by_rank()]
        known = [one for one in accounts if one.credentials and _has(one.url, address)]
        if known:
            # Of servers on one host, the one with the longer relative root.
            account = max(known, key=lambda one: len(one.url.rstrip("/")))
            return ResolvedServer(
                account.url, account.credentials, tls_config(options, account.tls)
            )
    raise usage_error(
        f"{address.source} is at {address}, but the server is {usual.url}: expected --url "
        f"with --token, or a configured token for {address}"
    )


def _has(url: str, address: Address) -> bool:
    try:
        return address.is_at(ServerUrl.parse(url))
    except ValueError:
        return False


def _named_url(environ: Mapping[str, str]) -> str | None:
    named = server_in(environ)
    return None if named is None else named.url


def _default_url(files: ConfigFiles) -> str:
    return next((known.default for known in files.accounts() if known.default), GITLAB_COM)


def _profile(name: str, files: ConfigFiles) -> Account:
    known = files.python_gitlab_accounts()
    account = known.accounts.get(name)
    if account is None:
        names = ", ".join(sorted(known.accounts))
        expected = f"one of {names}" if names else "none, as it has no configuration file"
        raise usage_error(f"unknown profile {name!r} of python-gitlab: expected {expected}")
    return account


def _at(url: str, known: list[KnownAccounts]) -> list[Account]:
    accounts = [account for one in known for account in one.by_rank()]
    return [account for account in accounts if same_server(account.url, url)]


def _token_for(url: str, known: list[KnownAccounts]) -> Credentials | Helper | None:
    return next((a.credentials for a in _at(url, known) if a.credentials), None)


def _tls_for(url: str, files: ConfigFiles) -> TLSSettings:
    """Return the TLS settings of a server; skip a broken file."""
    for read in (files.python_gitlab_accounts, files.glab_accounts):
        # The file may belong to another tool and another server.
        with suppress(CommandError, ValueError):
            for account in _at(url, [read()]):
                if account.tls.values:
                    return account.tls
    return TLSSettings()


def same_server(one: str, other: str) -> bool:
    """Return whether two URLs are those of one server; False for an invalid one."""
    try:
        return ServerUrl.parse(one) == ServerUrl.parse(other)
    except ValueError:
        return False
