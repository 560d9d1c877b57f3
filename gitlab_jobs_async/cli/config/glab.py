"""Parser of the configuration file of glab. Pure.

Its format: https://docs.gitlab.com/cli/configuration/. No error quotes a line, which may hold a
token.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from gitlab_jobs_async.cli.config.files import Account, KnownAccounts, TLSSettings, usable
from gitlab_jobs_async.cli.errors import usage_error

_NULL_TAG: Final = re.compile(r"!!null[ \t]+(?=\S)")
"""glab writes `token: !!null glpat-…`, and reads it back as the token."""
_GLAB_FILES: Final = {
    "ca_cert": "ca_file",
    "client_cert": "client_cert",
    "client_key": "client_key",
}


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
            return Account(url, usable(kind, str(token), where), tls)
    return Account(url, tls=tls)


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
