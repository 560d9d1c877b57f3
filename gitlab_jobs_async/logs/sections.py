"""Track the sections of a log by the markers in its lines.

The markers are written by the runner (helpers/build_section.go) and by scripts:
https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from attrs import define, field

from gitlab_jobs_async.models.logs import Section

_MARKER = re.compile(
    r"section_(start|end):([0-9]{1,20}):([a-zA-Z0-9_.-]{1,255})"
    r"(?:\[([^\[\]\r\n]{0,1024})\])?\r\x1b\[0K"
)
_MARKER_BYTES = re.compile(_MARKER.pattern.encode())
_CUT_MARKER = re.compile(rb"section_(?:start|end):[0-9]+:[a-zA-Z0-9_.-]+(?:\[[^\[\]\r\n]*\])?\r\Z")
LONGEST_MARKER = 2048
"""Upper bound of a marker's length, in bytes."""

_MOST_OPEN = 64
"""Sections open at once; deeper ones are ignored, so that no job can make a line cost more."""

MOST_PENDING = 256
"""Markers that wait for the next line; more get a separate, empty line."""

_LAST_SECOND = 253_402_300_799
"""The end of the year 9999, the last second of `datetime`."""


def last_marker_end(printed: bytes | bytearray) -> int:
    """Return the end of the last marker; 0 without any."""
    end = 0
    if b"section_" in printed:
        for marker in _MARKER_BYTES.finditer(printed):
            end = marker.end()
    return end


def is_marker(printed: bytes) -> bool:
    """Return whether a line is only a marker, perhaps with carriage returns before its LF."""
    return _MARKER_BYTES.fullmatch(printed.rstrip(b"\r")) is not None


def ends_within_marker(printed: bytes | bytearray) -> bool:
    """Return whether a runner cut a marker after its carriage return, so that its end follows."""
    return _CUT_MARKER.search(printed[-LONGEST_MARKER:]) is not None


def split_markers(printed: bytes) -> Iterator[bytes]:
    """Yield the text before, in and after each marker, in turn; joined it is *printed*."""
    end = 0
    if b"section_" in printed:
        for marker in _MARKER_BYTES.finditer(printed):
            yield printed[end : marker.start()]
            yield marker[0]
            end = marker.end()
    yield printed[end:]


@define(eq=False, repr=False)
class SectionTracker:
    """Reads the markers of one log in order; an end without its start is ignored.

    `path` is the names of the open sections, `pending` the sections that started or ended since the
    last line.
    """

    path: tuple[str, ...] = ()
    pending: list[Section] = field(factory=list)
    _open: list[Section] = field(factory=list)
    _too_deep: int = 0

    def split(self, printed: str) -> Iterable[str]:
        """Return the text between the markers of a line, each while its own sections are open."""
        if "section_" not in printed:
            return (printed,)
        if marker := _MARKER.fullmatch(printed):
            self._pass(marker)
            return ()
        return self._split(printed)

    def _split(self, printed: str) -> Iterator[str]:
        end = 0
        for marker in _MARKER.finditer(printed):
            if marker.start() > end:
                yield printed[end : marker.start()]
            self._pass(marker)
            end = marker.end()
        if end < len(printed):
            yield printed[end:]

    def passed(self) -> tuple[Section, ...]:
        """Return the pending sections, and clear them."""
        passed, self.pending = tuple(self.pending), []
        return passed

    def _pass(self, marker: re.Match[str]) -> None:
        which, seconds, name, options = marker.groups()
        at = datetime.fromtimestamp(min(int(seconds), _LAST_SECOND), UTC)
        if which == "start":
            self._begin(name, at, _options(options) if options else {})
        else:
            self._end(name, at)

    def _begin(self, name: str, at: datetime, options: dict[str, str]) -> None:
        # Ends of ignored sections are counted, so that they do not end a tracked one.
        if len(self._open) == _MOST_OPEN:
            self._too_deep += 1
            return
        self.path = (*self.path, name)
        started = Section(self.path, at, None, options)
        self._open.append(started)
        self.pending.append(started)

    def _end(self, name: str, at: datetime) -> None:
        """End the innermost section of that name, and all sections within it."""
        if self._too_deep:
            self._too_deep -= 1
        elif name in self.path:
            kept = len(self.path) - 1 - self.path[::-1].index(name)
            ended = self._open[kept:]
            del self._open[kept:]
            for begun in reversed(ended):  # not by `evolve`, which is slow
                self.pending.append(Section(begun.path, begun.started_at, at, begun.options))
            self.path = self.path[:kept]


def _options(written: str) -> dict[str, str]:
    """Return `collapsed=true,hide_duration=true` as a mapping."""
    pairs = (option.partition("=") for option in written.split(","))
    return {name.strip(): value.strip() for name, equals, value in pairs if equals}
