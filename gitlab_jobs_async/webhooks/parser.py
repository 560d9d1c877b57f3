"""Parse webhook deliveries into hooks, or reject them with the HTTP status to answer.

A body is not parsed before the secrets are verified.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import orjson
from attrs import evolve, fields

from gitlab_jobs_async.api.responses import merge_headers
from gitlab_jobs_async.api.tolerant import IgnoredValues, tolerant_converter, tolerated
from gitlab_jobs_async.api.value_types import EXACT, type_mismatch
from gitlab_jobs_async.errors import WebhookRejectedError
from gitlab_jobs_async.models.artifacts import ArtifactsFile
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.models.webhooks import HookJob, JobHook, PipelineHook
from gitlab_jobs_async.webhooks.signatures import Secrets

_MAX_BYTES = 25 * 1024 * 1024
# Values of one body; a body of 25 MB from GitLab has about one million.
_MAX_VALUES = 3_000_000
# Each value of an unexpected type costs an exception. If GitLab changed one field, a pipeline of
# 10,000 jobs had 10,000 of them.
_MAX_IGNORED = 100_000
_EVENTS = frozenset({"Job Hook", "Pipeline Hook", "System Hook"})
# Answered as a success, as GitLab disables a hook after four failures in a row:
# https://docs.gitlab.com/user/project/integrations/webhooks/#auto-disabled-webhooks
_OTHER_EVENT = "unsupported event: expected a job or pipeline event"
_OBJECT = "object_attributes"

_PATH = re.compile(r"@ \$\.(\w+)")

Hook = JobHook | PipelineHook
H = TypeVar("H", bound=HookJob)
T = TypeVar("T")


def receive(
    headers: Mapping[str, str], body: bytes, secrets: Secrets, now: float
) -> tuple[Hook, IgnoredValues]:
    """Return the hook of a delivery, and its ignored values.

    *now* is in Unix seconds; see `parse_webhook`.

    Raises:
        WebhookRejectedError: the delivery is forged, invalid or of another kind.
        TypeError: *body* is not bytes.
    """
    given: object = body
    if not isinstance(given, bytes):
        raise TypeError(f"body is a {type(given).__name__}: expected the bytes that were sent")
    if len(body) > _MAX_BYTES:
        raise WebhookRejectedError(
            f"body of {len(body)} bytes: expected at most the 25 MB that GitLab sends", 413
        )
    named = merge_headers(headers.items())
    untrusted = secrets.refusal(named, body, now)
    if untrusted is not None:
        raise WebhookRejectedError(untrusted, 401)
    if "x-gitlab-event" not in named:
        raise WebhookRejectedError("X-Gitlab-Event header missing", 400)
    if named["x-gitlab-event"] not in _EVENTS:
        raise WebhookRejectedError(_OTHER_EVENT, 202)
    # The signature covers webhook-id alone: with another Idempotency-Key a replay would look new.
    keys = ("webhook-id",) if secrets.keys else ("idempotency-key", "webhook-id")
    delivery = next((named[key] for key in keys if named.get(key)), None)
    try:
        sent = _parsed(body)
        hook, ignored = _structured(sent)
    except (MemoryError, RecursionError):
        raise WebhookRejectedError("body nested too deeply or too large @ $", 400) from None
    return evolve(hook, delivery=delivery, raw=sent), ignored


def _parsed(body: bytes) -> dict[str, Any]:
    if sum(body.count(mark) for mark in (b",", b"[", b"{")) > _MAX_VALUES:
        raise WebhookRejectedError(f"expected at most {_MAX_VALUES} values @ $", 413)
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError:
        given = None
    if type(given) is not dict:
        raise WebhookRejectedError("expected a JSON object @ $", 400)
    return given


def _structured(body: dict[str, Any]) -> tuple[Hook, IgnoredValues]:
    kind = body.get("object_kind")
    if kind is not None and type(kind) is not str:
        raise WebhookRejectedError(f"{type_mismatch('a string', kind)} @ $.object_kind", 400)
    if kind == "build":
        job, ignored = _tolerated(_job_fields(body), JobHook)
        return _with_reason(job), ignored
    if kind == "pipeline":
        pipeline, ignored = _tolerated(_pipeline_fields(body), PipelineHook)
        builds, bridges = (
            tuple(map(_with_reason, jobs)) for jobs in (pipeline.builds, pipeline.bridges)
        )
        return evolve(pipeline, builds=builds, bridges=bridges), ignored
    raise WebhookRejectedError(f"{_OTHER_EVENT} @ $.object_kind", 202)


def _tolerated(fields: dict[str, Any], kind: type[T]) -> tuple[T, IgnoredValues]:
    try:
        return tolerated(fields, kind, _converter, most=_MAX_IGNORED)
    except ValueError as error:
        reason = str(error)
    names = _NAMES[kind]
    # Paths of the body, which the sender knows.
    shown = _PATH.sub(lambda path: f"@ $.{names.get(path[1], path[1])}", reason)
    raise WebhookRejectedError(shown, 400)


def _job_fields(body: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a job event, with times in a readable format."""
    commit = body.get("commit")
    read = _readable(body, ("build_created_at", "build_started_at", "build_finished_at"))
    if type(commit) is dict:
        read["commit"] = _readable(commit, ("started_at", "finished_at"))
    return read


