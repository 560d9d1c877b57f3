"""Requests below `/api/v4` as values, without a credential until the transport signs them."""

from collections.abc import Iterable, Mapping
from urllib.parse import urlencode

import orjson
from attrs import field, frozen

TOKEN_PARAMS = frozenset({"access_token", "job_token", "private_token", "token"})
"""Query parameters with credentials: never shown, never copied from a link."""

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


def _names_only(pairs: Pairs) -> str:
    # A value may be a token.
    return f"<{', '.join(name for name, _ in pairs)}>"


@frozen
class Request:
    """One request to GitLab's REST API, for `GitLab.send`.

    `path` is relative to `/api/v4` and percent-encoded. `params` (a mapping, or pairs if a name
    repeats) and `json` (any value that orjson can write) are encoded when they are sent.
    """

    method: str = field(converter=_method)
    path: str = field(converter=_path)
    params: Pairs = field(default=(), converter=_pairs, repr=_names_only)
    json: object = field(default=None, repr=False)
    headers: Pairs = field(default=(), converter=_pairs, repr=_names_only)

    @property
    def target(self) -> str:
        """Path and query as they are sent."""
        return f"{self.path}?{urlencode(self.params)}" if self.params else self.path

    @property
    def body(self) -> bytes | None:
        """The JSON body, or None without one."""
        return None if self.json is None else orjson.dumps(self.json)

    @property
    def is_safe(self) -> bool:
        """Whether a repetition has no further effect."""
        return self.method in {"GET", "HEAD"}
