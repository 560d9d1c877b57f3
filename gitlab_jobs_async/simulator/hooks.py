"""Webhooks of a project: reported changes, and the headers and bodies of their deliveries.

Follows lib/gitlab/data_builder/{build,pipeline}.rb and app/services/web_hook_service.rb. No I/O:
deliveries wait until they are sent, for instance by `delivering`.
"""

import random
from collections import deque
from typing import Final
from uuid import UUID

import orjson
from attrs import field, frozen

from gitlab_jobs_async.simulator import hook_parts
from gitlab_jobs_async.simulator.api.entities import View
from gitlab_jobs_async.simulator.api.runner_entities import Json
from gitlab_jobs_async.simulator.records import VISIBILITIES, Job, Pipeline, Project, User
from gitlab_jobs_async.simulator.settings import SimulatorSettings
from gitlab_jobs_async.simulator.signing import key_of, signature_headers
from gitlab_jobs_async.simulator.world import World

_NO_SHA: Final = "0" * 40


@frozen
class Delivery:
    """One POST of GitLab; a manual resend is an equal value.

    `headers` are those of a delivery at the time of its event; see `headers_at` for a later one.
    """

    url: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    key: bytes | None = field(default=None, repr=False)

    def headers_at(self, at: float) -> dict[str, str]:
        """Return the headers of a delivery signed and sent at *at* (Unix seconds)."""
        if self.key is None:
            return self.headers
        number = self.headers["webhook-id"]
        return self.headers | signature_headers(self.key, number, at, self.body)


class Webhook:
    """A project's webhook: adds later events to `deliveries`, oldest first.

    `token` is its secret token, `signing_token` the key of its signatures (`whsec_` and the base64
    of 32 bytes); a hook may have both. `instance` is the base URL of the sending GitLab, `settings`
    give its release. Jobs are reported when they are created, become pending, start and end, but
    not when they are skipped; pipelines at each new status. Bridges and actions of blocked users
    are not reported.
    """

    def __init__(
        self,
        world: World,
        project: Project,
        url: str,
        *,
        token: str | None = None,
        signing_token: str | None = None,
        instance: str = "https://gitlab.example.com",
        settings: SimulatorSettings | None = None,
    ) -> None:
        self.project = project
        self.url = url
        self.deliveries: deque[Delivery] = deque()
        self._token = token
        self._key = None if signing_token is None else key_of(signing_token)
        self._instance = instance
        self._settings = settings or SimulatorSettings()
        # Seeded, so that a world sends the same UUIDs in each run.
        self._random = random.Random(f"{project.path} {url}")  # noqa: S311 - repeatable, not secret
        world.registry.listeners.append(self._note)

    def job_event(self, job: Job, at: float) -> Delivery:
        """Return a Job event about a job in its present state."""
        return self._delivery("Job Hook", _job(job, self._view(at)), at)

    def pipeline_event(self, pipeline: Pipeline, at: float) -> Delivery:
        """Return a Pipeline event about a pipeline in its present state."""
        return self._delivery("Pipeline Hook", _pipeline(pipeline, self._view(at)), at)

    def _note(self, row: Job | Pipeline, at: float) -> None:
        is_blocked = row.user is not None and row.user.state == "blocked"
        if row.project is not self.project or is_blocked:
            return
        if isinstance(row, Pipeline):
            self.deliveries.append(self.pipeline_event(row, at))
        # Ci::Bridge runs no build hooks.
        elif not row.is_bridge:
            self.deliveries.append(self.job_event(row, at))

    def _view(self, at: float) -> View:
        return View(self._instance, at, self._settings)

    def _uuid(self) -> str:
        return str(UUID(int=self._random.getrandbits(128), version=4))

    def _delivery(self, event: str, payload: Json, at: float) -> Delivery:
        body, number, features = orjson.dumps(payload), self._uuid(), self._settings.features
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"GitLab/{self._settings.version}",
            "X-Gitlab-Event": event,
            "X-Gitlab-Instance": self._instance,
            "X-Gitlab-Event-UUID": self._uuid(),
        }
        if features.idempotency_keys:
            headers["Idempotency-Key"] = number
        if features.webhook_uuids:
            headers["X-Gitlab-Webhook-UUID"] = self._uuid()
        if self._token is not None:
            headers["X-Gitlab-Token"] = self._token
        if self._key is not None:
            headers |= signature_headers(self._key, number, at, body)
        return Delivery(self.url, headers, body, self._key)


def _job(job: Job, view: View) -> Json:
    entity, pipeline = view.job(job), job.pipeline
    named = [other for other in pipeline.jobs if other.name == job.name]
    times = {
        f"build_{name}": getattr(job, name) for name in ("created_at", "started_at", "finished_at")
    }
    return {
        "object_kind": "build",
        "ref": pipeline.ref,
        "tag": pipeline.tag,
        "before_sha": _NO_SHA,
        "sha": pipeline.sha,
        "retries_count": sum(other.retried for other in named),
        "build_id": job.id,
        "build_name": job.name,
        "build_stage": job.stage,
        "build_status": job.status,
        **{name: hook_parts.job_time(at, view) for name, at in times.items()},
        **hook_parts.iso_twins(times, view),
        "build_duration": entity["duration"],
        "build_queued_duration": entity["queued_duration"],
        "build_allow_failure": job.allow_failure,
        # Job events send "unknown_failure" even for successful jobs.
        "build_failure_reason": job.failure_reason or "unknown_failure",
        "pipeline_id": pipeline.id,
        "runner": hook_parts.runner(job.runner),
        "project_id": job.project.id,
        # The full name, as in the web interface.
        "project_name": job.project.path.replace("/", " / "),
        "user": _user(job.user, view),
        "commit": _commit_of_job(pipeline, view),
        "repository": _repository(job.project, view),
        "project": _project(job.project, view),
        "environment": hook_parts.environment(job, tier=False),
        **hook_parts.source_pipeline(pipeline, view),
    }


