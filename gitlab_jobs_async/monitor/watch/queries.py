"""Queries that a watch issues, and their results: the protocol between a watch and the poller."""

from collections.abc import Sequence
from datetime import MAXYEAR, MINYEAR
from enum import Enum
from typing import Self

from attrs import evolve, field, frozen

from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.models.pipelines import PipelineBasic, project_path_of
from gitlab_jobs_async.monitor.targets import PipelineTarget

_ID_LIMIT = 2**63
"""GitLab's ids are signed integers of 64 bits."""


class QueryKind(Enum):
    """Kind of a query; it determines the type of the rows."""

    NEWEST = "the newest jobs"
    OPEN_JOBS = "unfinished jobs"
    JOB = "one job"
    PIPELINE_JOBS = "the jobs of one pipeline"
    PIPELINES = "changed pipelines"
    BRIDGES = "the bridges of one pipeline"
    PIPELINE = "one pipeline"

    @property
    def row_type(self) -> type[Job] | type[Bridge] | type[PipelineBasic]:
        """Class of each row."""
        if self in {QueryKind.PIPELINES, QueryKind.PIPELINE}:
            return PipelineBasic
        return Bridge if self is QueryKind.BRIDGES else Job

    @property
    def is_single(self) -> bool:
        """Whether the response is one object instead of a list."""
        return self in {QueryKind.JOB, QueryKind.PIPELINE}


@frozen
class Query:
    """One request of a watch; with *all_pages*, an offset listing to read to its end.

    *subject_id* is the id of the job or pipeline in question, or 0.
    """

    kind: QueryKind
    request: Request
    subject_id: int = 0
    all_pages: bool = False


@frozen
class QueryResult:
    """Rows of a response, and the request for the next page if there is one."""

    rows: Sequence[Job | Bridge | PipelineBasic] = field(repr=lambda rows: f"<{len(rows)} rows>")
    next_page: Request | None = None

    @property
    def jobs(self) -> list[Job | Bridge]:
        """Rows that are jobs or bridges."""
        return [row for row in self.rows if not isinstance(row, PipelineBasic)]

    @property
    def bridges(self) -> list[Bridge]:
        """Rows that are bridges."""
        return [row for row in self.rows if isinstance(row, Bridge)]

    @property
    def pipelines(self) -> list[PipelineBasic]:
        """Rows that are pipelines."""
        return [row for row in self.rows if isinstance(row, PipelineBasic)]


@frozen
class DownstreamPipeline:
    """A pipeline triggered by a bridge; *is_new* if it was triggered while being watched.

    *epoch* is that of the bridge's event keys: in another epoch the same id may be another
    pipeline. *project_path* is empty if it is unknown.
    """

    target: PipelineTarget
    is_new: bool
    epoch: int = 0
    project_path: str = ""

    @classmethod
    def of(cls, pipeline: PipelineBasic, bridge: Bridge, epoch: int, *, is_new: bool) -> Self:
        """Return the *pipeline* that *bridge* has triggered."""
        target = PipelineTarget(pipeline.project_id, pipeline.id)
        path = project_path_of(pipeline.web_url, bridge.user)
        return cls(target, is_new, epoch, path or "")


def invalid_reason(rows: Sequence[Job | Bridge | PipelineBasic]) -> str | None:
    """Return why *rows* cannot be valid (id or time out of range), or `None`."""
    for row in rows:
        downstream = row.downstream_pipeline if isinstance(row, Bridge) else None
        own = row if isinstance(row, PipelineBasic) else row.pipeline
        pipelines = [own] if downstream is None else [own, downstream]
        # Of a pipeline that the server did not send, the ids are 0.
        ids = [i for pipeline in pipelines for i in (pipeline.id, pipeline.project_id) if i]
        for number in (row.id, *ids):
            if not 0 < number < _ID_LIMIT:
                return f"id {number} out of range"
        for at in (row.created_at, *(pipeline.updated_at for pipeline in pipelines)):
            # A time in the first or last year overflows when converted to another time zone.
            if not MINYEAR < at.year < MAXYEAR:
                return f"time {at.isoformat()} out of range"
    return None


def with_page_size(request: Request, rows: int) -> Request:
    """Return *request* with pages of *rows* rows."""
    params = [pair for pair in request.params if pair[0] != "per_page"]
    return evolve(request, params=[*params, ("per_page", str(rows))])
