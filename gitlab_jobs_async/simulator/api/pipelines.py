"""The parts of the Pipelines API that a client of jobs needs: lib/api/ci/pipelines.rb."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import Final

from gitlab_jobs_async.simulator.api import parameters, permissions
from gitlab_jobs_async.simulator.api.answers import Answer, error, forbidden, json_answer
from gitlab_jobs_async.simulator.api.calls import Call, Route
from gitlab_jobs_async.simulator.api.jobs import view_of
from gitlab_jobs_async.simulator.api.pagination import page_parameters, paginated
from gitlab_jobs_async.simulator.api.parameters import Parameters
from gitlab_jobs_async.simulator.api.runner_entities import Json
from gitlab_jobs_async.simulator.records import Job, Pipeline

_SCOPES: Final = ("running", "pending", "finished", "branches", "tags")
_ORDERS: Final = ("id", "status", "ref", "updated_at", "user_id")
_SOURCES: Final = (
    "unknown",
    "push",
    "web",
    "trigger",
    "schedule",
    "api",
    "external",
    "pipeline",
    "chat",
    "webide",
    "merge_request_event",
    "external_pull_request_event",
    "parent_pipeline",
    "ondemand_dast_scan",
    "ondemand_dast_validation",
    "security_orchestration_policy",
    "container_registry_push",
    "duo_workflow",
    "pipeline_execution_policy_schedule",
)
Fits = Callable[[Pipeline], bool]


def list_pipelines(call: Call) -> Answer:
    """Answer GET /projects/:id/pipelines."""
    params = call.params
    order = parameters.choice(params, "order_by", _ORDERS) or "id"
    sort = parameters.choice(params, "sort", ("asc", "desc")) or "desc"
    fits = _filters(params, call.settings.features.statuses)
    page_parameters(call)
    params.update(order_by=order, sort=sort)
    project = permissions.user_project(call)
    permissions.require_read_builds(call, project)
    rows = [p for p in project.pipelines if all(fit(p) for fit in fits)]
    rows.sort(key=lambda p: (_order_value(p, order), p.id), reverse=sort == "desc")
    view = view_of(call)

    def present(page: Sequence[Pipeline]) -> list[Json]:
        return [view.pipeline_basic(p) | {"name": p.name} for p in page]

    return paginated(call, rows, present)


def _order_value(pipeline: Pipeline, order: str) -> object:
    if order == "user_id":
        return pipeline.user.id if pipeline.user else 0
    return attrgetter(order)(pipeline)


def _filters(params: Parameters, statuses: Sequence[str]) -> list[Fits]:
    source = parameters.choice(params, "source", _SOURCES)
    status = parameters.choice(params, "status", statuses)
    fits = [
        _by_source(source),
        *_by_scope(parameters.choice(params, "scope", _SCOPES)),
        *_by_time(params, "updated"),
        *_by_time(params, "created"),
    ]
    if status is not None:
        fits.append(lambda p: p.status == status)
    fits += [
        _equal(name, wanted)
        for name in ("ref", "sha", "name")
        if (wanted := parameters.text(params, name)) is not None
    ]
    if (username := parameters.text(params, "username")) is not None:
        fits.append(lambda p: p.user is not None and p.user.username == username)
    if "yaml_errors" in params:
        broken = parameters.boolean(params, "yaml_errors")
        fits.append(lambda p: (p.yaml_errors is not None) == broken)
    return fits


def _equal(name: str, wanted: str) -> Fits:
    value = attrgetter(name)
    return lambda pipeline: value(pipeline) == wanted


def _by_source(source: str | None) -> Fits:
    if source is None:
        return lambda p: p.source != "parent_pipeline"
    return lambda p: p.source == source


def _by_scope(scope: str | None) -> list[Fits]:
    finished = {"success", "failed", "canceled"}
    if scope is None:
        return []
    scopes: dict[str, Fits] = {
        "running": lambda p: p.status == "running",
        "pending": lambda p: p.status == "pending",
        "finished": lambda p: p.status in finished,
        "branches": lambda p: not p.tag,
        "tags": lambda p: p.tag,
    }
    return [scopes[scope]]


def _by_time(params: Parameters, what: str) -> list[Fits]:
    value = attrgetter(f"{what}_at")
    fits: list[Fits] = []
    before, after = _time(params, f"{what}_before"), _time(params, f"{what}_after")
    if before is not None:
        fits.append(lambda p: value(p) < before)
    if after is not None:
        fits.append(lambda p: value(p) > after)
    return fits


def _time(params: Parameters, name: str) -> float | None:
    written = parameters.text(params, name)
    if written is None:
        return None
    try:
        at = datetime.fromisoformat(written.replace(" ", "+"))
    except ValueError:
        raise error(400, f"{name} is invalid") from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def get_pipeline(call: Call) -> Answer:
    """Answer GET /projects/:id/pipelines/:pipeline_id."""
    return json_answer(view_of(call).named_pipeline(_readable_pipeline(call)))


def get_latest_pipeline(call: Call) -> Answer:
    """Answer GET /projects/:id/pipelines/latest, for `ref` or the default branch."""
    project = permissions.user_project(call)
    permissions.require_read_builds(call, project)
    ref = parameters.text(call.params, "ref") or "main"
    newest = project.newest_pipeline(ref)
    if newest is None:
        raise forbidden()
    return json_answer(view_of(call).named_pipeline(newest))


def list_pipeline_jobs(call: Call) -> Answer:
    """Answer GET /projects/:id/pipelines/:pipeline_id/jobs."""
    retried = parameters.boolean(call.params, "include_retried")
    call.params["include_retried"] = retried
    statuses = _listed_statuses(call)
    pipeline = _readable_pipeline(call)
    rows = [job for job in pipeline.builds if retried or not job.retried]
    return _listed(call, rows, statuses, view_of(call).job)


def list_bridges(call: Call) -> Answer:
    """Answer GET /projects/:id/pipelines/:pipeline_id/bridges."""
    statuses = _listed_statuses(call)
    pipeline = _readable_pipeline(call)
    rows = [bridge for bridge in pipeline.bridges if not bridge.retried]
    return _listed(call, rows, statuses, view_of(call).bridge)


def _listed_statuses(call: Call) -> frozenset[str] | None:
    """Check the parameters of a pipeline's job list before any lookup, as GitLab does."""
    statuses = parameters.scope(call.params, call.settings.features.statuses)
    page_parameters(call)
    return statuses


