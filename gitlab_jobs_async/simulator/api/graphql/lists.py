"""The fields that search: projects, pipelines and jobs, as app/graphql/resolvers finds them."""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Final

from attrs import frozen

from gitlab_jobs_async.simulator.api import permissions
from gitlab_jobs_async.simulator.api.graphql.context import ArgumentError, Context
from gitlab_jobs_async.simulator.api.graphql.fields import Resolvers
from gitlab_jobs_async.simulator.api.graphql.pages import Connection, page_of
from gitlab_jobs_async.simulator.api.graphql.values import model_id
from gitlab_jobs_async.simulator.api.projects import REVISION
from gitlab_jobs_async.simulator.records import Job, Pipeline, Project, User

_MOST_PATHS: Final = 50
_FINISHED: Final = frozenset({"success", "failed", "canceled"})
_by_id = attrgetter("id")


@frozen
class _Metadata:
    version: str


def _projects(
    _root: object,
    context: Context,
    *,
    ids: Sequence[str] | None = None,
    fullPaths: Sequence[str] | None = None,  # noqa: N803 - GitLab's name
    membership: bool = False,
    search: str = "",
    **page: object,
) -> Connection[Project]:
    """Find projects that the caller may see, newest first, whatever the order of the ids.

    A missing or hidden project is absent without an error.
    """
    if fullPaths is not None and len(fullPaths) > _MOST_PATHS:
        raise ArgumentError(f"You cannot provide more than {_MOST_PATHS} full_paths")
    rows = context.world.projects
    if ids is not None:
        wanted = {model_id(written, "Project") for written in ids}
        rows = [context.world.registry.projects[i] for i in wanted & {p.id for p in rows}]
    if fullPaths:
        paths = {path.lower() for path in fullPaths}
        rows = [project for project in rows if project.path.lower() in paths]
    user = context.user
    found = [
        project
        for project in rows
        if permissions.may_see(project, user)
        and search.lower() in project.name.lower()
        and (not membership or (user is not None and user.id in project.members))
    ]
    return page_of(sorted(found, key=_by_id, reverse=True), page)


def _project(_root: object, context: Context, *, fullPath: str) -> Project | None:  # noqa: N803 - GitLab's name
    """Find one project by its present path; a former path leads nowhere."""
    for project in context.world.projects:
        if project.path.lower() == fullPath.lower():
            return project if permissions.may_see(project, context.user) else None
    return None


def _current_user(_root: object, context: Context) -> User | None:
    return context.user


def _metadata(_root: object, context: Context) -> _Metadata | None:
    return None if context.user is None else _Metadata(context.settings.version)


QUERY: Final[Resolvers] = {
    "currentUser": _current_user,
    "metadata": _metadata,
    "project": _project,
    "projects": _projects,
    "queryComplexity": lambda _root, _context: True,
}
QUERY_COMPLEXITY: Final[Resolvers] = {
    "limit": lambda _root, context: context.limit,
    "score": lambda _root, context: context.score,
}
METADATA: Final[Resolvers] = {
    "version": lambda metadata, _: metadata.version,
    "revision": lambda _metadata, _: REVISION,
    "enterprise": lambda _metadata, _: False,
}


def _pipelines(
    project: Project,
    context: Context,
    *,
    status: str | None = None,
    scope: str | None = None,
    ref: str | None = None,
    sha: str | None = None,
    source: str | None = None,
    updatedAfter: float | None = None,  # noqa: N803 - GitLab's name
    updatedBefore: float | None = None,  # noqa: N803 - GitLab's name
    username: str | None = None,
    **page: object,
) -> Connection[Pipeline]:
    """Find a project's pipelines, newest first: Ci::PipelinesFinder.

    Child pipelines are absent unless `source` asks for them. Without permission the list is empty,
    which nothing tells apart from a project without pipelines.
    """
    context.elapsed += context.graphql.seconds_per_project
    if not permissions.may_read_builds(project, context.user):
        return page_of([], page)
    fits: list[Callable[[Pipeline], bool]] = []
    if source != "parent_pipeline":
        fits.append(lambda row: row.source != "parent_pipeline")
    for name, wanted in (("ref", ref), ("sha", sha), ("source", source)):
        if wanted:
            fits.append(_equals(name, wanted))
    if status is not None:
        fits.append(_equals("status", status.lower()))
    if username:
        fits.append(lambda row: row.user is not None and row.user.username == username)
    if updatedAfter is not None:
        fits.append(lambda row: row.updated_at > updatedAfter)
    if updatedBefore is not None:
        fits.append(lambda row: row.updated_at < updatedBefore)
    rows = [row for row in context.pipelines_of(project) if all(fit(row) for fit in fits)]
    rows.sort(key=_by_id, reverse=True)
    return page_of(_in_scope(rows, scope), page)


