"""Turn the bytes of each poll of a trace into the lines to emit."""

from collections import deque
from collections.abc import Callable, Sequence

from attrs import define, field

from gitlab_jobs_async.logs.parser import LogParser
from gitlab_jobs_async.models.logs import LogLine


@define(eq=False, repr=False)
class LineReader:
    """Reads a trace from byte *offset* on; *grew_at* is when it last grew, at first the start.

    Of the lines that the first poll brings, only the *last* ones are emitted; all, if it is `None`.
    With *matching*, only lines for which it is true are emitted, and counted as *last*.
    A trace that has not grown for *silence* seconds is silent: no line is held back any longer.
    """

    grew_at: float
    silence: float
    last: int | None = None
    offset: int = 0
    matching: Callable[[LogLine], bool] | None = None
    _parser: LogParser = field(init=False)
    _backlog: deque[LogLine] | None = field(init=False)
    _has_grown: bool = field(default=False, init=False)
    _unwanted: int = field(default=0, init=False)
    _old_end: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self._parser = LogParser(self.offset)
        self._backlog = None if self.last is None else deque(maxlen=self.last)

    def restart(self) -> None:
        """Start over with a trace that replaced this one."""
        self._parser = LogParser()
        self._has_grown, self._unwanted = True, 0
        if self._backlog is not None:
            self._backlog.clear()

    def read(self, data: bytes) -> Sequence[LogLine]:
        """Return the lines that *data*, the next bytes, completes."""
        self._has_grown = True
        return self._wanted(self._parser.feed(data))

    def polled(self, now: float) -> Sequence[LogLine]:
        """Return the lines that are complete because a poll, which ended at *now*, brought no more.

        After the first poll, these are the last of the existing lines.
        """
        lines: Sequence[LogLine] = ()
        if self._has_grown:
            self._has_grown, self.grew_at = False, now
        else:
            is_silent = now - self.grew_at >= self.silence
            lines = self._wanted(self._parser.flush(is_silent=is_silent))
        return lines if self._backlog is None else self._release(self._parser.waiting())

    def ended(self) -> Sequence[LogLine]:
        """Return the lines that are left at the end of the trace."""
        lines = self._wanted(self._parser.close())
        return lines if self._backlog is None else self._release(())

    def _wanted(self, lines: Sequence[LogLine]) -> Sequence[LogLine]:
        # Until the first poll has ended, it is unknown which lines are the last ones.
        if self._backlog is not None:
            self._backlog.extend(self._matching(lines))
            return ()
        # Lines held back by the parser at the first poll may belong to those before the last.
        if self._unwanted and lines:
            old = sum(line.end <= self._old_end for line in lines)
            dropped = min(old, self._unwanted)
            self._unwanted = self._unwanted - dropped if old == len(lines) else 0
            lines = lines[dropped:]
        return self._matching(lines)

    def _matching(self, lines: Sequence[LogLine]) -> Sequence[LogLine]:
        return lines if self.matching is None else list(filter(self.matching, lines))

    def _release(self, waiting: Sequence[LogLine]) -> Sequence[LogLine]:
        """Return the last lines so far; the parser holds back the *waiting* ones."""
        if self._backlog is None or self.last is None:
            return ()
        kept, self._backlog = list(self._backlog), None
        counted = [n for n, line in enumerate(waiting) if not self.matching or self.matching(line)]
        missing = self.last - len(counted)
        if missing < 0:
            self._unwanted = counted[-self.last] if self.last else len(waiting)
            self._old_end = self._parser.position
        return kept[max(0, len(kept) - missing) :] if missing > 0 else ()
