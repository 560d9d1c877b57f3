"""Merge of TLS flags and configuration files into one `TLSConfig`. Pure."""

from typing import Any, Final

from gitlab_jobs_async.cli.config.files import TLSSettings
from gitlab_jobs_async.cli.errors import usage_error
from gitlab_jobs_async.cli.options import ServerOptions
from gitlab_jobs_async.http.tls_config import TLSConfig

# A flag replaces its whole group, as parts of two sources may contradict each other.
_CHECKING: Final = {"ca_file": "--ca-file", "system_store": "--ca-file", "verify": "--insecure"}
_SHOWING: Final = {"client_cert": "--client-cert", "client_key": "--client-key"}


def tls_config(options: ServerOptions, configured: TLSSettings) -> TLSConfig | None:
    """Merge the flags with a file's settings of the server; a flag replaces related settings.

    Raises:
        CommandError: contradicting flags.
        ValueError: contradicting settings.
    """
    if options.insecure and options.ca_file is not None:
        raise usage_error("--insecure and --ca-file: expected one of them")
    flags: dict[str, Any] = {"verify": False} if options.insecure else {}
    for name in ("ca_file", "client_cert", "client_key"):
        if (path := getattr(options, name)) is not None:
            flags[name] = path
    named = {
        field: flag
        for group in (_CHECKING, _SHOWING)
        if group.keys() & flags.keys()
        for field, flag in group.items()
    }
    kept = {name: value for name, value in configured.values.items() if name not in named}
    values: dict[str, Any] = kept | flags
    return TLSConfig(**values, sources={**configured.sources, **named}) if values else None
