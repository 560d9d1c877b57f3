"""The configuration of python-gitlab and of glab -> the servers they know. Pure.

Their formats: https://python-gitlab.readthedocs.io/en/stable/cli-usage.html#configuration-files
and https://docs.gitlab.com/cli/configuration/. No message quotes a file: a line may hold a token.
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
from gitlab_jobs_async.cli.errors import CommandError, bad_input

_KINDS: Final = ("private_token", "oauth_token", "job_token")
_HELPER: Final = "helper:"
_NULL_TAG: Final = re.compile(r"!!null[ \t]+(?=\S)")
"""glab writes `token: !!null glpat-…`, and reads it back as the token."""


@frozen
class Helper:
    """A program that prints the token; python-gitlab's `helper:` values."""

    kind: str
    command: tuple[str, ...] = field(repr=False)


@frozen
class TLSSettings:
    """What a configuration says of certificates: arguments of `TLSConfig`, and where each stands.

    They are judged only where they are used: another server's may be wrong.
    """

    values: Mapping[str, str | bool] = field(factory=dict[str, str | bool])
    sources: Mapping[str, str] = field(factory=dict[str, str])


@frozen
class Account:
    """One server, the token for it, and how its certificate is checked."""

    url: str
    credentials: Credentials | Helper | None = None
    tls: TLSSettings = TLSSettings()


@frozen
class Known:
    """What one tool's configuration knows: accounts by name, and the URL it takes by default."""

    accounts: Mapping[str, Account] = field(factory=dict[str, Account])
    default: str | None = None
    default_name: str | None = None

    def by_rank(self) -> list[Account]:
        """Return the default account first, the others as the file has them."""
        first = self.default_name
        return [self.accounts[name] for name in sorted(self.accounts, key=lambda n: n != first)]


def credentials_of(kind: str, token: str) -> Credentials:
    """*token* as the *kind* that python-gitlab's configuration calls it."""
    if kind == "oauth_token":
        return BearerToken(token)
    return JobToken(token) if kind == "job_token" else PrivateToken(token)


def read_python_gitlab(texts: Mapping[Path, str]) -> Known:
    """Return the sections of the files, each later one winning."""
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
    return Known(accounts, url, default)


def _unreadable(path: Path, error: Exception) -> CommandError:
    return bad_input(f"{path}: cannot be read as a configuration file ({type(error).__name__})")


def _usable(kind: str, token: str, where: str) -> Credentials:
    """Read *token*; an error says *where* it stands."""
    try:
        return credentials_of(kind, token)
    except ValueError as error:
        raise bad_input(f"{where}: {error}") from None


def _account(section: configparser.SectionProxy, verify: str) -> Account:
    tls = _ssl_verify(section.name, section.get("ssl_verify", verify).strip())
    for kind in _KINDS:
        if value := section.get(kind, "").strip():
            return Account(section["url"], _token_or_helper(section.name, kind, value), tls)
    return Account(section["url"], tls=tls)


def _ssl_verify(section: str, value: str) -> TLSSettings:
    """Return a word for true or false, or the path of what is trusted instead of the system's store."""
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
        raise bad_input(f"the helper for {kind} in section {section!r} cannot be read")
    return Helper(kind, command)


def read_glab(texts: Mapping[Path, str]) -> Known:
    """Return the hosts of the file."""
    for path, text in texts.items():
        try:
            content = yaml.safe_load(_NULL_TAG.sub("", text))
        except yaml.YAMLError as error:
            raise bad_input(f"{path}: cannot be read as YAML{_line(error)}") from None
        except (ValueError, RecursionError):  # an impossible date, a huge number, deep nesting
            raise bad_input(f"{path}: cannot be read as YAML") from None
        return _glab_accounts(content)
    return Known()


def _line(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return "" if mark is None else f" (line {mark.line + 1})"


def _glab_accounts(content: Any) -> Known:
    everywhere = content if isinstance(content, dict) else {}
    found = everywhere.get("hosts")
    hosts = found if isinstance(found, dict) else {}
    accounts = {
        str(name): _glab_account(str(name), entry or {}, everywhere)
        for name, entry in hosts.items()
    }
    named = str(everywhere.get("host") or "")
    if not named:
        return Known(accounts)
    account = accounts.get(named) or _glab_account(named, {}, everywhere)
    return Known(accounts, account.url, named)


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
    """What glab reads of a host, else of the whole file; its authorities are added to the system's.

    See https://docs.gitlab.com/cli/connection/.
    """
    given = {field: key for key, field in _GLAB_FILES.items() if values.get(key)}
    settings: dict[str, str | bool] = {field: str(values[key]) for field, key in given.items()}
    if str(values.get("skip_tls_verify", "")).lower() in {"1", "true", "yes"}:
        given["verify"], settings["verify"] = "skip_tls_verify", False
    where = f"of {name} in glab's configuration"
    return TLSSettings(settings, {field: f"{key} {where}" for field, key in given.items()})