def _equals(name: str, wanted: object) -> Callable[[Pipeline], bool]:
    value = attrgetter(name)
    return lambda row: value(row) == wanted


def _in_scope(rows: list[Pipeline], scope: str | None) -> list[Pipeline]:
    if scope in {"BRANCHES", "TAGS"}:
        # These two keep the newest pipeline of each ref.
        newest: dict[str, Pipeline] = {}
        for row in rows:
            if row.tag == (scope == "TAGS"):
                newest.setdefault(row.ref, row)
        return list(newest.values())
    if scope == "FINISHED":
        return [row for row in rows if row.status in _FINISHED]
    return rows if scope is None else [row for row in rows if row.status == scope.lower()]


def _pipeline(
    project: Project,
    context: Context,
    *,
    iid: str | None = None,
    id: str | None = None,  # noqa: A002 - GitLab's name
    sha: str | None = None,
) -> Pipeline | None:
    """Find one pipeline: Resolvers::Ci::ProjectPipelineResolver."""
    if sum(given is not None for given in (iid, id, sha)) > 1:
        raise ArgumentError("Provide one of an IID or SHA")
    if not permissions.may_read_builds(project, context.user):
        return None
    rows = sorted(context.pipelines_of(project), key=_by_id, reverse=True)
    if id is not None:
        number = model_id(id, "Ci::Pipeline")
        return next((row for row in rows if row.id == number), None)
    if iid is not None:
        return next((row for row in rows if str(row.iid) == iid), None)
    listed = [row for row in rows if row.source != "parent_pipeline"]
    if sha is not None:
        return next((row for row in listed if row.sha == sha), None)
    return next((row for row in listed if row.ref == "main"), None)


def _project_jobs(
    project: Project,
    context: Context,
    *,
    statuses: Sequence[str] | None = None,
    withArtifacts: bool = False,  # noqa: N803 - GitLab's name
    kind: str = "BUILD",
    **page: object,
) -> Connection[Job] | None:
    """Find the jobs of one project a query, without those in `created`: Ci::JobsFinder."""
    if not permissions.may_read_builds(project, context.user):
        return None
    context.count_call("jobs", "Project")
    pipelines = context.pipelines_of(project)
    wanted = _lower(statuses)
    found = [
        job
        for job in (job for pipeline in pipelines for job in context.jobs_of(pipeline))
        if job.is_bridge == (kind == "BRIDGE")
        and job.status != "created"
        and (wanted is None or job.status in wanted)
        and (not withArtifacts or job.artifacts is not None)
    ]
    return page_of(sorted(found, key=_by_id, reverse=True), page)


def _pipeline_jobs(
    pipeline: Pipeline,
    context: Context,
    *,
    statuses: Sequence[str] | None = None,
    retried: bool | None = None,
    jobKind: str | None = None,  # noqa: N803 - GitLab's name
    whenExecuted: Sequence[str] | None = None,  # noqa: N803 - GitLab's name
    **page: object,
) -> Connection[Job]:
    """Find a pipeline's jobs, newest first: Resolvers::Ci::JobsResolver.

    Bridges and retried jobs are among them unless the arguments leave them out.
    """
    wanted = _lower(statuses)
    found = [
        job
        for job in context.jobs_of(pipeline)
        if (wanted is None or job.status in wanted)
        and (retried is None or job.retried == retried)
        and (jobKind is None or job.is_bridge == (jobKind == "BRIDGE"))
        and (not whenExecuted or job.plan.when in whenExecuted)
    ]
    return page_of(sorted(found, key=_by_id, reverse=True), page)


def _downstream(pipeline: Pipeline, context: Context, **page: object) -> Connection[Pipeline]:
    rows = (context.readable(job.downstream_pipeline) for job in pipeline.bridges)
    found = [row for row in rows if row is not None]
    return page_of(sorted(found, key=_by_id, reverse=True), page)


def _lower(statuses: Sequence[str] | None) -> frozenset[str] | None:
    # An empty list does not filter.
    return frozenset(status.lower() for status in statuses) if statuses else None


PROJECT: Final[Resolvers] = {
    "pipelines": _pipelines,
    "pipeline": _pipeline,
    "jobs": _project_jobs,
}
PIPELINE: Final[Resolvers] = {"jobs": _pipeline_jobs, "downstream": _downstream}
