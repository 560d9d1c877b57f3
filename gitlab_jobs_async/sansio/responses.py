"""Status, headers and body -> a Response, or the error it stands for, in the server's own words.

GitLab has four envelopes for errors (lib/api/helpers.rb, lib/api/api.rb, lib/api/api_guard.rb):
`message` with a text or an object, `error` with a text, OAuth's `error` with a description, and
plain text or HTML from what stands before it.
"""

import html
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import orjson
from attrs import field, frozen

from gitlab_jobs_async.errors import (
    AuthenticationError,
    BadRequestError,
    ConflictError,
    DecodeError,
    MethodNotAllowedError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    ResponseError,
    ServerError,
)

_ERRORS: dict[int, type[ResponseError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    405: MethodNotAllowedError,
    409: ConflictError,
    422: BadRequestError,
    429: RateLimitedError,
}
_LONGEST_MESSAGE = 500
_TITLE = re.compile(rb"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_HTML = re.compile(rb"\s*<(!doctype|html|head|body)\b", re.IGNORECASE)


@frozen
class Response:
    """A whole answer. `headers` has lower-case names; `url` holds no credential."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=lambda body: f"<{len(body)} bytes>")
    method: str
    url: str

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            DecodeError: it is an HTML page, cut short, or otherwise no JSON.
        """
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            if _HTML.match(self.body):
                reason = f"an HTML page{_title(self.body)} where JSON was due @ $"
            else:
                reason = f"no JSON, {error} @ $"
            raise DecodeError(reason, self.method, self.url) from error


def error_of(response: Response, now: float) -> ResponseError:
    """The error that an answer other than 2xx stands for; *now* is in unix seconds."""
    status = response.status
    kind = _ERRORS.get(status, ServerError if status >= 500 else ResponseError)
    return kind(
        status,
        _message(response),
        response.method,
        response.url,
        retry_after(response.headers, now),
        response.headers.get("x-request-id"),
    )


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds the server asks to wait, never negative; `None` if it does not say.

    An HTTP date counts from the answer's own `Date`, so that a wrong clock here does no harm.
    """
    given = headers.get("retry-after", "").strip()
    if given.isascii() and given.isdigit():
        return float(given)
    at = _http_date(given)
    if at is None:
        return None
    answered = _http_date(headers.get("date", ""))
    return max(0.0, at - (now if answered is None else answered))


def _http_date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None


def _message(response: Response) -> str:
    try:
        said = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        if _HTML.match(response.body):
            return f"an HTML page{_title(response.body)}"
        said = response.body[: 4 * _LONGEST_MESSAGE].decode(errors="replace")
    return _printable(_words(said)) or "(no message)"


def _words(said: object) -> str:
    match said:
        case {"message": message}:
            return _words(message)
        case {"error": error, "error_description": description}:
            return f"{error}: {description}"
        case {"error": error}:
            return _words(error)
        case dict():
            return "; ".join(f"{field} {_words(problem)}" for field, problem in said.items())
        case list():
            return ", ".join(_words(problem) for problem in said)
        case _:
            return str(said)


def _title(page: bytes) -> str:
    found = _TITLE.search(page)
    if found is None:
        return ""
    return f" titled {_printable(html.unescape(found[1].decode(errors='replace')))!r}"


def _printable(text: str) -> str:
    one_line = " ".join(text.split())[:_LONGEST_MESSAGE]
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in one_line)
