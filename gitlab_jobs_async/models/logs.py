"""Bytes of a trace, and the lines and sections of a log."""

from collections.abc import Mapping
from datetime import datetime

from attrs import field, frozen


@frozen
class TraceChunk:
    """Bytes of a trace; `offset` is the position of the first one, from the start of the trace."""

    offset: int
    data: bytes = field(repr=lambda data: f"<{len(data)} bytes>")

    @property
    def end(self) -> int:
        """The offset of the next byte, to resume from with `offset=`."""
        return self.offset + len(self.data)


@frozen
class Section:
    """A section of a log at its start (`ended_at` is None) or at its end.

    `path` is the names of the enclosing sections and its own. `options` are from its marker:
    https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections.
    """

    path: tuple[str, ...]
    started_at: datetime
    ended_at: datetime | None = None
    # A mapping has no hash, and a section must have one.
    options: Mapping[str, str] = field(factory=dict, hash=False)

    @property
    def name(self) -> str:
        """The name of the section."""
        return self.path[-1]

    @property
    def duration(self) -> float | None:
        """Whole seconds from start to end by the runner's clock."""
        if self.ended_at is None:
            return None
        # The runner's clock may be set back within a section.
        return max(0.0, (self.ended_at - self.started_at).total_seconds())


@frozen
class LogLine:
    """A line of a log: `text` is plain, `raw` has escape sequences such as colours.

    `number` counts from 1. `at` is the time of the line's start and `stream` is "stdout" or
    "stderr"; both are None if the runner does not send them. `section` is the path of open
    sections. `markers` are the sections that started or ended since the previous line. `end` is the
    byte offset to resume from.
    """

    number: int
    text: str
    raw: str
    at: datetime | None = None
    stream: str | None = None
    section: tuple[str, ...] = ()
    markers: tuple[Section, ...] = ()
    end: int = 0
