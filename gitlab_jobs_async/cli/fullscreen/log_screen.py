"""The screen of a job's log: followed while the job runs, with sections, search and the failure."""

import asyncio
from typing import ClassVar, Final

from rich.text import Text

from gitlab_jobs_async.cli.fullscreen.actions import Outcome, Subject
from gitlab_jobs_async.cli.fullscreen.keys import LOG_KEYS, Key
from gitlab_jobs_async.cli.fullscreen.line_list import LineList
from gitlab_jobs_async.cli.fullscreen.lines import DIM
from gitlab_jobs_async.cli.fullscreen.list_screen import ListScreen, bindings_of
from gitlab_jobs_async.cli.fullscreen.log_document import LogDocument, LogRow
from gitlab_jobs_async.cli.fullscreen.log_lines import LogText, header, heading
from gitlab_jobs_async.cli.fullscreen.log_reader import LogReader
from gitlab_jobs_async.cli.fullscreen.log_search import LogSearch
from gitlab_jobs_async.cli.fullscreen.session import Session
from gitlab_jobs_async.cli.fullscreen.status_words import joined

_SIDEWAYS: Final = 16


class LogScreen(ListScreen):
    """The log of one job."""

    KEYS: ClassVar[tuple[Key, ...]] = LOG_KEYS
    BINDINGS = bindings_of(LOG_KEYS)

    def __init__(self, session: Session, subject: Subject) -> None:
        super().__init__(session)
        self._reading: asyncio.Task[None] | None = None
        self._begin(subject)

    def _begin(self, subject: Subject) -> None:
        """Show the log of a job from its first line."""
        self._log = LogReader(self.session, subject, self._on_replaced, self._on_failure)
        self._text = LogText(self._log.document)
        self._is_following = True
        self._search = LogSearch()

    def on_mount(self) -> None:
        """Start to read the log."""
        super().on_mount()
        self._reading = self.session.start(self._log.run())

    def on_unmount(self) -> None:
        """Stop reading."""
        if self._reading is not None:
            self._reading.cancel()

    @property
    def _document(self) -> LogDocument:
        return self._text.document

    def line(self, number: int, _width: int) -> Text:
        """Return a line of the screen."""
        return self._text.text(number)

    def subject(self) -> Subject | None:
        """Return the job."""
        return self._log.subject

    def update(self) -> None:
        """Show new lines, at the end if the log is followed."""
        count = self._text.arrange(self.list.line_width)
        cursor = count - 1 if self._is_following else self.list.cursor
        self.list.show(count, cursor)
        self.bars["header"].show(header(self._log.subject, self._log.job, self.size.width))
        self.bars["titles"].show(self._titles())
        self.show_footer(Text(self._words(), DIM))

    def _on_replaced(self) -> None:
        """Show another document, with the cursor on its line if it is still there."""
        row, before = self._row(), self._document.lines
        # The header of a section stands before its first line, which may not be read yet.
        at = None if row is None else before[min(row.line, len(before) - 1)].number
        self._text = LogText(self._log.document, self._text.is_wrapped, query=self._text.query)
        kept = None if at is None else self._document.line_numbered(at)
        if kept is None:
            self._is_following = True
        elif not self._is_following:
            self._go_to(kept)

    def _on_failure(self) -> None:
        """Mark the line of the failure, and go to it unless the user has moved."""
        self._text.failure = self._log.failure
        if self._is_following:
            self.action_failure()

    def action_failure(self) -> None:
        """Go to the line that shows why the job failed."""
        if self._log.failure is None:
            is_unknown = "not found in the log" if self._log.is_read else "not known yet"
            self.session.say(f"the failure is {is_unknown}")
        else:
            self._go_to(self._log.failure)

    def action_last(self) -> None:
        """Go to the last line, and follow the log."""
        self._is_following = True
        self.update()

    def on_move(self) -> None:
        """Follow the log only while the cursor is at its end."""
        self._is_following = self.list.cursor == self.list.count - 1
        self.update()

    def on_line_list_opened(self, _event: LineList.Opened) -> None:
        """Fold or unfold the section that was clicked twice."""
        self.action_fold()

    def action_fold(self) -> None:
        """Fold or unfold the section of the selected line."""
        row = self._row()
        if row is not None and row.section >= 0:
            self._document.toggle(row)
            header = self._document.place_of(row)
            self._keep(self._document.rows[header])

    def action_fold_all(self) -> None:
        """Fold all sections."""
        self._set_all(is_open=False)

    def action_unfold_all(self) -> None:
        """Unfold all sections."""
        self._set_all(is_open=True)

    def action_wrap(self) -> None:
        """Wrap long lines, or cut them."""
        row = self._row()
        self._text.is_wrapped = not self._text.is_wrapped
        self._text.left = 0
        if row is not None:
            self._keep(row)

    def action_sideways(self, steps: int) -> None:
        """Scroll lines that are cut."""
        self._text.left = max(0, self._text.left + steps * _SIDEWAYS)
        self.update()

    def action_next_match(self, step: int) -> None:
        """Go to the next line that contains the search text."""
        row, text = self._row(), self._text
        at = -1 if row is None else row.line
        hit = self._search.next(text.document, text.query, at, step)
        if hit is None:
            self.session.say("no match" if text.query else "nothing to search: press /")
        else:
            self._go_to(hit)

    def on_typed(self, text: str, *, is_complete: bool) -> None:
        """Search for *text* once it is complete."""
        if not is_complete:
            return
        self._text.query = text
        self.list.forget()
        if text:
            self.action_next_match(1)

    def action_leave(self) -> None:
        """Go back to the pipelines."""
        self.app.pop_screen()

    def on_done(self, subject: Subject, outcome: Outcome) -> None:
        """Show the log of the new attempt after a retry."""
        job = outcome.job
        if job is None or not self.is_mounted or job.id == self._log.job.id:
            return
        if self._reading is not None:
            self._reading.cancel()
        self._begin(Subject(subject.project, subject.path, subject.pipeline, job, job.web_url))
        self._reading = self.session.start(self._log.run())
        self.update()

    def _row(self) -> LogRow | None:
        rows = self._document.rows
        place = self._text.row_at(self.list.cursor) if rows else 0
        return rows[place] if place < len(rows) else None

    def _go_to(self, line: int) -> None:
        self._keep(self._document.rows[self._document.reveal(line)])
        self.list.center()
        self.update()

    def _set_all(self, *, is_open: bool) -> None:
        row = self._row()
        self._document.set_all(is_open=is_open)
        if row is not None:
            self._keep(row)

    def _keep(self, row: LogRow) -> None:
        """Leave the cursor on *row* after rows have changed."""
        count = self._text.arrange(self.list.line_width)
        place = self._document.place_of(row)
        self._is_following = False
        self.list.show(count, self._text.start_of(place))
        self.update()

    def _titles(self) -> Text:
        row = self._row()
        if row is None or not row.section >= 0:
            return Text()
        line = min(row.line, len(self._document.lines) - 1)
        return Text(heading(self._document.lines[line]), DIM)

    def _words(self) -> str:
        row = self._row()
        lines = len(self._document.lines)
        if self._log.problem:
            state = self._log.problem
        elif not lines:
            state = "the log is empty" if self._log.is_read else "waiting for the log"
        else:
            state = f"line {min(lines, row.line + 1) if row else 0:,} of {lines:,}"
        follows = "" if self._log.is_read else "following" if self._is_following else "G follows"
        query = self._text.query
        count = len(self._search.hits(self._document, query)) if query else 0
        hits = f"{count:,} lines with {query!r}" if query else ""
        wraps = "wrapped" if self._text.is_wrapped else ""
        return joined(state, follows, hits, wraps)
