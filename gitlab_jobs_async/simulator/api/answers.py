"""Responses of the API: status, headers, body; and the error bodies of lib/api/helpers.rb."""

from collections.abc import Iterator
from typing import Final, Protocol

import orjson
from attrs import field, frozen

JSON: Final = ("Content-Type", "application/json")
TEXT: Final = ("Content-Type", "text/plain")


class Body(Protocol):
    """Bytes of a known length, made piece by piece."""

    @property
    def size(self) -> int:
        """The length in bytes."""

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes, in order."""


@frozen
class Plain:
    """A body that is in memory."""

    content: bytes = b""

    @property
    def size(self) -> int:
        """The length in bytes."""
        return len(self.content)

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes, in order."""
        if self.content:
            yield self.content


@frozen
class Answer:
    """A whole response. `etag` is None if the server sends none; `delay`: seconds of work on it."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: Body = field(factory=Plain, repr=False)
    etag: str | None = None
    delay: float = 0.0

    def header(self, name: str) -> str | None:
        """Return the first header with a name, ignoring case."""
        return next((v for k, v in self.headers if k.lower() == name.lower()), None)


def json_answer(
    value: object, status: int = 200, headers: tuple[tuple[str, str], ...] = ()
) -> Answer:
    """Return a response in JSON."""
    return Answer(status, (JSON, *headers), Plain(orjson.dumps(value)))


class ApiError(Exception):
    """A response that ends the call early."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def message(status: int, text: object, headers: tuple[tuple[str, str], ...] = ()) -> ApiError:
    """Return the envelope of render_api_error!: `{"message": ...}`."""
    return ApiError(json_answer({"message": text}, status, headers))


def error(status: int, text: str) -> ApiError:
    """Return the envelope of Grape: `{"error": ...}`."""
    return ApiError(json_answer({"error": text}, status))


def bad_request(reason: str | None = None) -> ApiError:
    """Return a 400: `bad_request!`."""
    return message(400, "400 Bad request" + (f" - {reason}" if reason else ""))


def unauthorized() -> ApiError:
    """Return a 401: `unauthorized!`."""
    return message(401, "401 Unauthorized")


def forbidden(reason: str | None = None) -> ApiError:
    """Return a 403: `forbidden!`."""
    return message(403, "403 Forbidden" + (f" - {reason}" if reason else ""))


def not_found(what: str | None = None) -> ApiError:
    """Return a 404: `not_found!`."""
    return message(404, f"404 {what} Not Found" if what else "404 Not Found")


def record_not_found() -> ApiError:
    """Return the 404 of ActiveRecord::RecordNotFound, with its lower-case f."""
    return message(404, "404 Not found")


def server_error() -> ApiError:
    """Return the 500 of an unexpected error in GitLab's code."""
    return message(500, "500 Internal Server Error")


def bad_string() -> ApiError:
    """Return the 400 of lib/gitlab/middleware/handle_malformed_strings.rb, which is text."""
    return ApiError(Answer(400, (TEXT,), Plain(b"Bad Request")))


def invalid_token(description: str) -> ApiError:
    """Return the OAuth error for an invalid token (lib/api/api_guard.rb)."""
    body = {"error": "invalid_token", "error_description": description}
    return ApiError(json_answer(body, 401))
