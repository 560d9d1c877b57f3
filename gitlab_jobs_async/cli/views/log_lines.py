"""Formatting of log lines: prefixes, times, section headers, colours. Pure.

Colours are the only control sequences of a job that are kept; every name is cleaned.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Final

import attrs
from attrs import define, field, frozen
from cyclopts import Parameter

from gitlab_jobs_async.api.json_writing import to_dict
from gitlab_jobs_async.cli.arguments import parse_pattern
from gitlab_jobs_async.cli.cleaning import clean, clean_log, ellipsis
from gitlab_jobs_async.cli.options import OUTPUT_GROUP, Color
from gitlab_jobs_async.cli.views.open_styles import OpenStyles
from gitlab_jobs_async.cli.views.rows import json_line
from gitlab_jobs_async.cli.views.times import length
from gitlab_jobs_async.models.logs import LogLine, Section

_RESET: Final = "\x1b[0m"
_DIM_STYLE: Final = "\x1b[2m"
_HEADER_STYLE: Final = "\x1b[1;36m"
_JOBS: Final = tuple(f"\x1b[{code}m" for code in (36, 33, 32, 35, 34, 96, 93, 92, 95, 94))
_LONGEST_LABEL: Final = 48
_NO_TIME: Final = " " * len("2025-06-15T15:06:40.123Z")


@Parameter(name="*")
@frozen(kw_only=True)
class LogStyle:
    """Options that filter and format lines."""

    timestamps: Annotated[
        bool,
        Parameter(
            group=OUTPUT_GROUP, help="Print the runner's UTC time of each line, if its log has it."
        ),
    ] = False
    sections: Annotated[
        bool,
        Parameter(
            group=OUTPUT_GROUP, help="Print a header at the start of a section, and its duration."
        ),
    ] = False
    section: Annotated[
        str | None,
        Parameter(metavar="SECTION", help="Only lines of this section and its subsections."),
    ] = None
    grep: Annotated[
        str | None,
        Parameter(metavar="REGEX", help="Only lines that match this regular expression."),
    ] = None
    color: Color = None

    def arguments(self) -> list[str]:
        """Return the options of this style as typed."""
        options: list[str] = []
        for name, value in attrs.asdict(self).items():
            if isinstance(value, str):
                options += [f"--{name}={value}"]
            elif value is not None and (value or name == "color"):
                options += [f"--{name}" if value else f"--no-{name}"]
        return options


@define
class LogView:
    """Formats the lines of some jobs; *labels* is empty for a single job."""

    style: LogStyle
    is_coloured: bool
    labels: Mapping[int, str] = field(factory=dict)
    _found: re.Pattern[str] | None = field(init=False)
    _prefixes: dict[int, str] = field(init=False)
    _styles: dict[int, OpenStyles] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self._found = None if self.style.grep is None else parse_pattern("--grep", self.style.grep)
        short = {job_id: ellipsis(label, _LONGEST_LABEL) for job_id, label in self.labels.items()}
        width = max(map(len, short.values()), default=0)
        self._prefixes = {
            job_id: self._styled(f"{label:{width}} |", _JOBS[number % len(_JOBS)]) + " "
            for number, (job_id, label) in enumerate(short.items())
        }

    def text(self, job_id: int, line: LogLine) -> str:
        """Return the text of a line and of the section markers before it."""
        prefix = self._prefixes.get(job_id, "")
        written = [self._header(section) for section in line.markers if self._has(section.path)]
        printed = clean_log(self._coloured(job_id, line) if self.is_coloured else line.text)
        if self.is_shown(line):
            written.append(self._time(line) + printed)
        return "".join(f"{prefix}{one}\n" for one in written if one is not None)

    def is_shown(self, line: LogLine) -> bool:
        """Return whether the line passes the filters."""
        wanted = self.style.section is None or self.style.section in line.section
        return wanted and (self._found is None or self._found.search(line.text) is not None)

    def _has(self, path: tuple[str, ...]) -> bool:
        return self.style.sections and (self.style.section is None or self.style.section in path)

    def _header(self, section: Section) -> str | None:
        indent = "  " * (len(section.path) - 1)
        if section.ended_at is None:
            return self._styled(f"{indent}▾ {clean(section.name)}", _HEADER_STYLE)
        if section.options.get("hide_duration") == "true":
            return None
        return self._styled(
            f"{indent}▴ {clean(section.name)} {length(section.duration)}", _DIM_STYLE
        )

    def _time(self, line: LogLine) -> str:
        if not self.style.timestamps:
            return ""
        if line.at is None:
            return f"{_NO_TIME} "
        moment = line.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return self._styled(moment, _DIM_STYLE) + " "

    def _coloured(self, job_id: int, line: LogLine) -> str:
        """Return the line with its colours and those still open from earlier lines."""
        styles = self._styles.setdefault(job_id, OpenStyles())
        # A filter may hide the line that opened a style.
        shown = styles.opened + line.raw
        styles.read(line.raw)
        return shown if shown == line.text else f"{shown}{_RESET}"

    def _styled(self, text: str, style: str) -> str:
        return f"{style}{text}{_RESET}" if self.is_coloured else text


def line_as_json(project: str, job_id: int, line: LogLine) -> str:
    """Return a line as one JSON object with its project and job."""
    return json_line({"project": project, "job_id": job_id, **to_dict(line)})
