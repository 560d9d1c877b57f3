"""Find the failed section of a log and its error, while the log is read once."""

import re
from collections import deque
from collections.abc import Iterable
from typing import Final

from attrs import define, field, frozen

from gitlab_jobs_async.logs.error_lines import Likelihood, likelihood_of
from gitlab_jobs_async.logs.parser import LogParser
from gitlab_jobs_async.models.logs import LogLine, Section

# The runner's stages that do not decide a job: common/build_stage.go. A failed `after_script` or
# cache does not fail it.
_LATER: Final = frozenset(
    {
        "after_script",
        "archive_cache",
        "archive_cache_on_failure",
        "upload_artifacts_on_failure",
        "cleanup_file_variables",
    }
)
# logger.SoftErrorln in common/build.go.
_VERDICT: Final = re.compile(r"ERROR: (Job failed(?: \(system failure\))?: .*)")
_EXIT_CODE: Final = re.compile(r"\bexit (?:code|status) (-?\d{1,10})\b")
_LONGEST_MESSAGE: Final = 2000
_MOST_KEPT: Final = 4 << 20
"""Characters of the kept lines together, of which one may have as many."""


@frozen
class LogFailure:
    """Findings of a log about the failure of its job; the fields are those of `JobFailure`."""

    message: str | None
    exit_code: int | None
    section: tuple[str, ...]
    lines: tuple[LogLine, ...]
    error: LogLine | None


@define(eq=False, repr=False)
class FailureReader:
    """Reads the trace of a failed job in order; keeps its last *count* lines of one stage.

    Fewer if they are very long.

    A stage is a section of the runner, such as `get_sources` or `step_script`. The job failed in
    the last one that is not among those that always follow.
    """

    count: int
    _parser: LogParser = field(factory=LogParser, init=False)
    _stage: str | None = field(default=None, init=False)
    _path: tuple[str, ...] = field(default=(), init=False)
    _closed: list[Section] = field(factory=list, init=False)
    _lines: deque[LogLine] = field(factory=deque, init=False)
    _size: int = field(default=0, init=False)
    _last: LogLine | None = field(default=None, init=False)
    _errors: dict[Likelihood, LogLine] = field(factory=dict, init=False)
    _verdict: LogLine | None = field(default=None, init=False)

    def feed(self, data: bytes) -> None:
        """Read the next bytes of the trace."""
        self.read_lines(self._parser.feed(data))

    def close(self) -> LogFailure:
        """Return what was found, at the end of the trace."""
        self.read_lines(self._parser.close())
        path, message = self._failed_path(), None
        # The log ends with it, also where a script has left its sections open.
        verdict = self._verdict or self._last
        if verdict is not None and (found := _VERDICT.match(verdict.text)):
            message = found[1][:_LONGEST_MESSAGE].strip()
        code = _EXIT_CODE.search(message or "")
        within = (line for line in self._lines if line.section[: len(path)] == path)
        lines = tuple(line for line in within if message is None or line is not verdict)
        error = self._errors.get(Likelihood.CERTAIN) or self._errors.get(Likelihood.POSSIBLE)
        if message is not None and (error is None or error is verdict):
            # Where only the runner explains it, as an image that cannot be pulled.
            error = verdict if code is None else None
        return LogFailure(message, None if code is None else int(code[1]), path, lines, error)

    def read_lines(self, lines: Iterable[LogLine]) -> None:
        """Read the next lines, in place of the bytes that they are made of."""
        for line in lines:
            if line.markers:
                self._pass(line.markers)
            self._take(line)

    def _pass(self, markers: Iterable[Section]) -> None:
        """Note the sections of the stage that ended after its last line."""
        for marker in markers:
            if marker.ended_at is None and len(marker.path) == 1 and marker.name not in _LATER:
                self._begin(marker.name)
            elif marker.ended_at is not None and marker.path[:1] == (self._stage,):
                self._closed.append(marker)
                # As many as may be open; a script may write any number of markers.
                del self._closed[:-64]

    def _begin(self, stage: str | None) -> None:
        self._stage, self._path = stage, () if stage is None else (stage,)
        self._lines.clear()
        self._size = 0
        self._errors.clear()
        self._closed.clear()

    def _take(self, line: LogLine) -> None:
        stage = line.section[0] if line.section else None
        if line.text:
            self._last = line
        if stage is None and _VERDICT.match(line.text):
            self._verdict = line
            return
        if not line.text and self._last is not None and _VERDICT.match(self._last.text):
            return  # the runner resets the colour in a line of its own
        # Between two stages the runner speaks; without any, all lines are the job's.
        if stage in _LATER or (stage is None and self._stage is not None):
            return
        if stage != self._stage:
            self._begin(stage)
        self._path = line.section
        self._closed.clear()
        self._keep(line)
        if Likelihood.CERTAIN not in self._errors:
            likelihood = likelihood_of(line.text)
            if likelihood:
                self._errors.setdefault(likelihood, line)

    def _keep(self, line: LogLine) -> None:
        self._lines.append(line)
        self._size += len(line.raw)
        while len(self._lines) > self.count or self._size > _MOST_KEPT:
            self._size -= len(self._lines.popleft().raw)

    def _failed_path(self) -> tuple[str, ...]:
        """Return the path of the innermost section that was open when the stage ended."""
        if not self._closed or self._closed[-1].path != self._path[:1]:
            return self._path
        ended_at = self._closed[-1].ended_at
        # A shell that fails leaves its sections open: they end together with the stage.
        before = [s.path for s in self._closed if s.ended_at is not None and s.ended_at != ended_at]
        path = self._path
        while path in before:
            path = path[:-1]
        return path