def _commit_of_job(pipeline: Pipeline, view: View) -> Json:
    """Return the commit of a Job event, whose `id` is the pipeline's."""
    entity, commit = view.pipeline(pipeline), view.commit(pipeline)
    times = {"started_at": pipeline.started_at, "finished_at": pipeline.finished_at}
    author = pipeline.user and view.user_basic(pipeline.user)["web_url"]
    return {
        "id": pipeline.id,
        "name": pipeline.name,
        "sha": pipeline.sha,
        "message": commit["message"],
        "author_name": commit["author_name"],
        "author_email": commit["author_email"],
        "author_url": author or f"mailto:{commit['author_email']}",
        "status": pipeline.status,
        "duration": entity["duration"],
        **{name: hook_parts.job_time(at, view) for name, at in times.items()},
        **hook_parts.iso_twins(times, view),
    }


def _pipeline(pipeline: Pipeline, view: View) -> Json:
    entity, commit = view.pipeline(pipeline), view.commit(pipeline)
    return {
        "object_kind": "pipeline",
        "object_attributes": {
            "id": pipeline.id,
            "iid": pipeline.iid,
            "name": pipeline.name,
            "ref": pipeline.source_ref,
            "tag": pipeline.tag,
            "sha": pipeline.sha,
            "before_sha": _NO_SHA,
            "source": pipeline.source,
            "status": pipeline.status,
            "detailed_status": "passed" if pipeline.status == "success" else pipeline.status,
            "stages": pipeline.stages,
            "created_at": hook_parts.with_zone(pipeline.created_at),
            "finished_at": hook_parts.with_zone(pipeline.finished_at),
            "duration": entity["duration"],
            "queued_duration": entity["queued_duration"],
            "protected_ref": pipeline.ref in pipeline.project.protected_refs,
            "default_branch": pipeline.ref == "main",
            "variables": [{"key": k, "value": v} for k, v in pipeline.variables.items()],
            "url": entity["web_url"],
        },
        "merge_request": hook_parts.merge_request(pipeline, view),
        "user": _user(pipeline.user, view),
        "project": _project(pipeline.project, view),
        "commit": {
            "id": pipeline.sha,
            "message": commit["message"],
            "title": commit["title"],
            "timestamp": commit["committed_date"],
            "url": commit["web_url"],
            "author": {"name": commit["author_name"], "email": commit["author_email"]},
        },
        "builds": [_build(job, view) for job in pipeline.builds if not job.retried],
        **hook_parts.source_pipeline(pipeline, view),
    }


def _build(job: Job, view: View) -> Json:
    entity = view.job(job)
    return {
        "id": job.id,
        "stage": job.stage,
        "name": job.name,
        "status": job.status,
        "created_at": hook_parts.with_zone(job.created_at),
        "started_at": hook_parts.with_zone(job.started_at),
        "finished_at": hook_parts.with_zone(job.finished_at),
        "duration": entity["duration"],
        "queued_duration": entity["queued_duration"],
        "failure_reason": job.failure_reason,
        "when": job.plan.when,
        "manual": job.plan.when in {"manual", "delayed"},  # Ci::Build#action?
        "allow_failure": job.allow_failure,
        "user": _user(job.user, view),
        "runner": hook_parts.runner(job.runner),
        "artifacts_file": entity.get("artifacts_file", {"filename": None, "size": None}),
        "environment": hook_parts.environment(job, tier=True),
    }


def _user(user: User | None, view: View) -> Json | None:
    if user is None:
        return None
    entity = view.user_basic(user)
    shown = {key: entity[key] for key in ("id", "name", "username", "avatar_url")}
    # GitLab redacts addresses that are not public.
    return shown | {"email": "[REDACTED]"}


def _project(project: Project, view: View) -> Json:
    entity, ssh = view.project(project), view.origin.partition("://")[2]
    return {
        "id": project.id,
        "name": project.name,
        "description": None,
        "web_url": entity["web_url"],
        "avatar_url": None,
        "git_ssh_url": f"git@{ssh}:{project.path}.git",
        "git_http_url": entity["http_url_to_repo"],
        "namespace": project.path.rpartition("/")[0],
        "visibility_level": 10 * VISIBILITIES.index(project.visibility),
        "path_with_namespace": project.path,
        "default_branch": "main",
        "ci_config_path": None,
    }


def _repository(project: Project, view: View) -> Json:
    attributes = _project(project, view)
    shared = ("name", "description", "git_http_url", "git_ssh_url", "visibility_level")
    return {
        **{key: attributes[key] for key in shared},
        "url": attributes["git_ssh_url"],
        "homepage": attributes["web_url"],
    }
