"""Proxies of the environment, as curl reads them, without netrc.

See https://curl.se/docs/manpage.html#ENVIRONMENT, and for networks in `no_proxy` lib/noproxy.c.
"""

import re
import sys
from base64 import b64encode
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Self
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from attrs import field, frozen

_PORTS = {"http": 80, "https": 443}
_HOST_AND_PORT = re.compile(r"(\[[^\]]+\]|[^:\[\]]+):(\d+)")
_NOT_A_PROXY = (
    "invalid proxy (not shown): expected a URL such as 'http://proxy.example.com:3128', "
    "with a percent-encoded login if it needs one"
)


@frozen
class Proxy:
    """A proxy: its URL without the login, and the login as a header value."""

    url: str
    authorization: str | None = field(default=None, repr=False)

    @classmethod
    def read(cls, variable: str, value: str) -> Self:
        """Parse the *value* of *variable*; without a scheme it is http.

        Raises:
            ValueError: it is not a URL, or aiohttp does not support its scheme.
        """
        try:
            parts = urlsplit(value if "://" in value else f"http://{value}")
            host, port = parts.hostname, parts.port
        except ValueError:
            raise ValueError(f"{variable}: {_NOT_A_PROXY}") from None
        if parts.scheme and parts.scheme not in _PORTS:
            raise ValueError(
                f"{variable}: {parts.scheme}:// proxies are not supported; expected an http:// or "
                "https:// proxy, or the server's host in no_proxy"
            )
        is_odd = parts.path not in {"", "/"} or parts.query or parts.fragment
        if not host or is_odd or re.search(r"[\s\\]", host):
            raise ValueError(f"{variable}: {_NOT_A_PROXY}")
        shown = f"[{host}]" if ":" in host else host
        return cls(f"{parts.scheme}://{shown}:{port or _PORTS[parts.scheme]}", _login(parts))


def _login(parts: SplitResult) -> str | None:
    if parts.username is None:
        return None
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Basic {b64encode(login.encode()).decode()}"


@frozen(eq=False, repr=False)
class _Direct:
    """One entry of `no_proxy`."""

    name: str
    network: IPv4Network | IPv6Network | None
    port: int | None

    @classmethod
    def read(cls, entry: str) -> Self:
        """Parse a host, `.suffix`, `*`, address or network, with or without a port."""
        found = _HOST_AND_PORT.fullmatch(entry)
        host, port = (found[1], int(found[2])) if found else (entry, None)
        try:
            network = ip_network(host.strip("[]"), strict=False)
        except ValueError:
            network = None
        return cls("*" if host == "*" else _plain(host.removeprefix("*")), network, port)

    def matches(self, host: str, port: int | None) -> bool:
        """Return whether the entry matches *host* and *port*."""
        if self.port not in {None, port}:
            return False
        try:
            address = ip_address(host)
        except ValueError:
            # As in curl, a name also stands for its subdomains.
            is_suffix = bool(self.name) and host.endswith(f".{self.name}")
            return is_suffix or self.name in {"*", host}
        return self.name == "*" or (self.network is not None and address in self.network)


def _plain(host: str) -> str:
    name = host.strip(".").lower()
    try:
        return name.encode("idna").decode()
    except ValueError:
        return name


@frozen(eq=False, repr=False)
class Proxies:
    """Proxies by scheme, and the hosts that are reached directly."""

    _named: Mapping[str, tuple[str, str]] = field(factory=dict[str, tuple[str, str]], repr=False)
    """Variable and value for each scheme."""
    _direct: tuple[_Direct, ...] = ()
    _uses_system: bool = False

    @classmethod
    def of_environment(cls, environ: Mapping[str, str]) -> Self:
        """Read the variables, else on macOS and Windows the system's settings."""
        # As in curl, lower case takes precedence and empty variables are ignored. HTTP_PROXY is
        # ignored, too: in a CGI program it is a header of the request.
        every = _first(environ, "all_proxy", "ALL_PROXY")
        named = {
            "http": _first(environ, "http_proxy") or every,
            "https": _first(environ, "https_proxy", "HTTPS_PROXY") or every,
        }
        counting = {scheme: found for scheme, found in named.items() if found is not None}
        no_proxy = _first(environ, "no_proxy", "NO_PROXY") or ("", "")
        direct = tuple(_Direct.read(entry) for entry in re.split(r"[\s,]+", no_proxy[1]) if entry)
        if not counting and sys.platform in {"darwin", "win32"}:
            system = {scheme: ("the system's proxy", url) for scheme, url in getproxies().items()}
            return cls(system, direct, uses_system=True)
        return cls(counting, direct)

    def proxy_for(self, url: str) -> Proxy | None:
        """Return the proxy for *url*, or `None` for a direct connection.

        Raises:
            ValueError: the proxy cannot be used; the message names the variable.
        """
        parts = urlsplit(url)
        found = self._named.get(parts.scheme)
        # Neither a trailing dot nor the zone of an IPv6 address is part of a name in no_proxy.
        host = (parts.hostname or "").rstrip(".").partition("%")[0]
        port = parts.port or _PORTS.get(parts.scheme)
        if found is None or any(entry.matches(host, port) for entry in self._direct):
            return None
        if self._uses_system and proxy_bypass(parts.netloc):
            return None
        # Parsed only now: an invalid proxy for an unused scheme must not fail.
        return Proxy.read(*found)


def _first(environ: Mapping[str, str], *variables: str) -> tuple[str, str] | None:
    given = ((variable, environ.get(variable, "").strip()) for variable in variables)
    return next(((variable, value) for variable, value in given if value), None)
