"""The proxies that the environment names, read once; netrc, which aiohttp would add, is not."""

from collections.abc import Mapping
from typing import Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from attrs import field, frozen


@frozen
class Proxies:
    """Which proxy leads to a URL; without any, none."""

    _by_scheme: Mapping[str, str] = field(factory=dict[str, str], repr=False)

    @classmethod
    def of_environment(cls) -> Self:
        """What `http_proxy`, `https_proxy` and the system's settings say."""
        return cls(getproxies())

    def to(self, url: str) -> str | None:
        """The proxy's URL, or `None` to go there directly."""
        parts = urlsplit(url)
        proxy = self._by_scheme.get(parts.scheme)
        if proxy is None or proxy_bypass(parts.netloc):
            return None
        return proxy if "://" in proxy else f"http://{proxy}"
