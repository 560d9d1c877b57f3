"""Errors, as one tree. An error names its request and never holds a credential.

GitLabError
├── ConnectionFailedError         no complete response
│   ├── TimedOutError             … within the timeout
│   └── CertificateError          … as the TLS certificate is not trusted
├── ResponseError                 an error response
│   ├── BadRequestError           400, 422
│   ├── AuthenticationError       401
│   ├── PermissionDeniedError     403
│   ├── NotFoundError             404
│   ├── MethodNotAllowedError     405
│   ├── ConflictError             409
│   ├── RateLimitedError          429
│   └── ServerError               5xx
├── CredentialsError              the function given as `auth` has no credentials
├── ResponseTooLargeError         a response beyond the client's `Limits`
├── TraceInterruptedError         errors lasted longer than `outage_timeout`
├── WaitTimedOutError             a job or pipeline has not ended in time; a TimeoutError, too
├── ArchiveError                  an archive of artifacts is corrupt or unsafe to unpack
├── LookupFailedError             no row, or several, match what a call was to find
├── DecodeError                   a response that contradicts the API's documentation
├── GraphQLError                  a GraphQL answer with errors, at status 200
├── ListingChangedError           a listing changed faster than it could be read
├── CheckpointError               a monitor's checkpoint is unusable
└── WebhookRejectedError          a webhook delivery is forged, invalid or of another kind

Invalid arguments raise a plain `ValueError` or `TypeError`, before any request.
"""

from collections.abc import Sequence
from typing import Any, Final

from gitlab_jobs_async import models

_MAX_CANDIDATES: Final = 10
"""Names that the text of a `LookupFailedError` shows."""

_LONGEST_ENTRY: Final = 200
"""Characters of a name that the text of an `ArchiveError` shows."""


class GitLabError(Exception):
    """Base of all errors of GitLab and of the connection to it."""


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

    `reason` has the cause; an error of the function itself is chained, without its locals. Nothing
    was sent. The next call calls the function again.
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


class TraceInterruptedError(GitLabError):
    """Following a trace ended early: errors outlasted `outage_timeout`, or the disk is full.

    Every byte before `offset` was emitted and none after it. Resume with
    `follow_trace(…, offset=error.offset)`. `reason` has the cause; the last error is chained.
    """

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(reason, offset)
        self.reason = reason
        self.offset = offset

    def __str__(self) -> str:
        return f"{self.reason}; the trace was read up to byte {self.offset}"


class WaitTimedOutError(GitLabError, TimeoutError):
    """A job or pipeline has not ended within the `timeout`, in seconds.

    `what` names it; `last` is its latest `Job` or `Pipeline`, None if no request succeeded. The
    job continues on the server: wait for it again if needed.
    """

    def __init__(
        self, what: str, timeout: float, last: "models.Job | models.Pipeline | None"
    ) -> None:
        super().__init__(what)  # OSError would interpret further arguments
        self.what = what
        self.timeout = timeout
        self.last = last

    # `args` has only the first argument, but pickling needs all three.
    def __reduce__(self) -> tuple[type["WaitTimedOutError"], tuple[object, ...]]:
        return type(self), (self.what, self.timeout, self.last)

    def __str__(self) -> str:
        seen = "never seen" if self.last is None else f"last seen {self.last.status}"
        return f"{self.what} has not ended within {self.timeout:g} s; it was {seen}"


class LookupFailedError(GitLabError, LookupError):
    """No row, or more than one, matches what a call was to find.

    `what` says what was looked up, and `candidates` has the names that come closest, or those that
    match.
    """

    def __init__(self, what: str, candidates: Sequence[str] = ()) -> None:
        super().__init__(what, tuple(candidates))
        self.what = what
        self.candidates = tuple(candidates)

    def __str__(self) -> str:
        shown = ", ".join(repr(name) for name in self.candidates[:_MAX_CANDIDATES])
        more = len(self.candidates) - _MAX_CANDIDATES
        return self.what + (f": {shown}" if shown else "") + (f" and {more} more" * (more > 0))


class ArchiveError(GitLabError):
    """An archive of artifacts is corrupt or unsafe to unpack; nothing of it is kept.

    `reason` has the cause, `entry` the name of the entry that has it; None for the whole archive.
    """

    def __init__(self, reason: str, entry: str | None = None) -> None:
        super().__init__(reason, entry)
        self.reason = reason
        self.entry = entry

    def __str__(self) -> str:
        where = "" if self.entry is None else f" entry {self.entry[:_LONGEST_ENTRY]!r}"
        return f"archive not unpacked:{where} {self.reason}"


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


class ListingChangedError(GitLabError):
    """A listing by offset changed faster than it could be read, so it may be incomplete.

    A later call may succeed. `method` and `url` name the listing.
    """

    def __init__(self, method: str, url: str) -> None:
        super().__init__(method, url)
        self.method = method
        self.url = url

    def __str__(self) -> str:
        return f"{self.method} {self.url}: rows moved faster than they could be read"


class CheckpointError(GitLabError):
    """A checkpoint is in use, corrupt or of another version; it is not changed.

    `path` is its file, `reason` the cause.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"checkpoint {self.path}: {self.reason}"


class WebhookRejectedError(GitLabError):
    """A webhook delivery is forged, invalid or of another kind.

    `reason` has the cause, `status` the HTTP status to answer GitLab: 202 for an event of another
    kind, else 4xx. GitLab disables a hook after four failures in a row.
    """

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason, status)
        self.reason = reason
        self.status = status

    def __str__(self) -> str:
        return f"webhook rejected with HTTP {self.status}: {self.reason}"
