"""What the polls of a trace bring -> the lines to emit, with the last of those there at first."""

from collections import deque
from collections.abc import Sequence

from attrs import define, field

from gitlab_jobs_async.logs.parser import LogParser
from gitlab_jobs_async.models.jobs import LogLine


@define
class LineReader:
    """Reads a trace from byte *offset* on, begun at time *grew_at*, in seconds.

    Of the lines that the first poll brings it emits the *last* so many, or all where that is
    `None`. *silence* is how long a trace does not grow, in seconds, if nothing is held back.
    """

    grew_at: float
    silence: float
    last: int | None = None
    offset: int = 0
    _parser: LogParser = field(init=False)
    _backlog: deque[LogLine] | None = field(init=False)
    _has_grown: bool = field(default=False, init=False)
    _unwanted: int = field(default=0, init=False)
    _old_end: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self._parser = LogParser(self.offset)
        self._backlog = None if self.last is None else deque(maxlen=self.last)

    def restart(self) -> None:
        """Read another trace, which took the place of this one, from its first byte on."""
        self._parser = LogParser()
        self._has_grown, self._unwanted = True, 0
        if self._backlog is not None:
            self._backlog.clear()

    def read(self, data: bytes) -> Sequence[LogLine]:
        """The lines that the next bytes complete."""
        self._has_grown = True
        return self._wanted(self._parser.feed(data))

    def polled(self, now: float) -> Sequence[LogLine]:
        """The lines that are whole because a poll, which ended at *now*, brought no more of them.

        After the first poll these are the last of the lines that are there.
        """
        lines: Sequence[LogLine] = ()
        if self._has_grown:
            self._has_grown, self.grew_at = False, now
        else:
            is_silent = now - self.grew_at >= self.silence
            lines = self._wanted(self._parser.flush(is_silent=is_silent))
        return lines if self._backlog is None else self._release(self._parser.waiting)

    def ended(self) -> Sequence[LogLine]:
        """The lines that are left at the end of the trace."""
        lines = self._wanted(self._parser.close())
        return lines if self._backlog is None else self._release(0)

    def _wanted(self, lines: Sequence[LogLine]) -> Sequence[LogLine]:
        if self._backlog is not None:
            self._backlog.extend(lines)
            return ()
        if self._unwanted and lines:
            old = sum(line.end <= self._old_end for line in lines)
            dropped = min(old, self._unwanted)
            self._unwanted = self._unwanted - dropped if old == len(lines) else 0
            return lines[dropped:]
        return lines

    def _release(self, waiting: int) -> Sequence[LogLine]:
        """The last lines so far, of which *waiting* are still to come from the parser."""
        if self._backlog is None or self.last is None:
            return ()
        kept, self._backlog = list(self._backlog), None
        self._unwanted, self._old_end = max(0, waiting - self.last), self._parser.position
        return kept[max(0, len(kept) + waiting - self.last) :]
