"""A log as rows: lines, and headers of sections that fold. Pure.

A log is appended to while it is shown, so each step costs as much as the lines that are added.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from attrs import define, field

from gitlab_jobs_async.cli.fullscreen.folding import Folding, RowKey
from gitlab_jobs_async.models.logs import LogLine, Section

_TOP: Final = -1
_RUNNER_SECTIONS: Final = frozenset(
    {
        "prepare_executor", "prepare_script", "resolve_secrets", "get_sources", "restore_cache",
        "download_artifacts", "archive_cache", "archive_cache_on_failure",
        "upload_artifacts_on_success", "upload_artifacts_on_failure", "cleanup_file_variables",
    }
)  # fmt: skip
"""Stages of a job around its script: common/build_stage.go of the runner."""


class LogRow(NamedTuple):
    """A line of the log by its place, or the header of a section."""

    line: int
    section: int
    is_header: bool = False

    @property
    def key(self) -> RowKey:
        """Identity of the row."""
        return ("section", self.section) if self.is_header else ("line", self.line)


@define(eq=False, repr=False)
class LogSection:
    """A section: its place in the log, and the section around it."""

    name: str
    parent: int
    depth: int
    first: int
    is_collapsed: bool
    duration: float | None = None
    is_over: bool = False


@define(eq=False, repr=False)
class LogDocument:
    """The lines of a log, and the rows that are shown of it.

    A section of the runner, or one with the option `collapsed`, is folded once it has ended, unless
    the job failed in it.
    """

    lines: list[LogLine] = field(factory=list)
    sections: list[LogSection] = field(factory=list)
    rows: list[LogRow] = field(factory=list)
    version: int = 0
    """Changes when rows other than the last were changed."""

    _folding: Folding = field(factory=Folding)
    _section_of: list[int] = field(factory=list)
    _open: list[int] = field(factory=list)
    _headers: dict[int, int] = field(factory=dict)
    _failed: frozenset[int] = frozenset()

    def append(self, line: LogLine) -> None:
        """Add the next line with its section markers."""
        for marker in line.markers:
            if marker.ended_at is None:
                self._begin(marker)
            else:
                self._end(marker)
        section = self._open[-1] if self._open else _TOP
        self._section_of.append(section)
        self.lines.append(line)
        if self._is_shown(section):
            self.rows.append(LogRow(len(self.lines) - 1, section))

    def trimmed(self, count: int) -> "LogDocument":
        """Return a document of the last *count* lines, with all sections at their defaults."""
        document = LogDocument()
        for line in self.lines[-count:]:
            document.append(line)
        return document

    def is_open(self, section: int) -> bool:
        """Return whether the lines of a section are shown."""
        one = self.sections[section]
        is_default = section in self._failed or not (one.is_over and one.is_collapsed)
        return self._folding.is_open(("section", section), default=is_default)

    def toggle(self, row: LogRow) -> None:
        """Fold or unfold the section of a row."""
        if row.section != _TOP:
            self._folding.set(("section", row.section), is_open=not self.is_open(row.section))
            self._rebuild()

    def set_all(self, *, is_open: bool) -> None:
        """Fold or unfold all sections."""
        self._folding.set_all(is_open=is_open)
        self._rebuild()

    def reveal(self, line: int) -> int:
        """Unfold the sections around a line, and return the place of its row."""
        section = self._section_of[line]
        while section != _TOP:
            self._folding.set(("section", section), is_open=True)
            section = self.sections[section].parent
        self._rebuild()
        return self.place_of(LogRow(line, self._section_of[line]))

    def mark_failed(self, line: int) -> None:
        """Keep the sections around the line of the failure unfolded."""
        failed, section = set(), self._section_of[line]
        while section != _TOP:
            failed.add(section)
            section = self.sections[section].parent
        self._failed = frozenset(failed)
        self._rebuild()

    def place_of(self, row: LogRow) -> int:
        """Return the place of a row, or of the nearest row before it."""
        low, high = 0, len(self.rows)
        wanted = _order(row)
        while low < high:
            middle = (low + high) // 2
            if _order(self.rows[middle]) <= wanted:
                low = middle + 1
            else:
                high = middle
        return max(0, low - 1)

    def line_numbered(self, number: int) -> int | None:
        """Return the place of the line with this number, or None."""
        # Numbers count from the first line that was read.
        place = number - self.lines[0].number if self.lines else -1
        is_there = 0 <= place < len(self.lines) and self.lines[place].number == number
        return place if is_there else None

    def find(self, text: str, start: int = 0) -> list[int]:
        """Return the places of lines from *start* on that contain *text*.

        Case matters only if *text* has a capital letter.
        """
        if not text:
            return []
        lines = range(start, len(self.lines))
        if text != text.lower():
            return [place for place in lines if text in self.lines[place].text]
        return [place for place in lines if text in self.lines[place].text.lower()]

    def _begin(self, marker: Section) -> None:
        parent = self._open[-1] if self._open else _TOP
        is_collapsed = marker.name in _RUNNER_SECTIONS or marker.options.get("collapsed") == "true"
        number = len(self.sections)
        first = len(self.lines)
        self.sections.append(LogSection(marker.name, parent, len(self._open), first, is_collapsed))
        self._open.append(number)
        if self._is_shown(parent):
            self._headers[number] = len(self.rows)
            self.rows.append(LogRow(first, number, is_header=True))

    def _end(self, marker: Section) -> None:
        while self._open:
            number = self._open.pop()
            section = self.sections[number]
            section.is_over = True
            if section.name == marker.name:
                section.duration = marker.duration
            place = self._headers.get(number)
            if place is not None and not self.is_open(number):
                # All rows after the header belong to the section, which ends here.
                del self.rows[place + 1 :]
                self.version += 1
            if section.name == marker.name:
                return

    def _is_shown(self, section: int) -> bool:
        while section != _TOP:
            if not self.is_open(section):
                return False
            section = self.sections[section].parent
        return True

    def _rebuild(self) -> None:
        shown = [self._is_shown(number) for number in range(len(self.sections))]
        starts: dict[int, list[int]] = {}
        for number, section in enumerate(self.sections):
            if section.parent == _TOP or shown[section.parent]:
                starts.setdefault(section.first, []).append(number)
        self.rows.clear()
        self._headers.clear()
        for line, around in enumerate(self._section_of):
            self._add_headers(starts.get(line, ()), line)
            if around == _TOP or shown[around]:
                self.rows.append(LogRow(line, around))
        self._add_headers(starts.get(len(self.lines), ()), len(self.lines))
        self.version += 1

    def _add_headers(self, sections: Sequence[int], line: int) -> None:
        for number in sections:
            self._headers[number] = len(self.rows)
            self.rows.append(LogRow(line, number, is_header=True))


def _order(row: LogRow) -> tuple[int, bool, int]:
    """Return a key of the order of rows: headers stand before the first line of their section."""
    return row.line, not row.is_header, row.section
