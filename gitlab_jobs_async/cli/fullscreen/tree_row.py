"""A line of the tree: a project, pipeline, stage or job. Pure."""

from collections.abc import Sequence
from typing import Literal

from attrs import frozen

from gitlab_jobs_async.cli.fullscreen.folding import RowKey
from gitlab_jobs_async.cli.fullscreen.overview import Entry
from gitlab_jobs_async.cli.views.board import JobRow
from gitlab_jobs_async.models.statuses import JobStatus

Kind = Literal["project", "pipeline", "stage", "job"]


@frozen(kw_only=True)
class Row:
    """A line of the tree.

    Attributes:
        key: its identity; that of a job is its name, so that a retry stays on its line.
        kind: "project", "pipeline", "stage" or "job".
        enclosing: keys of the rows around it, outermost first.
        is_open: whether the rows below it are shown; None for a job.
        project: path of its project.
        entry: its pipeline; None for a project.
        job: its job; None for all others.
        jobs: all jobs below it.
    """

    key: RowKey
    kind: Kind
    enclosing: tuple[RowKey, ...] = ()
    is_open: bool | None = None
    project: str
    entry: Entry | None = None
    stage: str = ""
    job: JobRow | None = None
    jobs: Sequence[JobRow] = ()

    @property
    def depth(self) -> int:
        """Number of rows around it."""
        return len(self.enclosing)

    @property
    def title(self) -> str:
        """Name of the job or project, or the branch of the pipeline after its id."""
        if self.job is not None:
            return self.job.job.name
        if self.kind != "pipeline" or self.entry is None:
            return self.stage or self.project
        pipeline = self.entry.pipeline
        about = "" if pipeline is None else pipeline.name or pipeline.ref or ""
        return f"#{self.entry.id} {about}" if self.entry.id else "jobs without a pipeline"

    @property
    def is_failed(self) -> bool:
        """Whether it is a failed job, or a failed pipeline whose jobs are not shown."""
        if self.job is not None:
            return self.job.job.status == JobStatus.FAILED
        is_closed = self.kind == "pipeline" and not self.is_open
        return is_closed and self.entry is not None and self.entry.status == JobStatus.FAILED


def next_failed(rows: Sequence[Row], index: int, step: int) -> int | None:
    """Return the place of the next failed row after *index*, from the other end if need be."""
    count = len(rows)
    for distance in range(1, count + 1):
        place = (index + step * distance) % count
        if rows[place].is_failed:
            return place
    return None
