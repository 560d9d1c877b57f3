"""The fields of single rows: app/graphql/types/ci/job_type.rb, pipeline_type.rb and others."""

from collections.abc import Callable, Mapping
from typing import Final

from attrs import define, frozen

from gitlab_jobs_async.simulator.api.graphql.context import Context
from gitlab_jobs_async.simulator.api.graphql.pages import Connection, cursor_of, page_of
from gitlab_jobs_async.simulator.api.graphql.values import global_id, write_time
from gitlab_jobs_async.simulator.records import Job, Pipeline
from gitlab_jobs_async.simulator.statuses import ACTIVE, COMPLETED

Resolvers = Mapping[str, Callable[..., object]]
_MOST_COUNTED: Final = 1000

_MESSAGES: Final = {
    "unknown_failure": "There is an unknown failure, please try again",
    "api_failure": "There has been an API failure, please try again",
    "stuck_or_timeout_failure": "There has been a timeout failure or the job got stuck. "
    "Check your timeout limits or try again",
    "runner_system_failure": "There has been a runner system failure, please try again",
    "missing_dependency_failure": "There has been a missing dependency failure",
}
"""Follows app/presenters/commit_status_presenter.rb, where a script's failure has no message."""


@frozen
class Stage:
    """A stage of a pipeline."""

    pipeline: Pipeline
    name: str

    @property
    def id(self) -> int:
        """An id that is unique in the instance."""
        return self.pipeline.id * 100 + self.pipeline.stages.index(self.name)


@define
class Need:
    """A name in a job's `needs:`: app/graphql/types/ci/build_need_type.rb."""

    id: int
    name: str


def _duration(start: float | None, end: float | None, now: float) -> float | None:
    return None if start is None else max((now if end is None else end) - start, 0.0)


def _seconds(start: float | None, end: float | None, now: float) -> int | None:
    seconds = _duration(start, end, now)
    return None if seconds is None else int(seconds)


def _web_path(job: Job, _context: Context) -> str | None:
    return None if job.is_bridge else f"/{job.project.path}/-/jobs/{job.id}"


def _failure_message(job: Job, _context: Context) -> str | None:
    if job.status != "failed":
        return None
    return _MESSAGES.get(job.failure_reason or "unknown_failure")


def _job_count(page: Connection[Job], _context: Context, *, limit: int = _MOST_COUNTED) -> int:
    """Count jobs up to *limit* and one more, as LimitedCountableConnectionType does."""
    return min(page.count, min(limit, _MOST_COUNTED) + 1)


def _needs(job: Job, _context: Context, **page: object) -> Connection[Need]:
    rows = [Need(job.id * 100 + index, name) for index, name in enumerate(job.plan.needs or ())]
    return page_of(rows[::-1], page)


JOB: Final[Resolvers] = {
    "id": lambda job, _: global_id("Ci::Bridge" if job.is_bridge else "Ci::Build", job.id),
    "name": lambda job, _: job.name,
    "kind": lambda job, _: "BRIDGE" if job.is_bridge else "BUILD",
    "status": lambda job, _: job.status.upper(),
    "stage": lambda job, _: Stage(job.pipeline, job.stage),
    "pipeline": lambda job, context: context.seen(job.pipeline),
    "project": lambda job, _: job.project,
    "downstreamPipeline": lambda job, context: context.readable(job.downstream_pipeline),
    "active": lambda job, _: job.status in ACTIVE,
    "allowFailure": lambda job, _: job.allow_failure,
    "retried": lambda job, _: job.retried,
    "manualJob": lambda job, _: job.plan.when == "manual",
    "scheduled": lambda job, _: job.status == "scheduled",
    "schedulingType": lambda job, _: "stage" if job.plan.needs is None else "dag",
    "needs": _needs,
    "triggered": lambda _job, _: None,
    "createdByTag": lambda job, _: job.pipeline.tag,
    "createdAt": lambda job, _: write_time(job.created_at),
    "queuedAt": lambda job, _: write_time(job.queued_at),
    "scheduledAt": lambda job, _: (
        write_time(job.created_at + job.plan.start_in) if job.status == "scheduled" else None
    ),
    "startedAt": lambda job, _: write_time(job.started_at),
    "finishedAt": lambda job, _: write_time(job.finished_at),
    "erasedAt": lambda job, _: write_time(job.erased_at),
    "duration": lambda job, context: _seconds(job.started_at, job.finished_at, context.now),
    "queuedDuration": lambda job, context: _duration(job.queued_at, job.started_at, context.now),
    "coverage": lambda job, _: job.plan.coverage if job.status in COMPLETED else None,
    "failureMessage": _failure_message,
    "exitCode": lambda _job, _: None,
    "refName": lambda job, _: job.pipeline.ref,
    "shortSha": lambda job, _: job.pipeline.sha[:8],
    "source": lambda job, _: None if job.is_bridge else job.pipeline.source,
    "tags": lambda job, _: None if job.is_bridge else sorted(job.plan.tags),
    "webPath": _web_path,
}


