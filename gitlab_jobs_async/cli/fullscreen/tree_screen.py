"""The screen of projects, pipelines, stages and jobs."""

from collections import Counter
from typing import ClassVar

from rich.text import Text

from gitlab_jobs_async.cli.cleaning import clean
from gitlab_jobs_async.cli.fullscreen.actions import Subject
from gitlab_jobs_async.cli.fullscreen.folding import Folding, RowKey, Selection
from gitlab_jobs_async.cli.fullscreen.keys import TREE_KEYS, Key
from gitlab_jobs_async.cli.fullscreen.line_list import LineList
from gitlab_jobs_async.cli.fullscreen.lines import DIM, Columns, header, row_line
from gitlab_jobs_async.cli.fullscreen.list_screen import ListScreen, bindings_of
from gitlab_jobs_async.cli.fullscreen.log_screen import LogScreen
from gitlab_jobs_async.cli.fullscreen.query import Query
from gitlab_jobs_async.cli.fullscreen.session import Session
from gitlab_jobs_async.cli.fullscreen.status_words import budget_words, joined, scan_words
from gitlab_jobs_async.cli.fullscreen.tree import Tree, build_tree
from gitlab_jobs_async.cli.fullscreen.tree_row import Row, next_failed
from gitlab_jobs_async.cli.views.events import short_reason
from gitlab_jobs_async.models.jobs import Bridge


