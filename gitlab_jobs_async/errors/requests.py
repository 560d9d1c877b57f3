"""Errors of one request: no response, an error status, or a body that is of no use."""

from typing import Any

from gitlab_jobs_async.errors.base import GitLabError


class ConnectionFailedError(GitLabError):
    """No complete response: no connection, a lost connection, or a truncated body.

    `reason` describes it, `method` and `url` name the request; the system's error is chained.
    `was_sent` is False only if the request certainly was not sent: then a POST may be repeated.
    """

    def __init__(self, reason: str, method: str, url: str, was_sent: bool = True) -> None:  # noqa: FBT001, FBT002 - positional, so that the error survives pickling
        super().__init__(reason, method, url, was_sent)
        self.reason = reason
        self.method = method
        self.url = url
        self.was_sent = was_sent

    def __str__(self) -> str:
        return f"{self.method} {self.url}: {self.reason}"


class TimedOutError(ConnectionFailedError):
    """No complete response within the client's `timeout` (seconds)."""


class CertificateError(ConnectionFailedError):
    """The server's TLS certificate is not trusted. Nothing was sent, and nothing is retried.

    `reason` has the cause and the setting to change.
    """


class ResponseError(GitLabError):
    """An error response; see https://docs.gitlab.com/api/rest/troubleshooting/#status-codes.

    `status` is the HTTP status, `message` the server's own, `retry_after` the seconds to wait
    (None if not given), `request_id` the id for the server's administrator. This class itself is
    raised for a status without a subclass, such as a redirect that must not be followed.
    """

    def __init__(
        self,
        status: int,
        message: str,
        method: str,
        url: str,
        retry_after: float | None = None,
        request_id: str | None = None,
    ) -> None:
        # All arguments, as pickling calls the class with `args`.
        super().__init__(status, message, method, url, retry_after, request_id)
        self.status = status
        self.message = message
        self.method = method
        self.url = url
        self.retry_after = retry_after
        self.request_id = request_id

    def __str__(self) -> str:
        text = f"{self.method} {self.url}: HTTP {self.status}: {self.message}"
        if self.retry_after is not None:
            text += f" (retry after {self.retry_after:g} s)"
        # The server's administrators find the request in their logs by this id.
        if self.request_id is not None:
            text += f" (request {self.request_id})"
        return text


class BadRequestError(ResponseError):
    """400 or 422: an invalid parameter."""


class AuthenticationError(ResponseError):
    """401: credentials missing, unknown, expired or revoked."""


class PermissionDeniedError(ResponseError):
    """403: insufficient permissions, or an action that the job does not allow."""


class NotFoundError(ResponseError):
    """404: not found, or hidden from these credentials."""


class MethodNotAllowedError(ResponseError):
    """405: method or parameter not allowed, such as an offset past the server's limit."""


class ConflictError(ResponseError):
    """409: the job or project is being changed at the same time."""


class RateLimitedError(ResponseError):
    """429: too many requests; `retry_after` is the wait in seconds."""


class ServerError(ResponseError):
    """5xx: the server, or a proxy in front of it, failed."""


class CredentialsError(GitLabError):
    """The function given as `auth` failed, took too long, or returned something else.

    A function that uses its own client fails, too, since that waits for it. `reason` has the
    cause; an error of the function itself is chained, without its locals. Nothing was sent. The
    next call calls the function again.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"no credentials: {self.reason}"


class ResponseTooLargeError(GitLabError):
    """A response larger than the client's `Limits`; none of it is kept.

    `limit` is the exceeded field of `Limits`, `most` its bytes. A retry gives the same: raise the
    limit, as `GitLab(limits=Limits(trace=...))`, or stream the response.
    """

    def __init__(self, limit: str, most: int, method: str, url: str) -> None:
        super().__init__(limit, most, method, url)
        self.limit = limit
        self.most = most
        self.method = method
        self.url = url

    def __str__(self) -> str:
        return (
            f"{self.method} {self.url}: response too large: expected at most {self.most} bytes; "
            f"to allow more: GitLab(limits=Limits({self.limit}=...))"
        )


class DecodeError(GitLabError):
    """A response that contradicts the documentation: HTML, truncated JSON, another type.

    `reason` has the cause, for a field with its path: `reason @ $.path`.
    """

    def __init__(self, reason: str, method: str, url: str) -> None:
        super().__init__(reason, method, url)
        self.reason = reason
        self.method = method
        self.url = url

    def __str__(self) -> str:
        return f"{self.method} {self.url}: {self.reason}"


class GraphQLError(GitLabError):
    """A GraphQL answer with errors; see https://spec.graphql.org/October2021/#sec-Errors.

    GitLab answers 200 to a query that it refuses, or carries out in part. `messages` are its own,
    at most ten; `codes` has the `extensions.code` of each, mostly None. `data` is what it returned
    beside the errors, or None. The client's token, and the strings of query and variables, are
    removed from the messages.
    """

    def __init__(
        self,
        messages: tuple[str, ...],
        codes: tuple[str | None, ...],
        method: str,
        url: str,
        data: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(messages, method, url)
        self.messages = messages
        self.codes = codes
        self.method = method
        self.url = url
        self.data = data

    # `args` has no data: it would be in every repr.
    def __reduce__(self) -> tuple[type["GraphQLError"], tuple[object, ...]]:
        return type(self), (self.messages, self.codes, self.method, self.url, self.data)

    def __str__(self) -> str:
        return f"{self.method} {self.url}: {'; '.join(self.messages)}"
