"""Search the text of jobs by the user's regular expressions, in bounded time.

Python's `re` can take exponential time on a text that a job chooses. While it searches, it handles
signals, so that a timer of the CPU time ends it. Windows has no such timer: there, only the length
of the text is bounded.
"""

import logging
import re
import signal
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from attrs import define, field

from gitlab_jobs_async.cli.errors import usage_error

T = TypeVar("T")

_SEARCHED: Final = 4096
"""Characters of a line that are searched."""

_LIMIT: Final = 0.05
"""Seconds of CPU time that one search may take."""

_MOST_TIMEOUTS: Final = 10
"""Timeouts after which a pattern is not applied any more: together half a second."""

_log: Final = logging.getLogger("gitlab_jobs_async")
_HAS_TIMER: Final = hasattr(signal, "setitimer")


class _TimeLimitError(Exception):
    """A search took too long."""


class _TimeLimit:
    """Ends a search after `_LIMIT`; a signal that comes later does nothing."""

    _is_active = False
    _is_installed = False

    def run(self, find: Callable[[str], T], text: str) -> T:
        """Return `find(text)`.

        Raises:
            _TimeLimitError: it takes too long.
        """
        # Only there does Python handle signals.
        if not _HAS_TIMER or threading.current_thread() is not threading.main_thread():
            return find(text)
        if not self._is_installed:
            signal.signal(signal.SIGVTALRM, self._on_signal)
            self._is_installed = True
        self._is_active = True
        try:
            signal.setitimer(signal.ITIMER_VIRTUAL, _LIMIT)
            return find(text)
        finally:
            self._is_active = False
            signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)

    def _on_signal(self, _number: int, _frame: object) -> None:
        if self._is_active:
            raise _TimeLimitError


_limit: Final = _TimeLimit()


@define(eq=False, repr=False)
class Pattern:
    """A regular expression of an option, which searches the first 4,096 characters of a text.

    A search that takes more than 50 ms of CPU time has no result. After ten of them the pattern is
    not applied any more; a warning says so.
    """

    option: str
    expression: re.Pattern[str]
    _timeouts: int = field(default=0, init=False)

    @classmethod
    def parse(cls, option: str, text: str) -> "Pattern":
        """Return the pattern of a regular expression.

        Raises:
            CommandError: it is invalid.
        """
        try:
            return cls(option, re.compile(text))
        except (re.error, OverflowError, RecursionError) as error:
            raise usage_error(
                f"{option} {text!r}: expected a regular expression: {error}"
            ) from error

    def matches(self, text: str) -> bool | None:
        """Return whether *text* contains a match; None if that takes too long."""
        found = self._run(self.expression.search, text)
        return None if found is None else found[0] is not None

    def spans(self, text: str) -> Sequence[tuple[int, int]]:
        """Return where the matches begin and end; none if that takes too long."""
        found = self._run(self._spans, text)
        return () if found is None else found[0]

    def _spans(self, text: str) -> list[tuple[int, int]]:
        return [match.span() for match in self.expression.finditer(text) if match[0]]

    def _run(self, find: Callable[[str], T], text: str) -> tuple[T] | None:
        """Return the result of *find* in a tuple, since it may itself be None."""
        if self._timeouts >= _MOST_TIMEOUTS:
            return None
        try:
            return (_limit.run(find, text[:_SEARCHED]),)
        except _TimeLimitError:
            self._timeouts += 1
            if self._timeouts == _MOST_TIMEOUTS:
                _log.warning(
                    "%s %r takes too long on these texts: not applied any more",
                    self.option,
                    self.expression.pattern,
                )
            return None


def parse_patterns(option: str, texts: Iterable[str]) -> tuple[Pattern, ...]:
    """Return the patterns of a repeatable option."""
    return tuple(Pattern.parse(option, text) for text in texts)


def passes(text: str, wanted: Sequence[Pattern], excluded: Sequence[Pattern]) -> bool:
    """Return whether *text* matches one of *wanted*, if there are any, and none of *excluded*.

    A search that takes too long hides nothing.
    """
    if wanted and all(pattern.matches(text) is False for pattern in wanted):
        return False
    return not any(pattern.matches(text) for pattern in excluded)
