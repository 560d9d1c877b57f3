"""Take the warnings of the SDK's loggers, which would be printed over the screen."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gitlab_jobs_async.cli.terminal import warning_words


class _Handler(logging.Handler):
    """Passes each warning to a function as one line."""

    def __init__(self, warn: Callable[[str], object]) -> None:
        super().__init__(logging.WARNING)
        self._warn = warn

    def emit(self, record: logging.LogRecord) -> None:
        """Pass the message and its cause."""
        self._warn(warning_words(record))


@contextmanager
def captured_warnings(warn: Callable[[str], None]) -> Iterator[None]:
    """Call *warn* in the running loop with each warning that has no other handler."""
    loop, before = asyncio.get_running_loop(), logging.lastResort
    # Some come from threads, such as those of a store.
    logging.lastResort = _Handler(lambda words: loop.call_soon_threadsafe(warn, words))
    try:
        yield
    finally:
        logging.lastResort = before
