"""A delivery's headers and body -> JobHook or PipelineHook, or a refusal with the status to answer.

Nothing of a body is believed, or even parsed, before the secret is right; and what is merely of no
interest is answered as a success, because GitLab disables a hook after four failures in a row:
https://docs.gitlab.com/user/project/integrations/webhooks/#auto-disabled-webhooks
"""

import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

import orjson
from attrs import field, frozen

from gitlab_jobs_async.errors import HookRefusedError
from gitlab_jobs_async.sansio.exact import EXACT, Hook, same
from gitlab_jobs_async.sansio.responses import folded
from gitlab_jobs_async.statuses import FailureReason, JobStatus

_LARGEST = 25 * 1024 * 1024
_EVENTS = frozenset({"Job Hook", "Pipeline Hook", "System Hook"})

T = TypeVar("T")


@frozen(kw_only=True)
class JobHook:
    """A job as a Job event tells it; `duration` and `queued_duration` are seconds.

    `project_path` and `retries_count` are there from newer servers only. `failure_reason` is there
    only when `status` is failed. `delivery` is the same for each repeat of one delivery.
    https://docs.gitlab.com/user/project/integrations/webhook_events/#job-events
    """

    project_id: int
    job_id: int
    pipeline_id: int
    name: str
    stage: str
    status: JobStatus
    project_path: str | None = None
    ref: str | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    duration: float | None = None
    queued_duration: float | None = None
    failure_reason: FailureReason | None = None
    allow_failure: bool | None = None
    retries_count: int | None = None
    delivery: str | None = None


@frozen(kw_only=True)
class HookBuild:
    """One job of a pipeline as a Pipeline event tells it; the durations are seconds."""

    id: int
    name: str
    stage: str
    status: JobStatus
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    duration: float | None = None
    queued_duration: float | None = None
    failure_reason: FailureReason | None = None
    allow_failure: bool | None = None


@frozen(kw_only=True)
class PipelineHook:
    """A pipeline and the latest attempts of its jobs, no bridges, as a Pipeline event tells them.

    `duration` and `queued_duration` are seconds. `delivery` is the same for each repeat of one
    delivery. https://docs.gitlab.com/user/project/integrations/webhook_events/#pipeline-events
    """

    project_id: int
    pipeline_id: int
    status: JobStatus
    project_path: str | None = None
    ref: str | None = None
    sha: str | None = None
    source: str | None = None
    created_at: datetime | None = None
    finished_at: datetime | None = None
    duration: float | None = None
    queued_duration: float | None = None
    builds: tuple[HookBuild, ...] = ()
    delivery: str | None = None


def read_hook(
    headers: Mapping[str, str], body: bytes, *, secret: str | None = None
) -> JobHook | PipelineHook:
    """What a webhook delivery tells, from a project's, a group's or a system's hook.

    *headers* are those of the request, their names in upper or lower case. With *secret*, the
    hook's secret token, only deliveries that carry it are read; without one anybody can forge them.

    Raises:
        HookRefusedError: with the `status` to answer: 401 for a wrong secret or none, 413 for more
            than 25 MB, 400 for what is no delivery, and 202 for an event of another kind.
        ValueError: *secret* is empty, or has white space around it, which no header keeps.
    """
    named = folded(headers.items())
    if secret is not None:
        _check_secret(named.get("x-gitlab-token", ""), secret)
    if len(body) > _LARGEST:
        raise HookRefusedError(f"{len(body)} bytes are more than the 25 MB that GitLab sends", 413)
    event = named.get("x-gitlab-event")
    if event is None:
        raise HookRefusedError("no X-Gitlab-Event header", 400)
    if event not in _EVENTS:
        raise HookRefusedError("neither a job event nor a pipeline event", 202)
    fields = _parsed(body)
    delivery = named.get("idempotency-key") or None
    kind = fields.optional("object_kind", str)
    if kind == "build":
        return _job_hook(fields, delivery)
    if kind == "pipeline":
        return _pipeline_hook(fields, delivery)
    raise HookRefusedError("neither a job event nor a pipeline event @ $.object_kind", 202)


def _check_secret(given: str, secret: str) -> None:
    if not isinstance(secret, str):
        raise TypeError(f"secret must be a string, not {type(secret).__name__}")
    if not secret or secret != secret.strip():
        raise ValueError("secret (not shown) is empty, or has white space around it")
    if not hmac.compare_digest(_as_bytes(given), _as_bytes(secret)):
        raise HookRefusedError("the X-Gitlab-Token header is wrong or missing", 401)


def _as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _parsed(body: bytes) -> "_Fields":
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError:
        given = None
    if type(given) is not dict:
        raise HookRefusedError("no JSON object @ $", 400)
    return _Fields("$", given)


