"""Answers of GraphQL: their cost, the projects in them, and what changed between two of them."""

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, Final

from attrs import frozen

_REFUSAL: Final = re.compile(
    r"complexity of ([0-9]{1,9}), which exceeds max complexity of ([0-9]{1,9})", re.ASCII
)
_FINISHED: Final = frozenset({"SUCCESS", "FAILED", "CANCELED", "SKIPPED"})
_IDLE: Final = _FINISHED | {"MANUAL", "SCHEDULED", "CREATED"}


class Movement(Enum):
    """Relation of a pipeline's `updatedAt` to changes of the pipeline and its jobs."""

    NOTHING = "nothing changed between two readings"
    WITH_STATUS = "moves with the pipeline's status"
    NOT_WITH_JOBS = "does not move with a job"
    WITH_JOBS = "moves with a job"
    NEVER = "does not move with the pipeline's status"


@frozen
class Cost:
    """The complexity of a question and the server's limit."""

    score: int
    limit: int


@frozen
class PipelineReading:
    """A pipeline as one answer shows it; `jobs` are statuses by id."""

    status: str
    updated_at: str
    jobs: Mapping[str, str]


def cost(value: Any) -> Cost | None:
    """Return the complexity in an answer, None without it."""
    stated = _at(value, "queryComplexity")
    score, limit = _at(stated, "score"), _at(stated, "limit")
    return Cost(score, limit) if isinstance(score, int) and isinstance(limit, int) else None


def refused_cost(messages: Iterable[str]) -> dict[str, Any] | None:
    """Return the cost that a refusal names, as an answer would; None for other errors."""
    found = next((match for text in messages if (match := _REFUSAL.search(text))), None)
    if found is None:
        return None
    return {"queryComplexity": {"score": int(found[1]), "limit": int(found[2])}}


def projects_in(value: Any) -> int:
    """Return the number of projects in an answer."""
    return len(list(_nodes(_at(value, "projects"))))


def has_unfinished_jobs(value: Any) -> bool:
    """Return whether a job in the answer may change soon by itself."""
    readings = _readings(value).values()
    return any(status not in _IDLE for one in readings for status in one.jobs.values())


def movement(first: Any, second: Any) -> Movement:
    """Compare two readings of the same pipelines."""
    before, after = _readings(first), _readings(second)
    seen = {_moved(before[key], after[key]) for key in before.keys() & after.keys()}
    # The first is the most telling.
    order = (Movement.NEVER, Movement.WITH_JOBS, Movement.NOT_WITH_JOBS, Movement.WITH_STATUS)
    return next((one for one in order if one in seen), Movement.NOTHING)


def _moved(before: PipelineReading, after: PipelineReading) -> Movement:
    has_moved = before.updated_at != after.updated_at
    if before.status != after.status:
        return Movement.WITH_STATUS if has_moved else Movement.NEVER
    if before.jobs != after.jobs:
        return Movement.WITH_JOBS if has_moved else Movement.NOT_WITH_JOBS
    return Movement.NOTHING


def _readings(value: Any) -> dict[str, PipelineReading]:
    found = {}
    for project in _nodes(_at(value, "projects")):
        for pipeline in _nodes(_at(project, "pipelines")):
            jobs = _nodes(_at(pipeline, "jobs"))
            found[str(pipeline.get("id"))] = PipelineReading(
                str(pipeline.get("status")),
                str(pipeline.get("updatedAt")),
                {str(job.get("id")): str(job.get("status")) for job in jobs},
            )
    return found


def _at(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _nodes(connection: Any) -> Iterator[Mapping[str, Any]]:
    nodes = _at(connection, "nodes")
    for node in nodes if isinstance(nodes, list) else []:
        if isinstance(node, dict):
            yield node
