"""Errors as one line and an exit code; no line holds a token or a control character."""

import errno
from typing import Final

from gitlab_jobs_async.cli.cleaning import ellipsis
from gitlab_jobs_async.errors import (
    AuthenticationError,
    BadRequestError,
    ConnectionFailedError,
    CredentialsError,
    DecodeError,
    FencedError,
    GitLabError,
    LookupFailedError,
    NotFoundError,
    PermissionDeniedError,
    ResponseError,
    ResponseTooLargeError,
    StoreAwayError,
    StoreError,
    WaitTimedOutError,
)

OK: Final = 0
FAILED: Final = 1
"""A job or pipeline failed, or the answer is no: the command itself did what it was asked."""

USAGE_ERROR: Final = 2
"""Invalid usage, input or configuration, a local file included; or GitLab refuses the input."""

UNAVAILABLE: Final = 3
"""The server or the network failed, or the server's answer is unusable."""

NOT_FOUND: Final = 4
"""The resource does not exist, is hidden from these credentials, or they do not allow it."""

BUG: Final = 70
"""An unexpected exception; `EX_SOFTWARE` of sysexits.h, so that it does not look like FAILED."""

INTERRUPTED: Final = 130
"""Ended by SIGINT, SIGTERM or SIGHUP."""

_CODES: Final = (
    (AuthenticationError | PermissionDeniedError | NotFoundError | LookupFailedError, NOT_FOUND),
    (BadRequestError | CredentialsError, USAGE_ERROR),
    (WaitTimedOutError, FAILED),
    (StoreAwayError | FencedError, UNAVAILABLE),
    (StoreError, USAGE_ERROR),
    (GitLabError, UNAVAILABLE),
    # The check of an argument, or a local file or port.
    (Exception, USAGE_ERROR),
)
"""The exit codes of all errors, for every command; the first kind that fits counts."""

# The message of a server or proxy may be a whole page.
_LONGEST_LINE: Final = 600


_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NEXT_STEPS: Final = {
    **dict.fromkeys(_FULL, "; free some space, or write elsewhere"),
    **dict.fromkeys((errno.EACCES, errno.EPERM), "; check its permissions"),
    errno.EROFS: "; write elsewhere",
    errno.ENOENT: "; check the path",
}


class CommandError(Exception):
    """A failure of the command itself, with its message and exit code.

    *reason* is the error of the request that it comes from, with its URL.
    """

    def __init__(self, words: str, code: int = FAILED, *, reason: str = "") -> None:
        super().__init__(words)
        self.code = code
        self.reason = reason


def usage_error(words: str) -> CommandError:
    """Return an error about the user's input."""
    return CommandError(words, USAGE_ERROR)


def error_line(error: BaseException) -> str:
    """Describe *error* in one line, without the query of its URL."""
    words: object = error
    if isinstance(error, OSError) and (error.filename or error.errno in _FULL):
        # What has no name is the command's own output.
        next_step = _NEXT_STEPS.get(error.errno or 0, "")
        words = f"{error.filename or 'stdout'}: {error.strerror}{next_step}"
    elif isinstance(
        error, ConnectionFailedError | ResponseError | DecodeError | ResponseTooLargeError
    ):
        # The query may hold a token.
        words = str(error).replace(error.url, error.url.partition("?")[0])
    return ellipsis(words, _LONGEST_LINE) or type(error).__name__


def exit_code_of(error: Exception) -> int:
    """Return the exit code for *error*."""
    if isinstance(error, CommandError):
        return error.code
    return next(code for kind, code in _CODES if isinstance(error, kind))