def _listed(
    call: Call,
    rows: list[Job],
    statuses: frozenset[str] | None,
    present: Callable[[Job], Json],
) -> Answer:
    kept = [job for job in rows if statuses is None or job.status in statuses]
    kept.sort(key=attrgetter("id"), reverse=True)

    def present_all(page: Sequence[Job]) -> list[Json]:
        return [present(job) for job in page]

    return paginated(call, kept, present_all)


def _readable_pipeline(call: Call) -> Pipeline:
    project = permissions.user_project(call)
    permissions.require_read_builds(call, project)
    return permissions.find_pipeline(call, project)


_ONE: Final = "projects/:id/pipelines/:pipeline_id"
ROUTES: Final = (
    Route(
        "GET",
        "projects/:id/pipelines",
        list_pipelines,
        permission="read_pipelines",
        anonymous=True,
    ),
    Route("GET", "projects/:id/pipelines/latest", get_latest_pipeline, anonymous=True),
    Route("GET", _ONE, get_pipeline, permission="read_pipelines", anonymous=True),
    Route("GET", f"{_ONE}/jobs", list_pipeline_jobs, permission="read_pipelines", anonymous=True),
    Route("GET", f"{_ONE}/bridges", list_bridges, permission="read_pipelines", anonymous=True),
)
