"""Responses as values, and the errors of error responses in the server's words.

GitLab has five envelopes for errors (lib/api/helpers.rb, lib/api/api.rb, lib/api/api_guard.rb):
`message` with a text or an object, `error` with a text, OAuth's `error` with a description,
GraphQL's `errors`, and plain text or HTML from a proxy in front of it.
"""

import html
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC
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
from gitlab_jobs_async.models.values import printable

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
_MAX_DEPTH = 5
_MAX_TITLE_OFFSET = 4096
_MAX_WAIT = 1e9
_SMALL = 1024 * 1024
# Minimum average; a list or object from GitLab takes 180 bytes and more.
_BYTES_A_VALUE = 40
_SECONDS = re.compile(r"\d+(\.\d+)?(\s*,\s*\d+(\.\d+)?)*", re.ASCII)
_TITLE = re.compile(rb"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_HTML = re.compile(rb"\s*<(!doctype|html|head|body)\b", re.IGNORECASE)


@frozen
class Response:
    """A complete response; `headers` has lower-case names, `url` has no credential.

    `seconds` is the time from sending the request to the last byte, without any wait before.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=lambda body: f"<{len(body)} bytes>")
    method: str
    url: str
    seconds: float = field(default=0.0, eq=False, repr=False)

    def json(self) -> Any:
        """Return the body as JSON.

        Raises:
            DecodeError: the body is an HTML page, truncated, or otherwise not JSON.
        """
        body = self.checked_body()
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            is_html = _HTML.match(body)
            reason = f"expected JSON, got {'an HTML page' if is_html else error}"
        # Without the page's text or orjson's error, which holds it: it may echo a token.
        raise DecodeError(f"{reason} @ $", self.method, self.url)

    def checked_body(self) -> bytes:
        """Return the body.

        Raises:
            DecodeError: it would need far more memory once it is parsed.
        """
        if reason := _overload(self.body):
            raise DecodeError(f"{reason} @ $", self.method, self.url)
        return self.body


def _overload(body: bytes) -> str:
    """Return the reason to refuse a body that would need far more memory, or an empty string."""
    if len(body) <= _SMALL:
        return ""
    # Two passes in C are cheap; that number of objects would take seconds and memory.
    count = body.count(b"{") + body.count(b"[")
    most = len(body) // _BYTES_A_VALUE
    return f"expected at most {most} lists and objects, got {count}" if count > most else ""


def merge_headers(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return headers by lower-case name; repeated ones are joined with commas."""
    by_name: dict[str, list[str]] = {}
    for name, value in headers:
        by_name.setdefault(name.lower(), []).append(value)
    return {name: ", ".join(values) for name, values in by_name.items()}


def check_complete(answer: Response, what: str) -> Response:
    """Return *answer* if it is complete; *what* names the expected content.

    Raises:
        DecodeError: the status is not 200, such as 202, 204 or 206.
    """
    if answer.status != 200:
        reason = f"expected {what}, got HTTP {answer.status}"
        raise DecodeError(reason, answer.method, answer.url)
    return answer


def reject_html(answer: Response, what: str) -> Response:
    """Return *answer* unless it is a web page.

    Raises:
        DecodeError: it is a web page.
    """
    # Sign-in pages and maintenance pages of a proxy often have status 200.
    if answer.headers.get("content-type", "").lower().startswith("text/html"):
        raise DecodeError(f"expected {what}, got an HTML page", answer.method, answer.url)
    return answer


def check_archive(answer: Response) -> Response:
    """Return *answer* if it is a complete archive.

    Raises:
        DecodeError: it is a web page, partial or empty.
    """
    return check_complete(reject_html(answer, "an archive"), "an archive")


def check_deletion(answer: Response) -> None:
    """Return if *answer* confirms a deletion.

    Raises:
        DecodeError: it does not, such as a web page with status 200.
    """
    # 202 means that GitLab deletes later, in the background.
    if answer.status not in {202, 204}:
        reason = f"expected 204 for a deletion, got HTTP {answer.status}"
        raise DecodeError(reason, answer.method, answer.url)


def error_of(response: Response, now: float, hide: Callable[[str], str] = str) -> ResponseError:
    """Return the error of a response other than 2xx; *now* is in Unix seconds.

    *hide* removes secrets from the server's message.
    """
    status = response.status
    kind = _ERRORS.get(status, ServerError if status >= 500 else ResponseError)
    return kind(
        status,
        _message(response, hide),
        response.method,
        response.url,
        retry_after(response.headers, now),
        _request_id(response, hide),
    )


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds of `Retry-After`, never negative; None without one.

    An HTTP date counts from the response's own `Date`.
    """
    given = headers.get("retry-after", "").strip()
    # GitLab and a proxy may both send the header; merged, the longest wait counts.
    if _SECONDS.fullmatch(given):
        return max(min(float(part), _MAX_WAIT) for part in given.split(","))
    at = http_date(given)
    if at is None:
        return None
    # By the server's clock, as the local one may be wrong.
    answered = http_date(headers.get("date", ""))
    return min(max(0.0, at - (now if answered is None else answered)), _MAX_WAIT)


def _request_id(response: Response, hide: Callable[[str], str]) -> str | None:
    given = response.headers.get("x-request-id")
    return None if given is None else printable(hide(given))


def http_date(text: str) -> float | None:
    """Return the Unix seconds of an HTTP date, None for other text; the default zone is UTC."""
    try:
        at = parsedate_to_datetime(text)
        return (at.replace(tzinfo=UTC) if at.tzinfo is None else at).timestamp()
    except (ValueError, OverflowError):
        return None


def _message(response: Response, hide: Callable[[str], str]) -> str:
    """Return the message of an error, without secrets."""
    # Redacted before it is shortened: half a token would not be recognized.
    try:
        message = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        if _HTML.match(response.body):
            return f"an HTML page{_title(response.body, hide)}"
        message = response.body.decode(errors="replace")
    return printable(hide(_words(message))) or "(no message)"


def _words(message: object, depth: int = _MAX_DEPTH) -> str:
    if depth == 0:
        return "…"
    if isinstance(message, dict):
        return _words_of(message, depth - 1)
    if isinstance(message, list):
        return ", ".join(_words(what, depth - 1) for what in message)
    return "" if message is None else str(message)


def _words_of(envelope: dict[str, object], depth: int) -> str:
    match envelope:
        case {"error": str() as error, "error_description": str() as description}:
            scope = envelope.get("scope")
            return f"{error}: {description}" + (f" (scope: {scope})" if scope else "")
        case {"message": message} if message:
            return _words(message, depth)
        case {"error": error} if error:
            return _words(error, depth)
        case {"errors": list() as errors} if errors:
            return _words(errors, depth)
        case _:
            # "base" is Rails' word for errors of the whole record.
            parts = (
                _words(what, depth) if field == "base" else f"{field} {_words(what, depth)}"
                for field, what in envelope.items()
                if what
            )
            return "; ".join(parts)


def _title(page: bytes, hide: Callable[[str], str]) -> str:
    # In a proxy's page the title often has the only reason, such as "502 Bad Gateway".
    found = _TITLE.search(page[:_MAX_TITLE_OFFSET])
    if found is None:
        return ""
    title = html.unescape(found[1].decode(errors="replace"))
    return f" titled {printable(hide(title))!r}"
