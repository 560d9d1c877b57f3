"""Rows as GitLab's JSON, written from lib/api/entities and not from the SDK's models."""

import hashlib
import re
from typing import Final

from attrs import field, frozen

from gitlab_jobs_async.simulator.api.archives import packed_size
from gitlab_jobs_async.simulator.api.archiving import is_archived
from gitlab_jobs_async.simulator.api.durations import pipeline_duration, queued_duration
from gitlab_jobs_async.simulator.api.runner_entities import (
    Json,
    author_time,
    clock_time,
    iso,
    manager_entity,
    runner_entity,
)
from gitlab_jobs_async.simulator.records import Job, Pipeline, Project, Runner, User
from gitlab_jobs_async.simulator.settings import SimulatorSettings
from gitlab_jobs_async.simulator.statuses import COMPLETED

# The names of the users that GitLab creates for access tokens of projects and groups.
_BOT: Final = re.compile(r"(project|group)_[0-9]+_bot")


@frozen
class View:
    """Context of an entity besides its row: the server's origin, the time, the busy runners."""

    origin: str
    now: float
    settings: SimulatorSettings
    busy_runners: frozenset[int] = frozenset()
    _pipelines: dict[int, Json] = field(factory=dict[int, Json], init=False, repr=False)
    _users: dict[int, Json] = field(factory=dict[int, Json], init=False, repr=False)

    def user_basic(self, user: User) -> Json:
        """Return API::Entities::UserBasic."""
        digest = hashlib.md5(user.username.encode(), usedforsecurity=False).hexdigest()
        return {
            "id": user.id,
            "username": user.username,
            "public_email": None,
            "name": user.name,
            "state": user.state,
            "locked": False,
            "avatar_url": f"https://www.gravatar.com/avatar/{digest}?s=80&d=identicon",
            "web_url": f"{self.origin}/{user.username}",
        }

    def user(self, user: User | None) -> Json | None:
        """Return API::Entities::User."""
        if user is None:
            return None
        if user.id not in self._users:
            self._users[user.id] = self._user(user)
        return self._users[user.id]

    def _user(self, user: User) -> Json:
        return self.user_basic(user) | {
            "created_at": iso(user.created_at),
            "bio": "",
            "location": None,
            "linkedin": "",
            "twitter": "",
            "discord": "",
            "website_url": "",
            "github": "",
            "job_title": "",
            "pronouns": None,
            "organization": "",
            "bot": _BOT.match(user.username) is not None,
            "work_information": None,
            "followers": 0,
            "following": 0,
            "local_time": clock_time(self.now),
        }

    def commit(self, pipeline: Pipeline) -> Json:
        """Return API::Entities::Commit."""
        author = pipeline.user.name if pipeline.user else "Ghost User"
        email = f"{pipeline.user.username if pipeline.user else 'ghost'}@example.com"
        at = author_time(pipeline.created_at - 5)
        return {
            "id": pipeline.sha,
            "short_id": pipeline.sha[:8],
            "created_at": at,
            "parent_ids": [hashlib.sha1(pipeline.sha.encode(), usedforsecurity=False).hexdigest()],
            "title": pipeline.title,
            "message": f"{pipeline.title}\n",
            "author_name": author,
            "author_email": email,
            "authored_date": at,
            "committer_name": author,
            "committer_email": email,
            "committed_date": at,
            "trailers": {},
            "extended_trailers": {},
            "web_url": f"{self._project_url(pipeline.project)}/-/commit/{pipeline.sha}",
        }

    def pipeline_basic(self, pipeline: Pipeline) -> Json:
        """Return API::Entities::Ci::PipelineBasic."""
        return {
            "id": pipeline.id,
            "iid": pipeline.iid,
            "project_id": pipeline.project.id,
            "sha": pipeline.sha,
            "ref": pipeline.ref,
            "status": pipeline.status,
            "source": pipeline.source,
            "created_at": iso(pipeline.created_at),
            "updated_at": iso(pipeline.updated_at),
            "web_url": f"{self._project_url(pipeline.project)}/-/pipelines/{pipeline.id}",
        }

    def pipeline(self, pipeline: Pipeline) -> Json:
        """Return API::Entities::Ci::Pipeline, the response of actions."""
        return self.pipeline_basic(pipeline) | {
            "before_sha": "0" * 40,
            "tag": pipeline.tag,
            "yaml_errors": pipeline.yaml_errors,
            "user": self.user_basic(pipeline.user) if pipeline.user else None,
            "started_at": iso(pipeline.started_at),
            "finished_at": iso(pipeline.finished_at),
            "committed_at": None,
            "duration": pipeline_duration(pipeline),
            "queued_duration": queued_duration(pipeline),
            "coverage": _pipeline_coverage(pipeline),
            "detailed_status": self._detailed_status(pipeline),
        }

    def named_pipeline(self, pipeline: Pipeline) -> Json:
        """Return API::Entities::Ci::PipelineWithMetadata."""
        return self.pipeline(pipeline) | {"name": pipeline.name}

    def _detailed_status(self, pipeline: Pipeline) -> Json:
        status = pipeline.status
        label = "passed" if status == "success" else status.replace("_", " ")
        url = f"{self._project_url(pipeline.project)}/-/pipelines/{pipeline.id}"
        return {
            "icon": f"status_{status}",
            "text": label.capitalize(),
            "label": label,
            "group": status.replace("_", "-"),
            "tooltip": label,
            "has_details": True,
            "details_path": url.removeprefix(self.origin),
            "illustration": None,
            "favicon": f"/assets/ci_favicons/favicon_status_{status}.png",
        }

    def _shared(self, pipeline: Pipeline) -> Json:
        if pipeline.id not in self._pipelines:
            self._pipelines[pipeline.id] = {
                "commit": self.commit(pipeline) if pipeline.has_commit else None,
                "pipeline": self.pipeline_basic(pipeline),
            }
        return self._pipelines[pipeline.id]

    def _job_basic(self, job: Job) -> Json:
        entity: Json = {
            "id": job.id,
            "status": job.status,
            "stage": job.stage,
            "name": job.name,
            "ref": job.pipeline.ref,
            "tag": job.pipeline.tag,
            "coverage": job.plan.coverage if job.status in COMPLETED else None,
            "allow_failure": job.allow_failure,
            "created_at": iso(job.created_at),
            "started_at": iso(job.started_at),
            "finished_at": iso(job.finished_at),
            "erased_at": iso(job.erased_at),
            "duration": _seconds(job.started_at, job.finished_at, self.now),
            "queued_duration": _seconds(job.queued_at, job.started_at, self.now),
            **self._shared(job.pipeline),
            "user": self.user(job.user),
        }
        if job.status == "failed":
            entity["failure_reason"] = job.failure_reason
        entity["web_url"] = f"{self._project_url(job.project)}/-/jobs/{job.id}"
        entity["project"] = {"ci_job_token_scope_enabled": False}
        return entity

    def job(self, job: Job) -> Json:
        """Return API::Entities::Ci::Job."""
        entity = self._job_basic(job)
        artifacts = self._artifacts(job)
        archive = next((a for a in artifacts if a["file_type"] == "archive"), None)
        expires_at = job.artifacts_expire_at
        if archive is not None and (expires_at is None or expires_at > self.now):
            entity["artifacts_file"] = {"filename": archive["filename"], "size": archive["size"]}
        if not job.is_bridge:
            busy = job.runner is not None and job.runner.id in self.busy_runners
            entity["runner_manager"] = manager_entity(job, self.now, busy=busy)
        return entity | {
            "artifacts": artifacts,
            "runner": self._runner(job.runner),
            "artifacts_expire_at": iso(expires_at),
            "archived": is_archived(job, self.now, self.settings),
            "tag_list": sorted(job.plan.tags),
        }

    def _runner(self, runner: Runner | None) -> Json | None:
        if runner is None:
            return None
        return runner_entity(runner, busy=runner.id in self.busy_runners)

    def bridge(self, job: Job) -> Json:
        """Return API::Entities::Ci::Bridge."""
        downstream = job.downstream_pipeline
        return self._job_basic(job) | {
            "downstream_pipeline": self.pipeline_basic(downstream) if downstream else None
        }

    def _artifacts(self, job: Job) -> list[Json]:
        files: list[tuple[str, int, str, str | None]] = []
        if job.artifacts is not None:
            size = packed_size(job.artifacts)
            files.append(("archive", size, "artifacts.zip", "zip"))
            files.append(("metadata", 100 + size // 50, "metadata.gz", "gzip"))
        ended = job.finished_at
        archived = ended is not None and self.now >= ended + self.settings.archive_after
        if archived and job.complete and (size := job.log_at(self.now)):
            files.append(("trace", size, "job.log", None))
        keys = ("file_type", "size", "filename", "file_format")
        return [dict(zip(keys, file, strict=True)) for file in files]

    def project_identity(self, project: Project) -> Json:
        """Return API::Entities::ProjectIdentity."""
        return {
            "id": project.id,
            "description": None,
            "name": project.name,
            "name_with_namespace": project.path.replace("/", " / "),
            "path": project.name,
            "path_with_namespace": project.path,
            "created_at": iso(project.created_at),
        }

    def project_basic(self, project: Project) -> Json:
        """Return the parts of API::Entities::BasicProjectDetails that name a project."""
        path = project.path.rpartition("/")[0]
        return self.project_identity(project) | {
            "default_branch": "main",
            "web_url": self._project_url(project),
            "http_url_to_repo": f"{self._project_url(project)}.git",
            "last_activity_at": iso(project.created_at),
            "namespace": {"name": path, "kind": "group", "full_path": path},
        }

    def project(self, project: Project) -> Json:
        """Return the parts of API::Entities::Project that matter to a client of jobs."""
        return self.project_basic(project) | {
            "visibility": project.visibility,
            "archived": project.archived,
            "jobs_enabled": project.jobs_enabled,
            "public_jobs": project.public_jobs,
        }

    def _project_url(self, project: Project) -> str:
        return f"{self.origin}/{project.path}"


def _seconds(start: float | None, stop: float | None, now: float) -> float | None:
    if start is None:
        return None
    return round(max((now if stop is None else stop) - start, 0.0), 6)


def _pipeline_coverage(pipeline: Pipeline) -> str | None:
    known = [
        job.plan.coverage
        for job in pipeline.jobs
        if job.plan.coverage is not None and not job.retried and job.complete
    ]
    return f"{sum(known) / len(known):.2f}" if known else None