def _job_hook(build: "_Fields", delivery: str | None) -> JobHook:
    status = build.required("build_status", JobStatus)
    return JobHook(
        project_id=build.required("project_id", int),
        job_id=build.required("build_id", int),
        pipeline_id=build.required("pipeline_id", int),
        name=build.required("build_name", str),
        stage=build.required("build_stage", str),
        status=status,
        project_path=build.inner("project").optional("path_with_namespace", str),
        ref=build.optional("ref", str),
        created_at=build.time("build_created_at"),
        started_at=build.time("build_started_at"),
        finished_at=build.time("build_finished_at"),
        duration=build.optional("build_duration", float),
        queued_duration=build.optional("build_queued_duration", float),
        failure_reason=build.failure_reason("build_failure_reason", status),
        allow_failure=build.optional("build_allow_failure", bool),
        retries_count=build.optional("retries_count", int),
        delivery=delivery,
    )


def _pipeline_hook(body: "_Fields", delivery: str | None) -> PipelineHook:
    project, pipeline = body.inner("project"), body.inner("object_attributes")
    return PipelineHook(
        project_id=project.required("id", int),
        pipeline_id=pipeline.required("id", int),
        status=pipeline.required("status", JobStatus),
        project_path=project.optional("path_with_namespace", str),
        ref=pipeline.optional("ref", str),
        sha=pipeline.optional("sha", str),
        source=pipeline.optional("source", str),
        created_at=pipeline.time("created_at"),
        finished_at=pipeline.time("finished_at"),
        duration=pipeline.optional("duration", float),
        queued_duration=pipeline.optional("queued_duration", float),
        builds=tuple(_build(build) for build in body.rows("builds")),
        delivery=delivery,
    )


def _build(build: "_Fields") -> HookBuild:
    status = build.required("status", JobStatus)
    return HookBuild(
        id=build.required("id", int),
        name=build.required("name", str),
        stage=build.required("stage", str),
        status=status,
        created_at=build.time("created_at"),
        started_at=build.time("started_at"),
        finished_at=build.time("finished_at"),
        duration=build.optional("duration", float),
        queued_duration=build.optional("queued_duration", float),
        failure_reason=build.failure_reason("failure_reason", status),
        allow_failure=build.optional("allow_failure", bool),
    )


def _time(given: Any, kind: Any) -> Any:
    """As ISO, or in the other style of GitLab's: 2016-08-12 15:23:28 UTC."""
    iso = given.removesuffix(" UTC") if type(given) is str else given
    return EXACT[datetime](iso, kind)


_TAKEN: dict[Any, Hook] = {
    **EXACT,
    datetime: _time,
    dict: same(dict, "an object"),
    list: same(list, "a list"),
}


@frozen
class _Fields:
    """The fields of an object and where in the body it stands, for what is wrong with one."""

    path: str
    given: dict[str, Any] = field(repr=False)

    def required(self, name: str, kind: type[T]) -> T:
        """A field that is there in every delivery."""
        if name not in self.given:
            raise HookRefusedError(f"required field missing @ {self.path}.{name}", 400)
        return _taken(self.given[name], kind, f"{self.path}.{name}")

    def optional(self, name: str, kind: type[T]) -> T | None:
        """A field that may be left out or null."""
        return None if self.given.get(name) is None else self.required(name, kind)

    def time(self, name: str) -> datetime | None:
        """A time in any style; in a style yet to come, the ISO twin that newer servers add."""
        try:
            return self.optional(name, datetime)
        except HookRefusedError:
            twin = self.optional(f"{name}_iso", datetime)
            if twin is None:
                raise
            return twin

    def failure_reason(self, name: str, status: JobStatus) -> FailureReason | None:
        """GitLab calls it "unknown_failure" where nothing has failed."""
        reason = self.optional(name, FailureReason)
        return reason if status == JobStatus.FAILED else None

    def inner(self, name: str) -> "_Fields":
        """An object inside; an empty one where there is none."""
        return _Fields(f"{self.path}.{name}", self.optional(name, dict) or {})

    def rows(self, name: str) -> "list[_Fields]":
        """The objects of a list; none where there is no list."""
        paths = enumerate(self.optional(name, list) or [])
        rows = [(f"{self.path}.{name}[{number}]", row) for number, row in paths]
        return [_Fields(path, _taken(row, dict, path)) for path, row in rows]


def _taken(given: Any, kind: type[T], path: str) -> T:
    try:
        value: T = _TAKEN[kind](given, kind)
    except TypeError as error:
        raise HookRefusedError(f"{error} @ {path}", 400) from None
    return value
