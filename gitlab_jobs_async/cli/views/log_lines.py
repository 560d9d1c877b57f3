"""Formatting of log lines: labels, times, section headers, marks, colours. Pure.

Colours are the only control sequences of a job that are kept; every name is cleaned.
"""

from datetime import datetime
from itertools import chain
from typing import Final

from attrs import define, field

from gitlab_jobs_async.api.json_writing import to_dict
from gitlab_jobs_async.cli.cleaning import clean, clean_log
from gitlab_jobs_async.cli.patterns import Pattern, parse_patterns, passes
from gitlab_jobs_async.cli.views.highlight import highlight
from gitlab_jobs_async.cli.views.job_labels import JobLabels, ShownJob, colour_of
from gitlab_jobs_async.cli.views.line_template import LineTemplate, parse_template
from gitlab_jobs_async.cli.views.log_style import LogStyle
from gitlab_jobs_async.cli.views.open_styles import OpenStyles
from gitlab_jobs_async.cli.views.rows import json_line
from gitlab_jobs_async.cli.views.times import length
from gitlab_jobs_async.models.logs import LogLine, Section

_RESET: Final = "\x1b[0m"
_DIM_STYLE: Final = "\x1b[2m"
_HEADING_STYLE: Final = "\x1b[1m"
_HEADER_STYLE: Final = "\x1b[1;36m"
_NO_TIME: Final = " " * len("2025-06-15T15:06:40.123Z")


@define
class LogView:
    """Formats lines; those of a job in *labels* begin with its label.

    Raises:
        CommandError: a pattern or the template is invalid.
    """

    style: LogStyle
    is_coloured: bool
    labels: JobLabels = field(factory=JobLabels)
    _grep: tuple[Pattern, ...] = field(init=False)
    _excluded: tuple[Pattern, ...] = field(init=False)
    _marked: tuple[Pattern, ...] = field(init=False)
    _template: LineTemplate | None = field(init=False)
    _styles: dict[int, OpenStyles] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        style = self.style
        self._grep = parse_patterns("--grep", style.grep)
        self._excluded = parse_patterns("--exclude-lines", style.exclude_lines)
        self._marked = parse_patterns("--highlight", style.highlight)
        self._template = None if style.template is None else parse_template(style.template)

    @property
    def needs_all_lines(self) -> bool:
        """Whether the form of a line depends on the lines before it."""
        used = () if self._template is None else (name for _, name in self._template.parts)
        is_placed = self.style.sections or self.style.section is not None
        return is_placed or not {"section", "number"}.isdisjoint(used)

    def text(self, job: ShownJob, line: LogLine, *, is_shown: bool = True) -> str:
        """Return the section markers before a line, and with *is_shown* the line itself."""
        written = [self._header(section) for section in line.markers if self._has(section.path)]
        # Colours last beyond a line that is not shown.
        printed = self._coloured(job.id, line) if self.is_coloured else line.text
        if is_shown:
            written.append(self._line(job, line, clean_log(printed)))
        prefix = self._prefix(job)
        return "".join(f"{prefix}{one}\n" for one in written if one is not None)

    def passes(self, line: LogLine) -> bool:
        """Return whether the line passes the filters."""
        if self.style.section is not None and self.style.section not in line.section:
            return False
        return not (self._grep or self._excluded) or passes(line.text, self._grep, self._excluded)

    def prints(self, line: LogLine) -> bool:
        """Return whether anything is printed of the line or of the markers before it."""
        return self.passes(line) or any(self._has(section.path) for section in line.markers)

    def heading(self, text: str) -> str:
        """Return a line above those of a job."""
        return self._styled(text, _HEADING_STYLE)

    def forget(self, job_id: int) -> None:
        """Forget a job whose log has ended."""
        self._styles.pop(job_id, None)
        self.labels.forget(job_id)

    def _prefix(self, job: ShownJob) -> str:
        label = None if self._template is not None else self.labels.label(job.id)
        return "" if label is None else self._styled(f"{label} |", colour_of(job)) + " "

    def _line(self, job: ShownJob, line: LogLine, printed: str) -> str:
        if self._template is None:
            return self._time(line) + printed
        return self._template.render(_values(job, line, printed))

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
        return self._styled(_iso(line.at), _DIM_STYLE) + " "

    def _coloured(self, job_id: int, line: LogLine) -> str:
        """Return the line with its marks, its colours and those still open from earlier lines."""
        styles = self._styles.setdefault(job_id, OpenStyles())
        # A filter may hide the line that opened a style.
        shown = styles.opened + line.raw
        styles.read(line.raw)
        if self._marked:
            spans = chain.from_iterable(pattern.spans(line.text) for pattern in self._marked)
            shown = highlight(shown, spans)
        return shown if shown == line.text else f"{shown}{_RESET}"

    def _styled(self, text: str, style: str) -> str:
        return f"{style}{text}{_RESET}" if self.is_coloured else text


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _values(job: ShownJob, line: LogLine, printed: str) -> dict[str, str]:
    """Return the values of a template's fields; *printed* is the text of the line."""
    return {
        "project": clean(job.project),
        "job": clean(job.name),
        "id": str(job.id),
        "stage": clean(job.stage),
        "ref": clean(job.ref),
        "pipeline": clean(job.pipeline),
        "time": "" if line.at is None else _iso(line.at),
        "section": clean("/".join(line.section)),
        "number": str(line.number),
        "line": printed,
    }


def line_as_json(job: ShownJob, line: LogLine) -> str:
    """Return a line as one JSON object with its project and job."""
    about = {"project": job.project, "job_id": job.id, "job_name": job.name}
    return json_line(about | to_dict(line))
