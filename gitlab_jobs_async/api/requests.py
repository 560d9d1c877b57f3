"""A request below `/api/v4` as a value; it holds no credential until the transport signs it."""

from collections.abc import Iterable, Mapping
from urllib.parse import urlencode

import orjson
from attrs import field, frozen

TOKEN_PARAMS = frozenset({"access_token", "job_token", "private_token", "token"})
"""Query parameters that GitLab reads credentials from: never shown, never taken from a link."""

Pairs = tuple[tuple[str, str], ...]


def _pairs(given: Mapping[str, str] | Iterable[tuple[str, str]]) -> Pairs:
    return tuple(given.items() if isinstance(given, Mapping) else given)


def _method(method: str) -> str:
    if not method.isascii() or not method.isalpha():
        raise ValueError(f"{method!r} is no HTTP method; allowed are words such as 'GET'")
    return method.upper()


def _path(path: str) -> str:
    if (
        not path.startswith("/")
        or not path.isascii()
        or not path.isprintable()
        or set(path) & set("?# ")
    ):
        raise ValueError(
            f"{path!r} is no path below /api/v4: it begins with '/', is percent-encoded "
            "and has no query, such as '/projects/group%2Fapp/jobs'"
        )
    return path


def _names_only(pairs: Pairs) -> str:
    return f"<{', '.join(name for name, _ in pairs)}>"


@frozen
class Request:
    """One request to GitLab's REST API, for `GitLab.send`.

    `path` stands below `/api/v4` and is percent-encoded already; `params` (a mapping, or pairs
    where a name repeats) and `json` (whatever orjson can write) are not.
    """

    method: str = field(converter=_method)
    path: str = field(converter=_path)
    params: Pairs = field(default=(), converter=_pairs, repr=_names_only)
    json: object = field(default=None, repr=False)
    headers: Pairs = field(default=(), converter=_pairs, repr=_names_only)

    @property
    def target(self) -> str:
        """Path and query as they go on the wire."""
        return f"{self.path}?{urlencode(self.params)}" if self.params else self.path

    @property
    def body(self) -> bytes | None:
        """The JSON body, or `None` where there is none to send."""
        return None if self.json is None else orjson.dumps(self.json)

    @property
    def is_safe(self) -> bool:
        """Whether sending it twice does no more than sending it once."""
        return self.method in {"GET", "HEAD"}
