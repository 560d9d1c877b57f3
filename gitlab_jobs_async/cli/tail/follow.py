"""Follow the logs of selected jobs: those that run, and those that start later."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack
from math import inf
from typing import Final, TypeVar

from attrs import define, evolve, field

from gitlab_jobs_async.cli.closed_pipe import until_reader_closes
from gitlab_jobs_async.cli.errors import NOT_FOUND, OK, CommandError, error_line, exit_code_of
from gitlab_jobs_async.cli.tail.endings import ending
from gitlab_jobs_async.cli.tail.log_slots import LogSlots, SelectedJob
from gitlab_jobs_async.cli.tail.outages import OutageReports, one_report_an_outage
from gitlab_jobs_async.cli.tail.printer import LogPrinter
from gitlab_jobs_async.cli.tail.selection import JobSelection
from gitlab_jobs_async.cli.terminal import break_line, print_error, print_report
from gitlab_jobs_async.cli.views.counts import counted
from gitlab_jobs_async.cli.views.events import NamedTarget, any_of, short_reason
from gitlab_jobs_async.cli.views.job_labels import ShownJob
from gitlab_jobs_async.client import GitLab
from gitlab_jobs_async.clock import SystemClock
from gitlab_jobs_async.concurrency import merged
from gitlab_jobs_async.events import (
    AllTargetsUnreachable,
    AnyEvent,
    ProjectUnreachable,
)
from gitlab_jobs_async.logs.items import TailedItem, TailedLine, TailFailed
from gitlab_jobs_async.logs.merge import JobLines
from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.monitor.tracked_logs import log_started_by
from gitlab_jobs_async.polling.policy import PollPolicy

T = TypeVar("T")

_DENIALS: Final = frozenset({401, 403, 404})
_AT_ONCE: Final = 4
"""Logs that are requested at once where they are printed one after the other."""

_EVENTS: Final = "events"
_LINES: Final = "lines"


@define(eq=False, repr=False)
class SelectedLogs:
    """The logs of the selected jobs; *last* limits the lines that exist before the command."""

    selection: JobSelection
    printer: LogPrinter
    slots: LogSlots
    last: int | None
    code_so_far: int = OK
    _has_waited: bool = field(default=False, init=False)

    def add(self, lines: JobLines, project: str, job: Job, *, last: int | None) -> None:
        """Follow the log of a selected job, or let it wait; ignore one that was added before."""
        if not self.selection.has(job):
            return
        key = job.project_id or project
        shown = ShownJob.of(project, job)
        self._open(lines, self.slots.add(SelectedJob(key, job, shown, last)))
        if self.slots.waiting and not self._has_waited:
            most = counted(self.slots.most, "log")
            print_error(f"--max-logs: {most} at once; further jobs wait for an end")
        self._has_waited = bool(self.slots.waiting)

    def on_item(self, lines: JobLines, item: TailedItem) -> None:
        """Print a line, or how a job has ended, and open the log of one that waits."""
        if isinstance(item, TailedLine):
            self.printer.show(item)
            return
        ended, following = self.slots.end(item.job_id)
        self.printer.forget(item.job_id)
        if isinstance(item, TailFailed):
            print_error(f"{ended.shown}: {error_line(item.error)}")
            self.code_so_far = exit_code_of(item.error)
        else:
            job = item.job or ended.job
            is_bad = job.status in {JobStatus.FAILED, JobStatus.CANCELED}
            print_report(ending(ended.shown, job), is_bad=is_bad)
        self._open(lines, following)

    def _open(self, lines: JobLines, selected: SelectedJob | None) -> None:
        if selected is not None:
            self.printer.add(selected.shown, selected.job)
            lines.add(selected.project, selected.job.id, lines=selected.last)


async def follow(
    gitlab: GitLab,
    targets: Sequence[NamedTarget],
    logs: SelectedLogs,
    policy: PollPolicy,
    first: Iterable[tuple[str, Job]] = (),
) -> None:
    """Print the lines of the selected jobs of *targets* until these and their logs have ended.

    *first* are jobs that ended before, each with its project.

    Raises:
        CommandError: no target can be read.
    """
    # A person may close the lid of a laptop: logs go on afterwards.
    policy = evolve(policy, outage_timeout=inf)
    matching = None if logs.last is None else logs.printer.prints
    try:
        with one_report_an_outage(SystemClock()) as reports:
            async with (
                until_reader_closes(),
                gitlab.monitor(targets, polling=policy) as events,
                gitlab.tail_jobs([], matching=matching, polling=policy) as lines,
                merged() as sources,
            ):
                for project, job in first:
                    logs.add(lines, project, job, last=logs.last)
                sources.add(_EVENTS, _each(events))
                if len(lines):
                    sources.add(_LINES, _each(lines))
                async for key, item in sources:
                    if key == _EVENTS:
                        _on_event(logs, lines, reports, item, targets)
                    else:
                        reports.succeeded()
                        logs.on_item(lines, item)
                    # The iteration ends when no log is left, and continues after an `add`.
                    if len(lines) and _LINES not in sources:
                        sources.add(_LINES, _each(lines))
    except asyncio.CancelledError:
        break_line()
        raise


async def show_present(
    gitlab: GitLab,
    found: Sequence[tuple[str, Job]],
    printer: LogPrinter,
    last: int | None,
    *,
    is_labelled: bool = True,
) -> int:
    """Print the lines that the logs of these jobs have now, job after job; return the exit code.

    The next logs are requested while one is printed.

    Raises:
        GitLabError: the only log cannot be read.
    """
    code = OK
    matching = None if last is None else printer.prints
    for project, job in found:
        printer.add(ShownJob.of(project, job), job, is_labelled=is_labelled)
    targets = [(job.project_id or project, job.id) for project, job in found]
    for start in range(0, len(targets), _AT_ONCE):
        async with until_reader_closes(), AsyncExitStack() as opened:
            tails = [
                gitlab.tail_jobs([target], lines=last, matching=matching, follow=False)
                for target in targets[start : start + _AT_ONCE]
            ]
            for items in [await opened.enter_async_context(one) for one in tails]:
                async for item in items:
                    if isinstance(item, TailedLine):
                        printer.show(item)
                    elif isinstance(item, TailFailed):
                        if len(found) == 1:
                            raise item.error
                        print_error(f"job {item.job_id}: {error_line(item.error)}")
                        code = exit_code_of(item.error)
    return code


def _on_event(
    logs: SelectedLogs,
    lines: JobLines,
    reports: OutageReports,
    event: AnyEvent,
    targets: Sequence[NamedTarget],
) -> None:
    match event:
        case AllTargetsUnreachable(reason=reason):
            raise CommandError(
                f"cannot read {any_of(targets)}: {short_reason(reason)}; check the names and the "
                "token's permissions",
                NOT_FOUND,
                reason=reason,
            )
        case ProjectUnreachable(project=project, status=status, reason=reason):
            # A refusal is about this project, and of the only one it ends the command. Anything
            # else may be an outage of the server.
            if len(targets) > 1 if status in _DENIALS else reports.is_first():
                print_error(f"{project} is unavailable, retrying: {short_reason(reason)}")
        case _:
            reports.succeeded()
            log = log_started_by(event)
            if log is not None and event.project is not None:
                project = event.project_path or str(event.project)
                # Of a job that starts later, every line is new.
                logs.add(lines, project, log.job, last=None if log.is_new else logs.last)


async def _each(items: AsyncIterator[T]) -> AsyncGenerator[T, None]:
    async for item in items:
        yield item
