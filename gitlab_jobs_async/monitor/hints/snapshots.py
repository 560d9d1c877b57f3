"""Answers to questions about many projects, as snapshots of each.

An answer of another shape, or with a project that was not asked for, is an error.
A project with any odd value is left out, as if the server had not shown it: its REST listing
settles what happened there. No row with a guessed value is returned.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import MAXYEAR, MINYEAR, datetime
from itertools import chain
from operator import attrgetter
from typing import Any, TypeVar

from attrs import frozen

from gitlab_jobs_async.api.decoding import without_collecting
from gitlab_jobs_async.api.value_types import EXACT, type_mismatch
from gitlab_jobs_async.errors import DecodeError
from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.models.pipelines import PipelineBasic
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.models.values import UNKNOWN_TIME
from gitlab_jobs_async.monitor.hints.questions import JOBS, MAX_PROJECTS, PIPELINES, Question

T = TypeVar("T")

_GID = re.compile(r"gid://gitlab/([A-Za-z:]{1,100})/([1-9][0-9]{0,18})", re.ASCII)
# GitLab's ids are bigints.
_ID_LIMIT = 1 << 63
_STATUSES = {status.upper(): status for status in JobStatus}
# Builds are REST's jobs. A pipeline also has bridges and the statuses of external services.
_BUILD = "Ci::Build"
_OTHER_KINDS = frozenset({"Ci::Bridge", "GenericCommitStatus", "CommitStatus"})


@frozen
class PipelineSnapshot:
    """One pipeline of an answer.

    `jobs` is None if the question did not ask for them, or the token may not read them.
    `is_complete` says whether all jobs of the pipeline were on the page.
    """

    id: int
    status: JobStatus
    updated_at: datetime | None = None
    jobs: tuple[Job, ...] | None = None
    is_complete: bool = False


@frozen
class ProjectSnapshot:
    """The newest pipelines and child pipelines of one project, newest first.

    `floor` is the id from which on all of them are shown; 0 if these are all that there are.
    Without the right to read pipelines there are none.
    """

    project_id: int
    pipelines: tuple[PipelineSnapshot, ...]
    floor: int = 0

    @property
    def rows(self) -> int:
        """Number of jobs."""
        return sum(len(pipeline.jobs or ()) for pipeline in self.pipelines)


def snapshots_of(
    data: Mapping[str, Any], question: Question, origin: str = ""
) -> dict[int, ProjectSnapshot]:
    """Return the snapshots of the projects in *data*, the answer to *question*, by project id.

    Projects that the token may not read, and those with an odd value, are missing. The URLs of
    pages begin with *origin*.

    Raises:
        DecodeError: the answer has another shape, more projects, or one that was not asked for.
    """
    found = iter_snapshots(data, question, origin)
    return {snapshot.project_id: snapshot for snapshot in found if snapshot is not None}


def iter_snapshots(
    data: Mapping[str, Any], question: Question, origin: str
) -> Iterator[ProjectSnapshot | None]:
    """Yield the snapshots of `snapshots_of` one by one, None for a project with an odd value.

    A step decodes at most 1,000 jobs, which takes a few milliseconds.

    Raises:
        DecodeError: as `snapshots_of` does, possibly after some snapshots.
    """
    wanted = set(question.project_ids)
    for node in _checked(data.get("projects"), _project_nodes):
        project_id = _checked(node, _project_id)
        if project_id not in wanted:
            raise _error(f"project {project_id} was not asked for, or came twice")
        wanted.remove(project_id)
        with without_collecting():
            snapshot = _project(project_id, node, question, origin)
        yield snapshot


def _checked(given: Any, read: Callable[[Any], T]) -> T:
    try:
        return read(given)
    except (TypeError, ValueError) as error:
        reason = str(error)
    # Outside of the handler, so that the values of its frames are not chained.
    raise _error(reason)


def _error(reason: str) -> DecodeError:
    return DecodeError(f"{reason} @ $.data.projects", "POST", "/api/graphql")


def _project_nodes(given: Any) -> list[Any]:
    return _nodes(given, MAX_PROJECTS)


def _project_id(node: Any) -> int:
    return _id(_object(node).get("id"), "Project")


def _project(project_id: int, node: Any, question: Question, origin: str) -> ProjectSnapshot | None:
    try:
        pages = [
            [
                _pipeline(project_id, row, question, origin)
                for row in _nodes(node.get(name), PIPELINES)
            ]
            for name in ("pipelines", "children")
        ]
        # Each page ends on its own: below the end of a full one, there may be more.
        floor = max(_floor(page) for page in pages)
        pipelines = tuple(sorted(chain(*pages), key=attrgetter("id"), reverse=True))
        _check_unique(pipelines)
    except (TypeError, ValueError):
        return None
    return ProjectSnapshot(project_id, pipelines, floor)


def _floor(page: list[PipelineSnapshot]) -> int:
    ids = [pipeline.id for pipeline in page]
    if ids != sorted(ids, reverse=True):
        raise ValueError("pipelines not in the order of their ids")
    return ids[-1] if len(ids) == PIPELINES else 0


def _check_unique(pipelines: tuple[PipelineSnapshot, ...]) -> None:
    if len({pipeline.id for pipeline in pipelines}) < len(pipelines):
        raise ValueError("a pipeline came twice")
    jobs = [job.id for pipeline in pipelines for job in pipeline.jobs or ()]
    if len(set(jobs)) < len(jobs):
        raise ValueError("a job came twice")


def _pipeline(project_id: int, row: Any, question: Question, origin: str) -> PipelineSnapshot:
    row = _object(row)
    number = _id(row.get("id"), "Ci::Pipeline")
    status, updated_at = _status(row.get("status")), _time(row.get("updatedAt"))
    # A token that may not read jobs gets null.
    if not question.asks_for_jobs or row.get("jobs") is None:
        return PipelineSnapshot(number, status, updated_at)
    rows = _nodes(row["jobs"], JOBS)
    path = _text(row.get("path") or "")
    # One value for all jobs of the pipeline, since a monitor may see a million of them.
    pipeline = PipelineBasic(
        id=number,
        status=status,
        iid=int(_text(row.get("iid"))),
        project_id=project_id,
        sha=_text(row.get("sha") or ""),
        created_at=_required_time(row.get("createdAt")),
        updated_at=updated_at or UNKNOWN_TIME,
        web_url=f"{origin}{path}" if path else "",
    )
    jobs = tuple(_jobs(rows, pipeline))
    return PipelineSnapshot(number, status, updated_at, jobs, is_complete=len(rows) < JOBS)


def _jobs(rows: list[Any], pipeline: PipelineBasic) -> Iterator[Job]:
    page = pipeline.web_url.removesuffix(f"pipelines/{pipeline.id}")
    for given in rows:
        row = _object(given)
        kind, number = _gid(row.get("id"))
        if kind in _OTHER_KINDS:
            continue
        if kind != _BUILD:
            raise ValueError(f"expected the id of a job, got that of {kind}")
        yield Job(
            id=number,
            status=_status(row.get("status")),
            stage=_text(_object(row.get("stage")).get("name")),
            name=_text(row.get("name")),
            ref=_text(row.get("refName") or ""),
            tag=EXACT[bool](row.get("createdByTag"), bool),
            allow_failure=EXACT[bool](row.get("allowFailure"), bool),
            web_url=f"{page}jobs/{number}" if page else "",
            created_at=_required_time(row.get("createdAt")),
            started_at=_time(row.get("startedAt")),
            finished_at=_time(row.get("finishedAt")),
            erased_at=_time(row.get("erasedAt")),
            pipeline=pipeline,
            is_partial=True,
        )


def _object(given: Any) -> dict[str, Any]:
    if type(given) is not dict:
        raise type_mismatch("an object", given)
    return given


def _nodes(connection: Any, most: int) -> list[Any]:
    nodes = _object(connection).get("nodes")
    if type(nodes) is not list:
        raise type_mismatch("a list of nodes", nodes)
    if len(nodes) > most:
        raise ValueError(f"expected at most {most} nodes, got {len(nodes)}")
    return nodes


def _gid(given: Any) -> tuple[str, int]:
    found = _GID.fullmatch(_text(given))
    if found is None or int(found[2]) >= _ID_LIMIT:
        raise ValueError("expected a global id, got another string")
    return found[1], int(found[2])


def _id(given: Any, kind: str) -> int:
    found, number = _gid(given)
    if found != kind:
        raise ValueError(f"expected the id of a {kind}, got that of a {found}")
    return number


def _status(given: Any) -> JobStatus:
    status = _STATUSES.get(given) if type(given) is str else None
    if status is None:
        raise ValueError("expected a status")
    return status


def _text(given: Any) -> str:
    if type(given) is not str:
        raise type_mismatch("a string", given)
    return given


def _time(given: Any) -> datetime | None:
    return None if given is None else _required_time(given)


def _required_time(given: Any) -> datetime:
    at: datetime = EXACT[datetime](given, datetime)
    # A time in the first or last year overflows when converted to another time zone.
    if not MINYEAR < at.year < MAXYEAR:
        raise ValueError("time out of range")
    return at
