"""Read a log for its screen: the lines as they come, and the failure at the end."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Final

from attrs import define, field

from gitlab_jobs_async.cli.errors import error_line
from gitlab_jobs_async.cli.fullscreen.actions import Subject
from gitlab_jobs_async.cli.fullscreen.log_document import LogDocument
from gitlab_jobs_async.cli.fullscreen.session import Session
from gitlab_jobs_async.cli.views.events import short_reason
from gitlab_jobs_async.errors import GitLabError
from gitlab_jobs_async.logs.failure import FailureReader
from gitlab_jobs_async.models.jobs import JobBasic
from gitlab_jobs_async.models.logs import LogLine
from gitlab_jobs_async.models.statuses import JobStatus

_AT_ONCE: Final = 500
"""Lines that are read before the screen gets a turn."""

_MOST_LINES: Final = 100_000
"""Lines that are kept: about 70 MB."""

_FAILURE_LINES: Final = 20


@define(eq=False, repr=False)
class LogReader:
    """Reads the log of a job into `document`, until the job has ended.

    Attributes:
        session: the client, and the screen to draw again.
        subject: the job.
        replaced: called after `document` was replaced: its oldest lines were dropped, or the log
            begins again.
        failed: called once `failure` is known.
        failure: place of the line that shows why the job failed.
        is_read: whether the whole log was read.
        problem: why it cannot be read.
    """

    session: Session
    subject: Subject
    replaced: Callable[[], None]
    failed: Callable[[], None]
    document: LogDocument = field(factory=LogDocument, init=False)
    failure: int | None = field(default=None, init=False)
    is_read: bool = field(default=False, init=False)
    problem: str = field(default="", init=False)

    @property
    def job(self) -> JobBasic:
        """The newest state of the job."""
        known = self.subject.job
        if known is None:
            raise ValueError("a log has a job")
        return self.session.overview.newest(known)

    async def run(self) -> None:
        """Read the log; an error becomes the `problem`."""
        try:
            await self._read()
        except GitLabError as error:
            self.problem = f"log not read: {short_reason(error_line(error))}"
        self.session.changed()

    async def _read(self) -> None:
        job = self.job
        calls = self.session.gitlab.project(self.subject.project)
        async with aclosing(calls.tail(job.id, follow=not job.status.is_finished)) as lines:
            count = 0
            async for line in lines:
                self._append(line)
                count += 1
                if count % _AT_ONCE == 0:
                    await asyncio.sleep(0)
        self.is_read = True
        ended = await calls.get_job(job.id)
        self.session.overview.on_job(self.subject.path, ended, self.session.now())
        if ended.status == JobStatus.FAILED:
            await self._find_failure()

    def _append(self, line: LogLine) -> None:
        if line.number == 1 and self.document.lines:
            self.document = LogDocument()
            self.replaced()
        self.document.append(line)
        if len(self.document.lines) > _MOST_LINES + _MOST_LINES // 10:
            self.document = self.document.trimmed(_MOST_LINES)
            self.replaced()
        self.session.changed()

    async def _find_failure(self) -> None:
        reader, lines = FailureReader(_FAILURE_LINES), self.document.lines
        for start in range(0, len(lines), _AT_ONCE):
            reader.read_lines(lines[start : start + _AT_ONCE])
            await asyncio.sleep(0)
        found = reader.close()
        shown = found.error or (found.lines[-1] if found.lines else None)
        self.failure = None if shown is None else self.document.line_numbered(shown.number)
        if self.failure is not None:
            self.document.mark_failed(self.failure)
            self.failed()