def _pipeline_fields(body: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a pipeline event in one object, with the names in `_NAMES`."""
    pipeline, project = _inner(body, _OBJECT), _inner(body, "project")
    read = _readable(pipeline, ("created_at", "finished_at"))
    ids = {"project.id": project["id"]} if "id" in project else {}
    return {**body, **{f"{_OBJECT}.{name}": value for name, value in read.items()}, **ids}


def _inner(body: dict[str, Any], name: str) -> dict[str, Any]:
    given = body.get(name)
    if given is not None and type(given) is not dict:
        raise WebhookRejectedError(f"{type_mismatch('an object', given)} @ $.{name}", 400)
    return given or {}


def _readable(given: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Return *given* with unreadable times replaced by their ISO twins."""
    # Newer servers also send each time under this name with `_iso`.
    twins = {
        name: twin
        for name in names
        if not _is_time(given.get(name)) and _is_time(twin := given.get(f"{name}_iso"))
    }
    return given | twins


def _is_time(given: object) -> bool:
    try:
        _time(given, datetime)
    except TypeError:
        return False
    return True


def _time(given: Any, kind: Any) -> datetime:
    """Return a time from ISO or Ruby's format: 2016-08-12 15:23:28 UTC, or +0100 for UTC."""
    iso = given.removesuffix(" UTC") if type(given) is str else given
    at: datetime = EXACT[datetime](iso, kind)
    try:
        at.astimezone(UTC)
    except OverflowError:
        raise TypeError("expected a time within the years 1 to 9999, got another") from None
    return at


def _with_reason(job: H) -> H:
    """Return *job* without the failure reason if it did not fail."""
    # Without a failure GitLab sends "unknown_failure".
    if job.failure_reason is None or job.status == JobStatus.FAILED:
        return job
    return evolve(job, failure_reason=None)


_PREFIXED = tuple(
    one.name for one in fields(HookJob) if one.name not in {"user", "runner", "environment"}
)
_ATTRIBUTES = tuple(
    one.name
    for one in fields(PipelineHook)
    if one.name
    not in {"project", "user", "commit", "merge_request", "builds", "bridges", "source_pipeline"}
)
# JSON names of the fields that are renamed in a hook.
_NAMES: dict[type, dict[str, str | None]] = {
    JobHook: {
        **{name: f"build_{name}" for name in _PREFIXED},
        "job_id": "build_id",
        "delivery": None,
        "_raw": None,
    },
    PipelineHook: {
        **{name: f"{_OBJECT}.{name}" for name in _ATTRIBUTES},
        "pipeline_id": f"{_OBJECT}.id",
        "project_id": "project.id",
        "delivery": None,
        "_raw": None,
    },
}

_converter = tolerant_converter(_NAMES, {datetime: _time})
_archive = _converter.get_structure_hook(ArtifactsFile)


def _archive_or_none(given: Any, _: Any) -> ArtifactsFile | None:
    """Return the archive of a job, None if it has none."""
    # GitLab then sends an archive of nulls.
    is_none = given is None or (type(given) is dict and given.get("filename") is None)
    return None if is_none else _archive(given, ArtifactsFile)


_converter.register_structure_hook_func(
    lambda kind: bool(kind == ArtifactsFile | None), _archive_or_none
)
