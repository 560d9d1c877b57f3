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
├── StoreError                    the store of a monitor is unusable
│   ├── StoreAwayError            it does not answer
│   └── FencedError               another process owns what was to be written
└── WebhookRejectedError          a webhook delivery is forged, invalid or of another kind

Invalid arguments raise a plain `ValueError` or `TypeError`, before any request.
"""

from gitlab_jobs_async.errors.base import GitLabError
from gitlab_jobs_async.errors.operations import (
    ArchiveError,
    FencedError,
    ListingChangedError,
    LookupFailedError,
    StoreAwayError,
    StoreError,
    TraceInterruptedError,
    WaitTimedOutError,
    WebhookRejectedError,
)
from gitlab_jobs_async.errors.requests import (
    AuthenticationError,
    BadRequestError,
    CertificateError,
    ConflictError,
    ConnectionFailedError,
    CredentialsError,
    DecodeError,
    GraphQLError,
    MethodNotAllowedError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    ResponseError,
    ResponseTooLargeError,
    ServerError,
    TimedOutError,
)

__all__ = [
    "ArchiveError",
    "AuthenticationError",
    "BadRequestError",
    "CertificateError",
    "ConflictError",
    "ConnectionFailedError",
    "CredentialsError",
    "DecodeError",
    "FencedError",
    "GitLabError",
    "GraphQLError",
    "ListingChangedError",
    "LookupFailedError",
    "MethodNotAllowedError",
    "NotFoundError",
    "PermissionDeniedError",
    "RateLimitedError",
    "ResponseError",
    "ResponseTooLargeError",
    "ServerError",
    "StoreAwayError",
    "StoreError",
    "TimedOutError",
    "TraceInterruptedError",
    "WaitTimedOutError",
    "WebhookRejectedError",
]