class TreeScreen(ListScreen):
    """All pipelines with their jobs."""

    KEYS: ClassVar[tuple[Key, ...]] = TREE_KEYS
    EMPTY = "no pipelines to show"
    BINDINGS = bindings_of(TREE_KEYS)

    def __init__(self, session: Session, *, filter_text: str = "") -> None:
        super().__init__(session)
        self._folding = Folding()
        self._selection = Selection()
        self._filter = filter_text
        self._tree = Tree((), Counter(), 0, 6, 0)
        self._built = -1

    @property
    def row(self) -> Row | None:
        """The selected row."""
        rows = self._tree.rows
        return rows[self.list.cursor] if self.list.cursor < len(rows) else None

    def line(self, number: int, width: int) -> Text:
        """Return the text of a row."""
        return row_line(self._tree.rows[number], self._columns(width), self.session.now())

    def update(self) -> None:
        """Show the present state."""
        overview = self.session.overview
        if self._built != overview.changes:
            self._rebuild(kept=self._selection.key)
        # Nothing is known about the pipelines of a server that does not answer.
        is_known = self.session.listings.is_complete and not self.session.connection.words()
        empty = self.EMPTY if is_known else ""
        self.list.placeholder = self._progress() or empty
        self.list.refresh_changed()
        self.bars["titles"].show(self._columns(self.list.line_width).titles())
        self.bars["header"].show(
            header(self.session.title, self.row, self._tree.counts, self.size.width)
        )
        self.show_footer(Text(self._words(), DIM))

    def subject(self) -> Subject | None:
        """Return the selected job or pipeline."""
        row = self.row
        if row is None or row.entry is None:
            return None
        entry = row.entry
        if row.job is None:
            return Subject(entry.project_id, entry.project, entry.id, None, entry.url)
        job = row.job.job
        project = job.project_id or entry.project_id
        return Subject(project, entry.project, entry.id, job, job.web_url)

    def on_typed(self, text: str, *, is_complete: bool) -> None:  # noqa: ARG002 - as the log's
        """Filter by the words typed so far."""
        self._filter = text
        self._rebuild(kept=None)
        if text:
            # The first job that is found, with what holds it above.
            rows = self._tree.rows
            first = next((place for place, row in enumerate(rows) if row.job is not None), 0)
            self._selection.is_fixed = False
            self._selection.move_to(first, rows)
            self.list.show(len(rows), first)
        else:
            self.list.center()
        self.update()

    def action_open(self) -> None:
        """Open the log of the selected job, or fold or unfold."""
        row = self.row
        if row is None:
            return
        subject = self.subject()
        if row.job is None or subject is None:
            self.action_fold()
        elif isinstance(row.job.job, Bridge):
            self.session.say("a trigger job has no log; its pipeline is below it")
        else:
            self.app.push_screen(LogScreen(self.session, subject))

    def on_line_list_opened(self, _event: LineList.Opened) -> None:
        """Open the row that was clicked twice."""
        self.action_open()

    def on_move(self) -> None:
        """Keep the selection on the row under the cursor."""
        self._selection.is_fixed = False
        self._selection.move_to(self.list.cursor, self._tree.rows)
        self.update()

    def action_fold(self) -> None:
        """Fold or unfold the selected row."""
        row = self.row
        if row is not None and row.is_open is not None:
            self._fold(row, is_open=not row.is_open)

    def action_close(self) -> None:
        """Fold the selected row, or go to the row around it."""
        row = self.row
        if row is None:
            return
        if row.is_open:
            self._fold(row, is_open=False)
        elif row.enclosing:
            keys = [one.key for one in self._tree.rows]
            self.list.move_to(keys.index(row.enclosing[-1]))

    def action_unfold(self) -> None:
        """Unfold the selected row."""
        row = self.row
        if row is not None and row.is_open is False:
            self._fold(row, is_open=True)

    def action_fold_all(self) -> None:
        """Fold all rows."""
        self._set_all(is_open=False)

    def action_unfold_all(self) -> None:
        """Unfold all rows."""
        self._set_all(is_open=True)

    def action_next_failed(self, step: int) -> None:
        """Go to the next failed job."""
        place = next_failed(self._tree.rows, self.list.cursor, step)
        if place is None:
            self.session.say("no failed job")
        else:
            self.list.move_to(place)
            self.list.center()

    def action_leave(self) -> None:
        """Clear the filter."""
        self.on_typed("", is_complete=True)

    def _fold(self, row: Row, *, is_open: bool) -> None:
        self._folding.set(row.key, is_open=is_open)
        entry = row.entry
        if is_open and row.kind == "pipeline" and entry is not None and entry.row is None:
            self.session.start(self.session.listings.load(entry))
        self._rebuild(kept=self._selection.key)
        self.update()

    def _set_all(self, *, is_open: bool) -> None:
        self._folding.set_all(is_open=is_open)
        self._rebuild(kept=self._selection.key)
        self.update()

    def _rebuild(self, *, kept: RowKey | None) -> None:
        self._built = self.session.overview.changes
        query = Query.parse(self._filter)
        now = self.session.now()
        self._tree = build_tree(self.session.overview, self._folding, query, now, kept=kept)
        self._selection.find_in(self._tree.rows)
        self.list.show(len(self._tree.rows), self._selection.index)

    def _columns(self, width: int) -> Columns:
        return Columns(width, self._tree.name_width, self._tree.id_width)

    def _progress(self) -> str:
        """Return what is read before all can be shown."""
        session = self.session
        connection, loading = session.connection, session.listings.loading
        return joined(
            *(f"jobs of #{number}: {connection.read_of(number)}" for number in loading),
            scan_words(session.feed.first_scan(), connection.pages),
        )

    def _words(self) -> str:
        session = self.session
        now = session.now()
        board = session.overview.board
        problems = [
            f"{clean(name)} unreachable: {clean(short_reason(reason))}"
            for name, reason in list(board.unreachable.items())[:1]
        ]
        found = ""
        if self._filter:
            count = self._tree.matching
            jobs = "1 job" if count == 1 else f"{count:,} jobs"
            found = f"filter {self._filter!r}: {jobs}, Esc clears it"
        return joined(
            found,
            *problems,
            self._progress(),
            "ended" if session.feed.has_ended else "",
            "standing by: another process watches" if session.feed.is_standing_by else "",
            budget_words(session.gitlab.budget.snapshot(now), now),
        )