def _sha(pipeline: Pipeline, _context: Context, *, format: str = "LONG") -> str:  # noqa: A002 - GitLab's name
    return pipeline.sha[:8] if format == "SHORT" else pipeline.sha


PIPELINE: Final[Resolvers] = {
    "id": lambda row, _: global_id("Ci::Pipeline", row.id),
    "iid": lambda row, _: str(row.iid),
    "name": lambda row, _: row.name,
    "path": lambda row, _: f"/{row.project.path}/-/pipelines/{row.id}",
    "sha": _sha,
    "ref": lambda row, _: row.ref,
    "status": lambda row, _: row.status.upper(),
    "source": lambda row, _: row.source,
    "child": lambda row, _: row.source == "parent_pipeline",
    "active": lambda row, _: row.status in ACTIVE,
    "complete": lambda row, _: row.status in COMPLETED,
    "createdAt": lambda row, _: write_time(row.created_at),
    "updatedAt": lambda row, _: write_time(row.updated_at),
    "startedAt": lambda row, _: write_time(row.started_at),
    "finishedAt": lambda row, _: write_time(row.finished_at),
    "duration": lambda row, _: (
        None if row.finished_at is None else _seconds(row.started_at, row.finished_at, 0.0)
    ),
    "queuedDuration": lambda row, _: (
        None if row.started_at is None else _duration(row.created_at, row.started_at, 0.0)
    ),
    "totalJobs": lambda row, context: len(context.jobs_of(row)),
    "yamlErrors": lambda row, _: row.yaml_errors is not None,
    "yamlErrorMessages": lambda row, _: row.yaml_errors,
    "user": lambda row, _: row.user,
    "project": lambda row, _: row.project,
    "upstream": lambda row, context: row.upstream and context.readable(row.upstream.pipeline),
    "sourceJob": lambda row, context: row.upstream and context.seen(row.upstream),
}

PROJECT: Final[Resolvers] = {
    "id": lambda project, _: global_id("Project", project.id),
    "fullPath": lambda project, _: project.path,
    "path": lambda project, _: project.name,
    "name": lambda project, _: project.name,
    "nameWithNamespace": lambda project, _: project.path.replace("/", " / "),
    "visibility": lambda project, _: project.visibility,
    "webUrl": lambda project, context: f"{context.origin}/{project.path}",
    "archived": lambda _project, _: False,
    "createdAt": lambda project, _: write_time(project.created_at),
    "jobsEnabled": lambda _project, _: True,
    "publicJobs": lambda project, _: project.public_jobs,
}

_USER: Final[Resolvers] = {
    "id": lambda user, _: global_id("User", user.id),
    "username": lambda user, _: user.username,
    "name": lambda user, _: user.name,
    "webPath": lambda user, _: f"/{user.username}",
}
_NEED: Final[Resolvers] = {
    "id": lambda need, _: global_id("Ci::BuildNeed", need.id),
    "name": lambda need, _: need.name,
}
_STAGE: Final[Resolvers] = {
    "id": lambda stage, _: global_id("Ci::Stage", stage.id),
    "name": lambda stage, _: stage.name,
}
_PAGE_INFO: Final[Resolvers] = {
    "hasNextPage": lambda page, _: page.has_next_page,
    "hasPreviousPage": lambda page, _: page.has_previous_page,
    "startCursor": lambda page, _: cursor_of(page.nodes[0]) if page.nodes else None,
    "endCursor": lambda page, _: cursor_of(page.nodes[-1]) if page.nodes else None,
}
CONNECTION: Final[Resolvers] = {
    "count": lambda page, _: page.count,
    "edges": lambda page, _: page.nodes,
    "nodes": lambda page, _: page.nodes,
    "pageInfo": lambda page, _: page,
}
EDGE: Final[Resolvers] = {
    "cursor": lambda row, _: cursor_of(row),
    "node": lambda row, _: row,
}
RESOLVERS: Final[Mapping[str, Resolvers]] = {
    "CiJob": JOB,
    "CiBuildNeed": _NEED,
    "CiStage": _STAGE,
    "CurrentUser": _USER,
    "UserCore": _USER,
    "PageInfo": _PAGE_INFO,
    "CiJobConnection": {**CONNECTION, "count": _job_count},
}
