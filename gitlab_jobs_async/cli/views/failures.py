"""Groups of failed jobs with the failure of the newest: columns, JSON and lines. Pure."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from attrs import frozen
from rich.text import Text

from gitlab_jobs_async.api.json_writing import to_dict
from gitlab_jobs_async.cli.cleaning import clean, clean_log
from gitlab_jobs_async.cli.views.columns import Column
from gitlab_jobs_async.cli.views.times import ago, utc_time
from gitlab_jobs_async.models.failure_groups import FailureGroup
from gitlab_jobs_async.models.failures import JobFailure

_MOST_REFS: Final = 3


@frozen
class Failed:
    """A group, and why its newest job failed; *problem* is why that is unknown."""

    group: FailureGroup
    failure: JobFailure | None = None
    problem: str = ""

    @property
    def project(self) -> str:
        """The path of the project, else as the user named it."""
        return self.group.newest.project_path or str(self.group.project)

    @property
    def last(self) -> datetime:
        """When the newest job ended."""
        return self.group.newest.finished_at or self.group.newest.created_at

    @property
    def error(self) -> str:
        """The line that looks like the error, else the last one; empty without a log."""
        failure = self.failure
        if failure is None:
            return ""
        if failure.error is not None:
            return failure.error.text
        return failure.lines[-1].text if failure.lines else ""


FAILURE_COLUMNS: Final[tuple[Column[Failed], ...]] = (
    Column(
        name="count",
        title="jobs",
        plain=lambda one: one.group.count,
        justify="right",
        is_whole=True,
    ),
    Column(
        name="flaky",
        plain=lambda one: len(one.group.flaky_ids),
        shown=lambda one, _: len(one.group.flaky_ids) or "",
        justify="right",
        is_whole=True,
    ),
    Column(name="project", plain=lambda one: one.project),
    Column(name="name", plain=lambda one: one.group.name, style="bold"),
    Column(name="reason", plain=lambda one: one.group.reason),
    Column(
        name="last",
        plain=lambda one: utc_time(one.last),
        shown=lambda one, now: ago(one.last, now),
        justify="right",
        is_whole=True,
    ),
    Column(
        name="job",
        plain=lambda one: one.group.newest.id,
        justify="right",
        is_whole=True,
        link=lambda one: one.group.newest.web_url,
    ),
    Column(name="refs", plain=lambda one: ",".join(one.group.refs)),
    Column(name="web_url", plain=lambda one: one.group.newest.web_url),
    Column(
        name="exit_code", plain=lambda one: None if one.failure is None else one.failure.exit_code
    ),
    Column(name="error", plain=lambda one: one.error),
)
FAILURE_DEFAULT: Final = (
    "count", "flaky", "project", "name", "reason", "last", "job", "web_url", "exit_code", "error",
)  # fmt: skip
TABLE_DEFAULT: Final = ("count", "flaky", "project", "name", "reason", "last", "job")
"""The columns of a table for people, without logs."""


def failure_json(one: Failed) -> dict[str, Any]:
    """Return a group as JSON values, with the failure of its newest job as `failure`."""
    failure = None if one.failure is None else to_dict(one.failure)
    if failure is not None:
        # The job is the group's newest one.
        del failure["job"]
    return {**to_dict(one.group), "count": one.group.count, "failure": failure}


def failure_lines(one: Failed, now: datetime) -> Iterator[Text]:
    """Yield the lines about a group: a heading, how the newest job failed, and the log's lines."""
    group = one.group
    flaky = len(group.flaky_ids)
    reason = f"  {clean(group.reason)}" if group.reason else ""
    yield Text.assemble(
        (f"{group.count}x ", "bold red"),
        (clean(group.name), "bold"),
        f"  {clean(one.project)}",
        (reason, "red"),
        (f"  {ago(one.last, now)}", "bright_black"),
        (f"  flaky: {flaky} passed on retry" if flaky else "", "yellow"),
        ("  may fail" if group.newest.allow_failure else "", "bright_black"),
    )
    refs = [clean(ref) for ref in group.refs[:_MOST_REFS]]
    more = len(group.refs) - len(refs)
    on = ", ".join(refs) + (f" and {more} more" if more else "")
    yield Text(f"   {clean(group.newest.web_url)}  on {on}", "bright_black")
    if one.problem:
        yield Text(f"   log unavailable: {clean(one.problem)}", "yellow")
    if one.failure is not None:
        yield from _log_lines(one.failure)


def _log_lines(failure: JobFailure) -> Iterator[Text]:
    section = f" in {clean('/'.join(failure.section))}" if failure.section else ""
    yield Text(f"   {clean(failure.message or 'no final message')}{section}")
    lines = list(failure.lines)
    if failure.error is not None and failure.error not in lines:
        lines.insert(0, failure.error)
    if not lines:
        yield Text("   no lines: the log is empty or was erased", "bright_black")
    for line in lines:
        is_error = line == failure.error
        yield Text(
            f"   {'>' if is_error else '|'} {clean_log(line.text)}", "red" if is_error else ""
        )
