"""Print the lines of selected jobs: filtered, formatted, or as JSON."""

from datetime import datetime

from attrs import define, field

from gitlab_jobs_async.cli.tail.since import LinesSince
from gitlab_jobs_async.cli.terminal import print_error, write, write_json
from gitlab_jobs_async.cli.views.job_labels import ShownJob
from gitlab_jobs_async.cli.views.log_lines import LogView, line_as_json
from gitlab_jobs_async.logs.items import TailedLine
from gitlab_jobs_async.models.jobs import JobBasic


@define
class LogPrinter:
    """Prints lines of the jobs that were added, from *since* and from *first_line* on.

    *last_line* is the number of the newest line, printed or not.
    """

    view: LogView
    is_json: bool = False
    since: LinesSince | None = None
    first_line: int = 1
    last_line: int = field(default=0, init=False)
    _jobs: dict[int, tuple[ShownJob, datetime | None]] = field(factory=dict, init=False)
    _untimed: set[int] = field(factory=set, init=False)

    def add(self, shown: ShownJob, job: JobBasic, *, is_labelled: bool = True) -> None:
        """Print lines of this job, each with its label if *is_labelled*."""
        self._jobs[shown.id] = shown, job.started_at
        if is_labelled:
            self.view.labels.add(shown)

    def prints(self, item: TailedLine) -> bool:
        """Return whether `show` prints anything of this line."""
        if not self._is_in_range(item):
            return False
        return self.view.passes(item.line) if self.is_json else self.view.prints(item.line)

    def show(self, item: TailedLine) -> None:
        """Print the line, if it passes the filters, and its section markers."""
        shown, _ = self._jobs[item.job_id]
        self.last_line = item.line.number
        if not self._is_in_range(item):
            self._note_untimed(shown, item)
            return
        passes = self.view.passes(item.line)
        if not self.is_json:
            write(self.view.text(shown, item.line, is_shown=passes))
        elif passes:
            write_json(line_as_json(shown, item.line))

    def forget(self, job_id: int) -> None:
        """Forget a job whose log has ended."""
        self._jobs.pop(job_id, None)
        self._untimed.discard(job_id)
        self.view.forget(job_id)
        if self.since is not None:
            self.since.forget(job_id)

    def _is_in_range(self, item: TailedLine) -> bool:
        is_since = self.since is None or self.since.has(item, self._jobs[item.job_id][1])
        return is_since and item.line.number >= self.first_line

    def _note_untimed(self, shown: ShownJob, item: TailedLine) -> None:
        if self.since is not None and item.line.at is None and shown.id not in self._untimed:
            self._untimed.add(shown.id)
            print_error(f"{shown}: its log has no times: only new lines are shown")
