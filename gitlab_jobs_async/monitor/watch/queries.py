"""What a watch wants to know next, and what it is told: values that the shell carries both ways."""

from collections.abc import Sequence
from datetime import MAXYEAR, MINYEAR
from enum import Enum
from typing import Protocol

from attrs import evolve, field, frozen

from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.errors import GitLabError
from gitlab_jobs_async.events import Event
from gitlab_jobs_async.models.jobs import Bridge, Job, Pipeline
from gitlab_jobs_async.monitor.checkpoint.progress import Progress
from gitlab_jobs_async.monitor.schedule.availability import TargetAvailability
from gitlab_jobs_async.monitor.schedule.timer import PollTimer
from gitlab_jobs_async.monitor.targets import PipelineTarget

_NO_ID = 2**63
"""GitLab's ids are signed whole numbers of 64 bits."""


class QueryKind(Enum):
    """What an inquiry is about, which says what its answer's rows are."""

    NEWEST = "the newest jobs"
    SWEEP = "jobs that are open"
    JOB = "one job"
    PIPELINE_JOBS = "the jobs of one pipeline"
    PIPELINES = "pipelines that changed"
    BRIDGES = "the bridges of one pipeline"
    PIPELINE = "one pipeline"

    @property
    def kind(self) -> type[Job] | type[Bridge] | type[Pipeline]:
        """What each row is."""
        if self in {QueryKind.PIPELINES, QueryKind.PIPELINE}:
            return Pipeline
        return Bridge if self is QueryKind.BRIDGES else Job

    @property
    def is_single(self) -> bool:
        """Whether the answer is one value and no list."""
        return self in {QueryKind.JOB, QueryKind.PIPELINE}


@frozen
class Query:
    """One thing to ask; with *is_whole*, a listing by offset of which all pages are wanted.

    *of* is the id of the job or pipeline that it is about.
    """

    about: QueryKind
    wanted: Request
    of: int = 0
    is_whole: bool = False


@frozen
class QueryResult:
    """The rows that came, and the request for the page after them if there is one."""

    rows: Sequence[Job | Bridge | Pipeline] = field(repr=lambda rows: f"<{len(rows)} rows>")
    following: Request | None = None

    @property
    def jobs(self) -> list[Job | Bridge]:
        """The rows that are jobs or bridges."""
        return [row for row in self.rows if not isinstance(row, Pipeline)]

    @property
    def bridges(self) -> list[Bridge]:
        """The rows that are bridges."""
        return [row for row in self.rows if isinstance(row, Bridge)]

    @property
    def pipelines(self) -> list[Pipeline]:
        """The rows that are pipelines."""
        return [row for row in self.rows if isinstance(row, Pipeline)]


@frozen
class DownstreamPipeline:
    """A pipeline that a bridge has led to; *is_new* if that came to be while it was watched.

    *epoch* is that of the bridge's own keys: what an earlier one led to may be another pipeline.
    """

    target: PipelineTarget
    is_new: bool
    epoch: int = 0


class Watch(Protocol):
    """One target being watched; it asks one thing at a time, and a look may take several."""

    reachability: TargetAvailability

    @property
    def next_at(self) -> float:
        """When it wants to look again, in unix seconds."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come of it."""

    @property
    def is_known(self) -> bool:
        """Whether what was there at the beginning is known: what comes now is new."""

    @property
    def timing(self) -> PollTimer:
        """Its schedule."""

    def due(self, now: float) -> Query | None:
        """What to ask now; the same until it is answered, `None` when the look is over."""

    def observe(self, now: float, answer: QueryResult) -> Sequence[Event]:
        """What the answer to that adds to what was told."""

    def failed(self, now: float, error: GitLabError) -> Sequence[Event]:
        """The inquiry failed; the same look or a later one asks again."""

    def hasten(self, now: float) -> None:
        """Look again at *now*, or as soon after the last look as it ever would."""

    def found(self) -> list[DownstreamPipeline]:
        """What bridges have led to since this was last called, each once."""

    def state(self) -> object:
        """What a restart needs to go on from what has been told, for the checkpoint."""

    def progress(self) -> Progress:
        """Return when it was polled last and how far: this changes without any event."""


def impossible(rows: Sequence[Job | Bridge | Pipeline]) -> str | None:
    """What of *rows* no GitLab says, and what it would be refused to ask about; `None` if nothing.

    That is an id that is none, and a time at the edge of what can be told in another time zone.
    """
    for row in rows:
        below = row.downstream_pipeline if isinstance(row, Bridge) else None
        inner = row if isinstance(row, Pipeline) else row.pipeline
        pipelines = [pipeline for pipeline in (inner, below) if pipeline is not None]
        ids = [row.id, *(number for p in pipelines for number in (p.id, p.project_id))]
        for number in ids:
            if number is not None and not 0 < number < _NO_ID:
                return f"{number} is no id"
        for at in (row.created_at, *(p.updated_at for p in pipelines)):
            if at is not None and not MINYEAR < at.year < MAXYEAR:
                return f"{at.isoformat()} is no time"
    return None


def sized(wanted: Request, rows: int) -> Request:
    """The same with so many rows a page."""
    params = [pair for pair in wanted.params if pair[0] != "per_page"]
    return evolve(wanted, params=[*params, ("per_page", str(rows))])
