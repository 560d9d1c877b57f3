"""The options of the command `tail`, and which of them exclude each other."""

import shutil
from datetime import UTC, datetime
from typing import Annotated, Final

from attrs import field, frozen
from cyclopts import Parameter
from cyclopts.validators import Number

from gitlab_jobs_async.cli.errors import usage_error
from gitlab_jobs_async.cli.options import ServerOptions
from gitlab_jobs_async.cli.progress import Progress
from gitlab_jobs_async.cli.tail.printer import LogPrinter
from gitlab_jobs_async.cli.tail.selection import JobFilter, JobSelection
from gitlab_jobs_async.cli.tail.since import LinesSince, parse_since
from gitlab_jobs_async.cli.terminal import is_terminal, supports_colour
from gitlab_jobs_async.cli.views.job_labels import JobLabels
from gitlab_jobs_async.cli.views.log_lines import LogView
from gitlab_jobs_async.cli.views.log_style import LogStyle

DEFAULT_STYLE: Final = LogStyle()
Count = Annotated[int | None, Parameter(validator=Number(gte=0), metavar="N")]


@Parameter(name="*")
@frozen(kw_only=True)
class LogRange:
    """Options that select the part of the logs to show."""

    lines: Annotated[
        Count,
        Parameter(
            alias="-n", help="Only the last N of the existing lines that are to be shown, per job."
        ),
    ] = None
    since: Annotated[
        str | None,
        Parameter(
            metavar="TIME",
            help="Only lines since then: 10m, 1h30m, 2026-01-31T10:00. Also shows jobs that have "
            "ended since.",
        ),
    ] = None
    offset: Annotated[
        Count,
        Parameter(
            metavar="BYTE", help="Start at this byte of the log, as printed by an earlier call."
        ),
    ] = None
    follow: Annotated[
        bool,
        Parameter(negative="--no-follow", help="Follow the logs until the jobs end (default)."),
    ] = True
    follow_retries: Annotated[
        bool,
        Parameter(help="Go on with the next attempt of a JOB that GitLab or a user retries."),
    ] = False
    log_failed: Annotated[
        bool,
        Parameter(
            help="Only the failed section of each JOB that has failed, or of those of a pipeline."
        ),
    ] = False


@frozen
class TailCall:
    """The options of a call. All are checked when it is made."""

    range: LogRange
    style: LogStyle
    jobs: JobFilter
    json: bool = field(kw_only=True)
    raw: bool = field(kw_only=True)
    interval: float | None = field(kw_only=True)
    server: ServerOptions = field(kw_only=True)
    waiting: Progress = field(kw_only=True)
    since: datetime | None = field(init=False)
    selection: JobSelection = field(init=False)
    view: LogView = field(init=False)

    @since.default
    def _parse_since(self) -> datetime | None:
        since = self.range.since
        return None if since is None else parse_since(since, datetime.now(UTC))

    @selection.default
    def _select(self) -> JobSelection:
        return JobSelection(self.jobs)

    @view.default
    def _make_view(self) -> LogView:
        wanted = self.style.color
        labels = JobLabels()
        if is_terminal():
            labels.width = max(20, shutil.get_terminal_size().columns // 3)
        return LogView(self.style, supports_colour() if wanted is None else wanted, labels)

    def printer(self, first_line: int = 1) -> LogPrinter:
        """Return a printer of lines, from when on no progress is shown."""
        self.waiting.stop()
        since = None if self.since is None else LinesSince(self.since)
        return LogPrinter(self.view, is_json=self.json, since=since, first_line=first_line)

    def arguments(self) -> list[str]:
        """Return the options that repeat this call, without the token."""
        server = self.server
        named = {"interval": self.interval, "url": server.url, "profile": server.profile}
        switches = {
            "raw": self.raw,
            "json": self.json,
            "follow-retries": self.range.follow_retries,
        }
        options = [f"--{name}" for name, value in switches.items() if value]
        # With an equals sign, as a value may begin with a dash.
        options += [f"--{name}={value}" for name, value in named.items() if value is not None]
        return options + self.style.arguments()


def check(jobs: int, how: TailCall) -> None:
    """Raise for options that exclude each other; *jobs* is the number of JOBs."""
    part = how.range
    if part.offset is not None:
        if jobs != 1:
            raise usage_error("--offset needs exactly one JOB")
        if part.lines is not None or part.since is not None or not part.follow or part.log_failed:
            raise usage_error("--offset does not go with --lines, --since or --no-follow")
    if part.follow_retries and (not jobs or not part.follow or part.log_failed or how.raw):
        raise usage_error(
            "--follow-retries: expected a JOB, without --no-follow, --log-failed or --raw"
        )
    if part.log_failed and part.since is not None:
        raise usage_error("--log-failed does not go with --since")
    if not how.raw:
        return
    if jobs != 1:
        raise usage_error("--raw needs exactly one JOB")
    is_cut = part.lines is not None or part.since is not None or part.log_failed
    if how.json or is_cut or how.style != DEFAULT_STYLE:
        raise usage_error(
            "--raw writes the bytes unchanged: expected no options but --offset and --no-follow"
        )
    if is_terminal():
        raise usage_error("--raw needs a file or pipe: job output could control the terminal")
