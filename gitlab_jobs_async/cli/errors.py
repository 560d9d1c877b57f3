"""Errors as one line and an exit code; no line holds a token or a control character."""

from typing import Final

from gitlab_jobs_async.cli.cleaning import ellipsis
from gitlab_jobs_async.errors import (
    ConnectionFailedError,
    DecodeError,
    GitLabError,
    ResponseError,
    ResponseTooLargeError,
)

OK: Final = 0
FAILED: Final = 1
USAGE_ERROR: Final = 2
UNAVAILABLE: Final = 3
"""The server or the network failed; a result of `run` only."""

NOT_FOUND: Final = 4
"""The resource does not exist or is hidden from these credentials."""

INTERRUPTED: Final = 130
# The message of a server or proxy may be a whole page.
_LONGEST_LINE: Final = 600


class CommandError(Exception):
    """A failure of the command itself, with its message and exit code."""

    def __init__(self, words: str, code: int = FAILED) -> None:
        super().__init__(words)
        self.code = code


def usage_error(words: str) -> CommandError:
    """Return an error about the user's input."""
    return CommandError(words, USAGE_ERROR)


def error_line(error: BaseException) -> str:
    """Describe *error* in one line, without the query of its URL."""
    words: object = error
    if isinstance(error, OSError) and error.filename:
        words = f"{error.filename}: {error.strerror}"
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
    # Any other error comes from the check of an argument.
    return FAILED if isinstance(error, GitLabError | OSError) else USAGE_ERROR
