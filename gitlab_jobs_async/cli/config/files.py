"""Parsers of the configuration files of python-gitlab and glab. Pure.

Their formats: https://python-gitlab.readthedocs.io/en/stable/cli-usage.html#configuration-files
and https://docs.gitlab.com/cli/configuration/. No error quotes a line, which may hold a token.
"""

import configparser
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from attrs import field, frozen

from gitlab_jobs_async.api.credentials import BearerToken, Credentials, JobToken, PrivateToken
from gitlab_jobs_async.cli.errors import CommandError, usage_error

_KINDS: Final = ("private_token", "oauth_token", "job_token")
_HELPER: Final = "helper:"
_NULL_TAG: Final = re.compile(r"!!null[ \t]+(?=\S)")
"""glab writes `token: !!null glpat-…`, and reads it back as the token."""


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


def read_python_gitlab(texts: Mapping[Path, str]) -> KnownAccounts:
    """Return the accounts of the files; a later file overrides an earlier one."""
    parser = configparser.ConfigParser()
    for path, text in texts.items():
        try:
            parser.read_string(text)
        except configparser.Error as error:
            raise _unreadable(path, error) from None
    try:
        default = parser.get("global", "default", fallback=None)
        verify = parser.get("global", "ssl_verify", fallback="")
        accounts = {
            name: _account(parser[name], verify)
            for name in parser.sections()
            if "url" in parser[name]
        }
    except configparser.Error as error:
        raise _unreadable(list(texts)[-1], error) from None
    url = accounts[default].url if default in accounts else None
    return KnownAccounts(accounts, url, default)


def _unreadable(path: Path, error: Exception) -> CommandError:
    return usage_error(f"{path}: expected a configuration file ({type(error).__name__})")


def _usable(kind: str, token: str, where: str) -> Credentials:
    """Return credentials; an error names *where* the token was found."""
    try:
        return credentials_of(kind, token)
    except ValueError as error:
        raise usage_error(f"{where}: {error}") from None


def _account(section: configparser.SectionProxy, verify: str) -> Account:
    tls = _ssl_verify(section.name, section.get("ssl_verify", verify).strip())
    for kind in _KINDS:
        if value := section.get(kind, "").strip():
            return Account(section["url"], _token_or_helper(section.name, kind, value), tls)
    return Account(section["url"], tls=tls)


def _ssl_verify(section: str, value: str) -> TLSSettings:
    """Return settings of `ssl_verify`: a boolean, or a path that replaces the system's store."""
    source = f"ssl_verify of [{section}] in python-gitlab's configuration"
    verify = configparser.ConfigParser.BOOLEAN_STATES.get(value.lower())
    if verify is None and value:
        return TLSSettings({"ca_file": value, "system_store": False}, {"ca_file": source})
    return TLSSettings({"verify": False}, {"verify": source}) if verify is False else TLSSettings()


def _token_or_helper(section: str, kind: str, value: str) -> Credentials | Helper:
    if not value.lower().startswith(_HELPER):
        return _usable(kind, value, f"{kind} of [{section}] in python-gitlab's configuration")
    try:
        command = tuple(shlex.split(value[len(_HELPER) :]))
    except ValueError:
        command = ()
    if not command:
        raise usage_error(f"helper for {kind} in section {section!r}: expected a command")
    return Helper(kind, command)


def read_glab(texts: Mapping[Path, str]) -> KnownAccounts:
    """Return the accounts of the first file."""
    for path, text in texts.items():
        try:
            content = yaml.safe_load(_NULL_TAG.sub("", text))
        except yaml.YAMLError as error:
            raise usage_error(f"{path}: expected YAML{_line(error)}") from None
        except (ValueError, RecursionError):  # an impossible date, a huge number, deep nesting
            raise usage_error(f"{path}: expected YAML") from None
        return _glab_accounts(content)
    return KnownAccounts()


def _line(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return "" if mark is None else f" (line {mark.line + 1})"


def _glab_accounts(content: Any) -> KnownAccounts:
    # An empty file is valid, and loads as None.
    everywhere = content if isinstance(content, dict) else {}
    found = everywhere.get("hosts")
    hosts = found if isinstance(found, dict) else {}
    accounts = {
        str(name): _glab_account(str(name), entry or {}, everywhere)
        for name, entry in hosts.items()
    }
    named = str(everywhere.get("host") or "")
    if not named:
        return KnownAccounts(accounts)
    account = accounts.get(named) or _glab_account(named, {}, everywhere)
    return KnownAccounts(accounts, account.url, named)


def _glab_account(name: str, entry: Any, everywhere: Mapping[str, Any]) -> Account:
    values = entry if isinstance(entry, dict) else {}
    scheme, _, host = str(values.get("api_host") or name).rpartition("://")
    protocol = str(values.get("api_protocol") or scheme or "https")
    folder = str(values.get("subfolder") or "").strip("/")
    url = f"{protocol}://{host}" + (f"/{folder}" if folder else "")
    tls = _glab_tls(name, {**everywhere, **values})
    is_oauth = str(values.get("is_oauth2", "")).lower() == "true"
    kinds = {"token": "oauth_token" if is_oauth else "private_token", "job_token": "job_token"}
    for key, kind in kinds.items():
        if token := values.get(key):
            where = f"{key} of {name} in glab's configuration"
            return Account(url, _usable(kind, str(token), where), tls)
    return Account(url, tls=tls)


_GLAB_FILES: Final = {
    "ca_cert": "ca_file",
    "client_cert": "client_cert",
    "client_key": "client_key",
}


def _glab_tls(name: str, values: Mapping[str, Any]) -> TLSSettings:
    """Return the TLS settings of a host, which override those of the whole file.

    The authorities are added to the system's; see https://docs.gitlab.com/cli/connection/.
    """
    given = {field: key for key, field in _GLAB_FILES.items() if values.get(key)}
    settings: dict[str, str | bool] = {field: str(values[key]) for field, key in given.items()}
    if str(values.get("skip_tls_verify", "")).lower() in {"1", "true", "yes"}:
        given["verify"], settings["verify"] = "skip_tls_verify", False
    where = f"of {name} in glab's configuration"
    return TLSSettings(settings, {field: f"{key} {where}" for field, key in given.items()})
