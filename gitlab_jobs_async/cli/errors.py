"""What went wrong -> one line and an exit code; no line holds a token or a control character."""

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
BAD_INPUT: Final = 2
NOT_FOUND: Final = 4
"""What was named is not there, or these credentials may not see it."""

INTERRUPTED: Final = 130
_LONGEST_LINE: Final = 600


class CommandError(Exception):
    """A refusal of the command's own: its words, and the exit code."""

    def __init__(self, words: str, code: int = FAILED) -> None:
        super().__init__(words)
        self.code = code


def bad_input(words: str) -> CommandError:
    """Return the refusal of something the caller wrote."""
    return CommandError(words, BAD_INPUT)


def line_of(error: BaseException) -> str:
    """Return the one line that says what *error* is about."""
    words: object = error
    if isinstance(error, OSError) and error.filename:
        words = f"{error.filename}: {error.strerror}"
    elif isinstance(
        error, ConnectionFailedError | ResponseError | DecodeError | ResponseTooLargeError
    ):
        words = str(error).replace(error.url, error.url.partition("?")[0])
    return ellipsis(words, _LONGEST_LINE) or type(error).__name__


def code_of(error: Exception) -> int:
    """Return the exit code for *error*."""
    if isinstance(error, CommandError):
        return error.code
    return FAILED if isinstance(error, GitLabError | OSError) else BAD_INPUT
