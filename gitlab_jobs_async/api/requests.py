"""Requests of GitLab's APIs as values, without a credential until the transport signs them."""

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from urllib.parse import quote_plus

import orjson
from attrs import field, frozen

TOKEN_PARAMS = frozenset({"access_token", "job_token", "private_token", "token"})
"""Query parameters with credentials: never shown, never copied from a link."""

REST = "/api/v4"
"""Base of REST's paths."""

GRAPHQL = "/api"
"""Base of the path `/graphql`."""

_PLAIN = re.compile(r"[A-Za-z0-9_.~-]*+")

Pairs = tuple[tuple[str, str], ...]


def _pairs(given: Mapping[str, str] | Iterable[tuple[str, str]]) -> Pairs:
    return tuple(given.items() if isinstance(given, Mapping) else given)


def _method(method: str) -> str:
    if not method.isascii() or not method.isalpha():
        raise ValueError(f"invalid method {method!r}: expected a word such as 'GET'")
    return method.upper()


def _path(path: str) -> str:
    # Errors show the path. A token in a query belongs to `params`, which are redacted.
    if (
        not path.startswith("/")
        or not path.isascii()
        or not path.isprintable()
        or set(path) & set("?# ")
    ):
        raise ValueError(
            f"invalid path {path!r}: expected a percent-encoded path below /api/v4 without a "
            "query, such as '/projects/group%2Fapp/jobs'"
        )
    return path


def _quoted(text: str) -> str:
    # Most names and values are plain words, and a listing has many of them.
    return text if _PLAIN.fullmatch(text) else quote_plus(text)


def _base(base: str) -> str:
    if base not in {REST, GRAPHQL}:
        raise ValueError(f"invalid base {base!r}: expected {REST!r} or {GRAPHQL!r}")
    return base


def _names_only(pairs: Pairs) -> str:
    # A value may be a token.
    return f"<{', '.join(name for name, _ in pairs)}>"


@frozen
class Request:
    """One request to GitLab's API, for `GitLab.send`.

    `path` is relative to *base*, which is `/api/v4`, and percent-encoded. `params` (a mapping, or
    pairs if a name repeats) and `json` (any value that orjson can write) are encoded when they are
    sent. With *is_read_only*, a POST is retried as a GET is.
    """

    method: str = field(converter=_method)
    path: str = field(converter=_path)
    params: Pairs = field(default=(), converter=_pairs, repr=_names_only)
    json: object = field(default=None, repr=False)
    headers: Pairs = field(default=(), converter=_pairs, repr=_names_only)
    base: str = field(default=REST, converter=_base, kw_only=True)
    is_read_only: bool = field(default=False, kw_only=True)

    @cached_property
    def target(self) -> str:
        """Path and query as they are sent."""
        query = "&".join([f"{_quoted(name)}={_quoted(str(value))}" for name, value in self.params])
        return f"{self.path}?{query}" if query else self.path

    @property
    def body(self) -> bytes | None:
        """The JSON body, or None without one."""
        return None if self.json is None else orjson.dumps(self.json)

    @property
    def is_safe(self) -> bool:
        """Whether the method alone promises that the request changes nothing."""
        return self.method in {"GET", "HEAD"}

    @property
    def is_repeatable(self) -> bool:
        """Whether a repetition has no further effect."""
        return self.is_safe or self.is_read_only
