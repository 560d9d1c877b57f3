"""Which server to ask and as whom: flags, then environment, then configuration files. Pure.

A token belongs to the server it was found for and is never used for another; one that came without
a server goes to the server that is asked anyway. No message quotes a file's text: it may hold one.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from attrs import field, frozen

from gitlab_jobs_async.api.credentials import Credentials, PrivateToken, from_environment
from gitlab_jobs_async.api.environment import GITLAB_COM, check_guess, server_in
from gitlab_jobs_async.api.urls import ServerUrl
from gitlab_jobs_async.cli.config.certificates import tls_config
from gitlab_jobs_async.cli.config.files import (
    Account,
    Helper,
    Known,
    TLSSettings,
    read_glab,
    read_python_gitlab,
)
from gitlab_jobs_async.cli.errors import CommandError, bad_input
from gitlab_jobs_async.cli.options import ServerOptions
from gitlab_jobs_async.http.tls_config import TLSConfig

Texts = Mapping[Path, str]


@frozen
class Address:
    """A server, how to sign requests to it, and how to check its certificate."""

    url: str
    credentials: Credentials | Helper | None = None
    tls: TLSConfig | None = None


@frozen
class ConfigFiles:
    """The files' texts: python-gitlab's, each later one winning, and the glab file that counts."""

    python_gitlab: Texts = field(factory=dict[Path, str], repr=False)
    glab: Texts = field(factory=dict[Path, str], repr=False)

    def python_gitlab_accounts(self) -> Known:
        """What python-gitlab would know."""
        return read_python_gitlab(self.python_gitlab)

    def accounts(self) -> list[Known]:
        """Return all that is known, in the order in which it counts."""
        return [self.python_gitlab_accounts(), self.glab_accounts()]

    def glab_accounts(self) -> Known:
        """What glab would know."""
        return read_glab(self.glab)


def python_gitlab_paths(environ: Mapping[str, str], home: Path) -> list[Path]:
    """Return where python-gitlab looks; a file named by the environment is the only one."""
    if named := environ.get("PYTHON_GITLAB_CFG"):
        return [Path(named)]
    return [Path("/etc/python-gitlab.cfg"), home / ".python-gitlab.cfg"]


def glab_paths(environ: Mapping[str, str], home: Path) -> list[Path]:
    """Return where glab looks; the first file there is counts."""
    if named := environ.get("GLAB_CONFIG_DIR"):
        return [Path(named) / "config.yml"]
    user = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    system = (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")
    return [folder / "glab-cli" / "config.yml" for folder in (user, *map(Path, system))]


def resolve(options: ServerOptions, environ: Mapping[str, str], files: ConfigFiles) -> Address:
    """Return the server and token to use, and what flags and files say of certificates.

    Raises:
        CommandError: a file that is needed cannot be read, or the flags contradict one another.
        ValueError: so do environment variables, or settings for certificates.
    """
    given = None if options.token is None else PrivateToken(options.token)
    if options.profile is not None:
        account = _profile(options.profile, files)
        if options.url is not None and not _same_server(options.url, account.url):
            raise bad_input(
                f"--url {options.url} is not the server of the profile {options.profile!r}"
            )
        return Address(account.url, given or account.credentials, tls_config(options, account.tls))
    url = options.url or _named_url(environ) or check_guess(environ, _default_url(files))
    found = given or from_environment(environ, url)[1]
    credentials = found or _token_for(url, files.accounts())
    return Address(url, credentials, tls_config(options, _tls_for(url, files)))


def _named_url(environ: Mapping[str, str]) -> str | None:
    named = server_in(environ)
    return None if named is None else named.url


def _default_url(files: ConfigFiles) -> str:
    return next((known.default for known in files.accounts() if known.default), GITLAB_COM)


def _profile(name: str, files: ConfigFiles) -> Account:
    known = files.python_gitlab_accounts()
    account = known.accounts.get(name)
    if account is None:
        names = ", ".join(sorted(known.accounts)) or "none"
        raise bad_input(f"there is no profile {name!r} in python-gitlab's configuration: {names}")
    return account


def _at(url: str, known: list[Known]) -> list[Account]:
    accounts = [account for one in known for account in one.by_rank()]
    return [account for account in accounts if _same_server(account.url, url)]


def _token_for(url: str, known: list[Known]) -> Credentials | Helper | None:
    return next((a.credentials for a in _at(url, known) if a.credentials), None)


def _tls_for(url: str, files: ConfigFiles) -> TLSSettings:
    """What the files say of this server's certificate; one that is broken says nothing."""
    for read in (files.python_gitlab_accounts, files.glab_accounts):
        with suppress(CommandError, ValueError):
            for account in _at(url, [read()]):
                if account.tls.values:
                    return account.tls
    return TLSSettings()


def _same_server(one: str, other: str) -> bool:
    try:
        return ServerUrl.parse(one) == ServerUrl.parse(other)
    except ValueError:
        return False
