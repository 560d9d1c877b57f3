"""Accounts of configuration files, and their credentials. Pure."""

from collections.abc import Mapping

from attrs import field, frozen

from gitlab_jobs_async.api.credentials import BearerToken, Credentials, JobToken, PrivateToken
from gitlab_jobs_async.cli.errors import usage_error


@frozen
class Helper:
    """A program that prints the token: a `helper:` value of python-gitlab."""

    kind: str
    command: tuple[str, ...] = field(repr=False)


@frozen
class TLSSettings:
    """Arguments of `TLSConfig` from a configuration, and the source of each.

    They are validated only when used, as those of another server may be wrong.
    """

    values: Mapping[str, str | bool] = field(factory=dict[str, str | bool])
    sources: Mapping[str, str] = field(factory=dict[str, str])


@frozen
class Account:
    """A server with its token and TLS settings."""

    url: str
    credentials: Credentials | Helper | None = None
    tls: TLSSettings = TLSSettings()


@frozen
class KnownAccounts:
    """The accounts of one tool's configuration by name, and its default URL."""

    accounts: Mapping[str, Account] = field(factory=dict[str, Account])
    default: str | None = None
    default_name: str | None = None

    def by_rank(self) -> list[Account]:
        """Return the default account first, then the others in the file's order."""
        first = self.default_name
        return [self.accounts[name] for name in sorted(self.accounts, key=lambda n: n != first)]


def credentials_of(kind: str, token: str) -> Credentials:
    """Return *token* as credentials of a *kind* in python-gitlab's terms."""
    if kind == "oauth_token":
        return BearerToken(token)
    return JobToken(token) if kind == "job_token" else PrivateToken(token)


def usable(kind: str, token: str, where: str) -> Credentials:
    """Return credentials; an error names *where* the token was found."""
    try:
        return credentials_of(kind, token)
    except ValueError as error:
        raise usage_error(f"{where}: {error}") from None
