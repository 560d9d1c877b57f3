"""Parser of python-gitlab's configuration files. Pure.

Their format: https://python-gitlab.readthedocs.io/en/stable/cli-usage.html#configuration-files.
No error quotes a line, which may hold a token.
"""

import configparser
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from gitlab_jobs_async.api.credentials import Credentials
from gitlab_jobs_async.cli.config.files import (
    Account,
    Helper,
    KnownAccounts,
    TLSSettings,
    usable,
)
from gitlab_jobs_async.cli.errors import CommandError, usage_error

_KINDS: Final = ("private_token", "oauth_token", "job_token")
_HELPER: Final = "helper:"


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
        return usable(kind, value, f"{kind} of [{section}] in python-gitlab's configuration")
    try:
        command = tuple(shlex.split(value[len(_HELPER) :]))
    except ValueError:
        command = ()
    if not command:
        raise usage_error(f"helper for {kind} in section {section!r}: expected a command")
    return Helper(kind, command)
