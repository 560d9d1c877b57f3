"""Status, headers and body -> a Response, or the error it stands for, in the server's own words.

GitLab has four envelopes for errors (lib/api/helpers.rb, lib/api/api.rb, lib/api/api_guard.rb):
`message` with a text or an object, `error` with a text, OAuth's `error` with a description, and
plain text or HTML from what stands before it.
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
_DEEPEST_MESSAGE = 5
_LONGEST_HEAD = 4096
_LONGEST_WAIT = 1e9
_SMALL = 1024 * 1024
_BYTES_A_VALUE = 40
"""A list or object of GitLab's takes 180 bytes and more on average."""
_SECONDS = re.compile(r"\d+(\.\d+)?(\s*,\s*\d+(\.\d+)?)*", re.ASCII)
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
        what = _overloaded(self.body)
        try:
            if not what:
                return orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            what = (
                "an HTML page where JSON was due" if _HTML.match(self.body) else f"no JSON, {error}"
            )
        # Neither the page's words nor orjson's error, which holds them: they may echo a token.
        raise DecodeError(f"{what} @ $", self.method, self.url)


def _overloaded(body: bytes) -> str:
    """What is wrong with a body that would become far more than it is, or nothing."""
    if len(body) <= _SMALL:
        return ""
    # Two passes of C, against the seconds and the memory that as many objects take.
    count = body.count(b"{") + body.count(b"[")
    most = len(body) // _BYTES_A_VALUE
    return f"{count} lists and objects where at most {most} were due" if count > most else ""


def merge_headers(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Headers by lower-case name; one that stands there several times, as a list with commas."""
    by_name: dict[str, list[str]] = {}
    for name, value in headers:
        by_name.setdefault(name.lower(), []).append(value)
    return {name: ", ".join(values) for name, values in by_name.items()}


def check_whole(answer: Response, what: str) -> Response:
    """*answer* if it is whole, not a part, a promise or nothing; *what* says what was due.

    Raises:
        DecodeError: its status is another one than 200.
    """
    if answer.status != 200:
        said = f"HTTP {answer.status} where {what} was due"
        raise DecodeError(said, answer.method, answer.url)
    return answer


def reject_html(answer: Response, what: str) -> Response:
    """*answer* if it is no web page, as sign-in pages are with status 200.

    Raises:
        DecodeError: it is one.
    """
    if answer.headers.get("content-type", "").lower().startswith("text/html"):
        raise DecodeError(f"an HTML page where {what} was due", answer.method, answer.url)
    return answer


def check_archive(answer: Response) -> Response:
    """*answer* if it is a whole archive.

    Raises:
        DecodeError: it is a web page, a part, or nothing.
    """
    return check_whole(reject_html(answer, "an archive"), "an archive")


def check_deletion(answer: Response) -> None:
    """Return if *answer* says that something was, or will be, deleted.

    Raises:
        DecodeError: it says something else, as a web page with status 200 does.
    """
    if answer.status not in {202, 204}:
        said = f"HTTP {answer.status} where a deletion should be confirmed with 204"
        raise DecodeError(said, answer.method, answer.url)


def error_of(response: Response, now: float, hide: Callable[[str], str] = str) -> ResponseError:
    """The error that an answer other than 2xx stands for; *now* is in unix seconds.

    *hide* takes secrets out of the server's words.
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
    """Seconds the server asks to wait, never negative; `None` if it does not say.

    An HTTP date counts from the answer's own `Date`, so that a wrong clock here does no harm.
    """
    given = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(given):
        return max(min(float(part), _LONGEST_WAIT) for part in given.split(","))
    at = http_date(given)
    if at is None:
        return None
    answered = http_date(headers.get("date", ""))
    return min(max(0.0, at - (now if answered is None else answered)), _LONGEST_WAIT)


def _request_id(response: Response, hide: Callable[[str], str]) -> str | None:
    given = response.headers.get("x-request-id")
    return None if given is None else printable(hide(given))


def http_date(text: str) -> float | None:
    """Unix seconds of an HTTP date, or `None` if *text* is none; without a zone it is in UTC."""
    try:
        at = parsedate_to_datetime(text)
        return (at.replace(tzinfo=UTC) if at.tzinfo is None else at).timestamp()
    except (ValueError, OverflowError):
        return None


def _message(response: Response, hide: Callable[[str], str]) -> str:
    """What the error says; secrets are taken out before it is cut, lest a part of one stay."""
    try:
        said = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        if _HTML.match(response.body):
            return f"an HTML page{_title(response.body, hide)}"
        said = response.body.decode(errors="replace")
    return printable(hide(_words(said))) or "(no message)"


def _words(said: object, depth: int = _DEEPEST_MESSAGE) -> str:
    if depth == 0:
        return "…"
    if isinstance(said, dict):
        return _words_of(said, depth - 1)
    if isinstance(said, list):
        return ", ".join(_words(what, depth - 1) for what in said)
    return "" if said is None else str(said)


def _words_of(envelope: dict[str, object], depth: int) -> str:
    match envelope:
        case {"error": str() as error, "error_description": str() as description}:
            scope = envelope.get("scope")
            return f"{error}: {description}" + (f" (scope: {scope})" if scope else "")
        case {"message": message} if message:
            return _words(message, depth)
        case {"error": error} if error:
            return _words(error, depth)
        case _:
            told = (f"{field} {_words(what, depth)}" for field, what in envelope.items() if what)
            return "; ".join(told)


def _title(page: bytes, hide: Callable[[str], str]) -> str:
    found = _TITLE.search(page[:_LONGEST_HEAD])
    if found is None:
        return ""
    title = html.unescape(found[1].decode(errors="replace"))
    return f" titled {printable(hide(title))!r}"


def printable(text: str) -> str:
    """*text* as one line of bounded length, in which nothing can drive a terminal."""
    one_line = " ".join(text.split())[:_LONGEST_MESSAGE]
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in one_line)
