"""Projects, pipelines and jobs of the full screen, from events and listings. Pure.

`Board` keeps the jobs; pipelines that have ended before the start are known only by their listing
until someone unfolds them.
"""

from math import inf

from attrs import define, field

from gitlab_jobs_async.cli.views.board import Board, PipelineRow
from gitlab_jobs_async.cli.views.rows import pipeline_of
from gitlab_jobs_async.events import AnyEvent, JobAppeared
from gitlab_jobs_async.models.jobs import Bridge, Job, JobBasic
from gitlab_jobs_async.models.pipelines import PipelineBasic, project_path_of
from gitlab_jobs_async.models.statuses import JobStatus

PipelineKey = tuple[str, int | None]
"""The key of a pipeline in a `Board`."""


@define(eq=False, repr=False)
class Entry:
    """A pipeline: with its jobs, as a row of the board, or only as it was listed.

    Attributes:
        key: its key in the board.
        project: path of its project, or its id.
        row: its jobs; None before they are loaded.
        listed: as the API listed it; None if it was never listed.
        is_loading: whether its jobs were requested.
    """

    key: PipelineKey
    project: str
    row: PipelineRow | None = None
    listed: PipelineBasic | None = None
    is_loading: bool = False

    @property
    def id(self) -> int | None:
        """Id of the pipeline; None for jobs without one."""
        return self.key[1]

    @property
    def pipeline(self) -> PipelineBasic | None:
        """The pipeline itself."""
        return (self.row and self.row.pipeline) or self.listed

    @property
    def status(self) -> JobStatus:
        """Status by its jobs, or as listed."""
        if self.row is not None:
            return self.row.status
        return self.listed.status if self.listed is not None else JobStatus.CREATED

    @property
    def project_id(self) -> int | str:
        """Id of the project for requests, or its path."""
        pipeline = self.pipeline
        if pipeline is not None and pipeline.project_id:
            return pipeline.project_id
        target = self.project if self.row is None else self.row.target
        return int(target) if target.isdigit() else target

    @property
    def url(self) -> str:
        """URL of its page, or an empty string."""
        return "" if self.pipeline is None else self.pipeline.web_url


@define(eq=False, repr=False)
class Overview:
    """All that is known; `changes` counts the updates of rows."""

    board: Board = field(factory=lambda: Board(kept_seconds=inf))
    changes: int = 0
    _entries: dict[PipelineKey, Entry] = field(factory=dict)
    _stages: dict[PipelineKey, dict[str, int]] = field(factory=dict)

    def on_event(self, event: AnyEvent, now: float) -> None:
        """Update the state by an event of the monitor."""
        self.board.add(event, now)
        self.changes += 1
        job: JobBasic | None = getattr(event, "job", None)
        if job is None or event.project is None:
            return
        number = pipeline_of(job)
        key = ("" if number else str(event.project), number)
        row = self.board.pipelines.get(key)
        if row is not None:
            self._entry(key, row.project).row = row
            stages = self._stages.setdefault(key, {})
            # The order of stages is that of their first jobs; a retry has a higher id.
            stages[job.stage] = min(job.id, stages.get(job.stage, job.id))

    def on_listed(self, project: int | str, pipeline: PipelineBasic) -> None:
        """Add a pipeline of a listing."""
        path = project if isinstance(project, str) else project_path_of(pipeline.web_url, None)
        self._entry(("", pipeline.id), path or str(project)).listed = pipeline
        self.changes += 1

    def on_job(self, project: int | str, job: Job | Bridge, now: float) -> None:
        """Add the state of a job as an answer had it, before the monitor reports it."""
        self.on_event(JobAppeared(key="", project=project, job=job, is_new=False), now)

    def entries(self, now: float) -> list[Entry]:
        """Return the pipelines of all projects, the newest first; children are among them."""
        self.board.evict(now)
        for key, entry in list(self._entries.items()):
            entry.row = self.board.pipelines.get(key)
            if entry.row is None and entry.listed is None:
                del self._entries[key]
                self._stages.pop(key, None)
        return sorted(self._entries.values(), key=lambda entry: -(entry.id or 0))

    def parent_of(self, entry: Entry) -> int | None:
        """Return the id of the upstream pipeline, or None."""
        return None if entry.row is None else self.board.parent_of(entry.row)

    def stage_rank(self, entry: Entry, stage: str) -> int:
        """Return the place of a stage among those of its pipeline."""
        return self._stages.get(entry.key, {}).get(stage, 0)

    def newest(self, job: JobBasic) -> JobBasic:
        """Return the present state of a job, or *job* if it is not known."""
        row = self.board.pipelines.get(("", pipeline_of(job)))
        found = None if row is None else row.jobs.get(job.name)
        return job if found is None or found.job.id != job.id else found.job

    def _entry(self, key: PipelineKey, project: str) -> Entry:
        return self._entries.setdefault(key, Entry(key, project))
