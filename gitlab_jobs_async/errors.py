"""What can go wrong, as one tree; an error names its request and never holds a credential.

GitLabError
├── ConnectionFailedError         no whole answer came
│   ├── TimedOutError             … within the timeout
│   └── CertificateError          … because the server's TLS certificate is not trusted
├── ResponseError                 the server answered, and the answer is an error
│   ├── BadRequestError           400, 422
│   ├── AuthenticationError       401
│   ├── PermissionDeniedError     403
│   ├── NotFoundError             404
│   ├── MethodNotAllowedError     405
│   ├── ConflictError             409
│   ├── RateLimitedError          429
│   └── ServerError               5xx
├── ResponseTooLargeError         an answer beyond the client's `Limits`
├── TraceInterruptedError         errors lasted longer than `outage_timeout`
├── WaitTimedOutError             what was waited for has not ended in time; a TimeoutError, too
├── DecodeError                   the answer is not what the API documents
├── ListingChangedError           a listing changed faster than it could be read
├── CheckpointError               a monitor's checkpoint file cannot be used
└── HookRefusedError              a webhook delivery is forged, broken or of no interest

Bad input of the caller's own is a plain `ValueError` or `TypeError`, raised before any request.
"""

from gitlab_jobs_async.models.jobs import Job, Pipeline


class GitLabError(Exception):
    """Whatever GitLab, or the way to it, did wrong: the one to catch for everything."""


class ConnectionFailedError(GitLabError):
    """No whole answer came: no connection, a connection lost, or a body cut short.

    `reason` says what happened, `method` and `url` which request it was; what the system said is
    chained.
    `was_sent` is false only if the request surely never left, so that a POST may be sent again.
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
    """No whole answer came within the client's `timeout`."""


class CertificateError(ConnectionFailedError):
    """The server's TLS certificate is not trusted, so nothing was sent; not tried again.

    `reason` says what is wrong with it and what to set.
    """


class ResponseError(GitLabError):
    """The server answered with an error.

    `status` is the HTTP status, `message` the server's own words, `retry_after` the seconds it
    asks to wait (`None` if it does not say), `request_id` what its administrator can look up.
    Raised as itself for a status that has no class of its own, such as a redirect that must not
    be followed.
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
        super().__init__(status, message, method, url, retry_after, request_id)
        self.status = status
        self.message = message
        self.method = method
        self.url = url
        self.retry_after = retry_after
        self.request_id = request_id

    def __str__(self) -> str:
        said = f"{self.method} {self.url}: HTTP {self.status}: {self.message}"
        if self.retry_after is not None:
            said += f" (retry after {self.retry_after:g} s)"
        if self.request_id is not None:
            said += f" (request {self.request_id})"
        return said


class BadRequestError(ResponseError):
    """400 or 422: the server refuses a parameter."""


class AuthenticationError(ResponseError):
    """401: no credentials, or ones that are unknown, expired or revoked."""


class PermissionDeniedError(ResponseError):
    """403: the credentials are known but may not do this, or the job does not allow it."""


class NotFoundError(ResponseError):
    """404: not there, or hidden from these credentials."""


class MethodNotAllowedError(ResponseError):
    """405: not this way, such as an offset past the server's limit."""


class ConflictError(ResponseError):
    """409: the job or project is being changed by somebody else."""


class RateLimitedError(ResponseError):
    """429: too many requests; `retry_after` says when the next one may come."""


class ServerError(ResponseError):
    """5xx: the server, or a proxy before it, failed."""


class ResponseTooLargeError(GitLabError):
    """An answer is larger than the client's `Limits` allow; nothing of it is kept.

    `limit` is the field of `Limits` that it is beyond, `most` the bytes of that field. Asking again
    gives the same: raise the limit, as `GitLab(limits=Limits(trace=...))`, or stream the answer.
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
    """A trace is followed no further: trouble outlasted what was allowed, or the disk is full.

    Every byte before `offset` was told and none after it: `follow_trace(…, offset=error.offset)`
    goes on from there. `reason` says what the trouble was; the last error is chained.
    """

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(reason, offset)
        self.reason = reason
        self.offset = offset

    def __str__(self) -> str:
        return f"{self.reason}; the trace was read up to byte {self.offset}"


class WaitTimedOutError(GitLabError, TimeoutError):
    """What was waited for has not ended within the `timeout` of so many seconds.

    `what` says what it was; `last` is the `Job` or `Pipeline` as it was last seen, `None` if it
    never was. Nothing was done to it: it goes on, and can be waited for again.
    """

    def __init__(self, what: str, timeout: float, last: Job | Pipeline | None) -> None:
        super().__init__(what)  # more than one argument, and OSError takes them for its own
        self.what = what
        self.timeout = timeout
        self.last = last

    def __reduce__(self) -> tuple[type["WaitTimedOutError"], tuple[object, ...]]:
        return type(self), (self.what, self.timeout, self.last)

    def __str__(self) -> str:
        seen = "never seen" if self.last is None else f"last seen {self.last.status}"
        return f"{self.what} has not ended within {self.timeout:g} s; it was {seen}"


class DecodeError(GitLabError):
    """The answer is not what the API documents: an HTML page, cut JSON, a field of another type.

    `reason` says what is wrong and where, as `reason @ $.path`.
    """

    def __init__(self, reason: str, method: str, url: str) -> None:
        super().__init__(reason, method, url)
        self.reason = reason
        self.method = method
        self.url = url

    def __str__(self) -> str:
        return f"{self.method} {self.url}: {self.reason}"


class ListingChangedError(GitLabError):
    """A listing by offset changed again and again while it was read, so it may not be whole.

    Trying again later may do; `method` and `url` say which listing it was.
    """

    def __init__(self, method: str, url: str) -> None:
        super().__init__(method, url)
        self.method = method
        self.url = url

    def __str__(self) -> str:
        return f"{self.method} {self.url}: the rows changed places faster than they could be read"


class CheckpointError(GitLabError):
    """A checkpoint file cannot be used: in use, corrupt, or of another version; it is left as is.

    `path` names it, `reason` says why.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"checkpoint {self.path}: {self.reason}"


class WebhookRejectedError(GitLabError):
    """A webhook delivery is not taken: forged, broken, or about something else.

    `reason` says why, and `status` is the HTTP status to answer GitLab with: 4xx for a failure, of
    which four in a row disable the hook, 202 for what is merely of no interest.
    """

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason, status)
        self.reason = reason
        self.status = status

    def __str__(self) -> str:
        return f"the delivery is refused (HTTP {self.status}): {self.reason}"
