"""Artifacts of jobs (lib/api/ci/job_artifacts.rb), and the object storage that may hold them."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final

from gitlab_jobs_async.simulator.api import archives, parameters, permissions
from gitlab_jobs_async.simulator.api.answers import (
    TEXT,
    Answer,
    Plain,
    bad_request,
    error,
    json_answer,
    message,
    not_found,
    record_not_found,
)
from gitlab_jobs_async.simulator.api.calls import Call, Request, Route
from gitlab_jobs_async.simulator.api.jobs import view_of
from gitlab_jobs_async.simulator.api.pagination import paginated
from gitlab_jobs_async.simulator.api.ranges import requested_range
from gitlab_jobs_async.simulator.api.runner_entities import Json
from gitlab_jobs_async.simulator.records import Job, Pipeline
from gitlab_jobs_async.simulator.world import World

_KNOWN_TYPES: Final = {
    ".xml": "application/xml",
    ".json": "application/json",
    ".html": "text/html",
    ".txt": "text/plain",
    ".log": "text/plain",
    ".zip": "application/zip",
}
_XML: Final = ("Content-Type", "application/xml")
_ZIP: Final = ("Content-Type", "application/zip")


def download(call: Call) -> Answer:
    """Answer GET /projects/:id/jobs/:job_id/artifacts."""
    return _archive(call, _readable_job(call))


def download_by_ref(call: Call) -> Answer:
    """Answer GET /projects/:id/jobs/artifacts/:ref_name/download?job=."""
    return _archive(call, _latest_job(call))


def one_file(call: Call) -> Answer:
    """Answer GET /projects/:id/jobs/:job_id/artifacts/*artifact_path."""
    return _file(call, _readable_job(call))


def one_file_by_ref(call: Call) -> Answer:
    """Answer GET /projects/:id/jobs/artifacts/:ref_name/raw/*artifact_path?job=."""
    return _file(call, _latest_job(call))


def _archive(call: Call, job: Job) -> Answer:
    files = _files(call, job)
    if call.settings.object_storage:
        location = f"{call.storage}/artifacts/{job.id}/artifacts.zip?{_signature(job)}"
        return Answer(302, (TEXT, ("Location", location)))
    return _attachment("artifacts.zip", archives.pack(files))


def _file(call: Call, job: Job) -> Answer:
    files = _files(call, job)
    path = str(call.params["artifact_path"])
    # A path must not leave the archive.
    if ".." in path.split("/") or path.startswith("/") or "\0" in path:
        raise bad_request()
    if path not in files:
        raise not_found()
    return _attachment(PurePosixPath(path).name, files[path])


def _attachment(filename: str, content: bytes) -> Answer:
    kind = _KNOWN_TYPES.get(PurePosixPath(filename).suffix, "application/octet-stream")
    headers = (
        ("Content-Type", kind),
        ("Content-Disposition", f'attachment; filename="{filename}"'),
    )
    return Answer(200, headers, Plain(content))


def _signature(job: Job) -> str:
    digest = hashlib.sha256(f"signed/{job.id}".encode()).hexdigest()
    return f"X-Amz-Expires=600&X-Amz-Signature={digest}"


def stored_object(world: World, request: Request, *, ranges: bool) -> Answer:
    """Answer on the port of the object storage: the archive, if the URL is signed."""
    parts = request.path.split("/")
    job = world.jobs.get(parameters.number(parts[2]) or 0) if len(parts) > 2 else None
    if job is None or job.artifacts is None:
        return Answer(404, (_XML,), Plain(b"<Error>NoSuchKey</Error>"))
    signed = "&".join(f"{name}={value}" for name, value in request.query)
    carries_token = {"private-token", "job-token", "authorization"} & set(request.headers)
    if signed != _signature(job) or carries_token:
        # S3 refuses a request that is signed in two ways
        return Answer(
            400 if carries_token else 403,
            (_XML,),
            Plain(b"<Error>InvalidArgument</Error>"),
        )
    content = archives.pack(job.artifacts)
    return _ranged(request, content) if ranges else Answer(200, (_ZIP,), Plain(content))


def _ranged(request: Request, content: bytes) -> Answer:
    """Answer as S3's GetObject does with `Range` and `If-Range`; one range only."""
    etag = f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
    size = len(content)
    headers = (_ZIP, ("ETag", etag), ("Accept-Ranges", "bytes"))
    is_same = request.headers.get("if-range", etag) == etag
    asked = requested_range(request.headers.get("range", ""), size) if is_same else None
    if asked is None:
        return Answer(200, headers, Plain(content))
    start, stop = asked
    if start >= stop:
        unsatisfied = (_XML, ("Content-Range", f"bytes */{size}"))
        return Answer(416, unsatisfied, Plain(b"<Error>InvalidRange</Error>"))
    partial = ("Content-Range", f"bytes {start}-{stop - 1}/{size}")
    return Answer(206, (*headers, partial), Plain(content[start:stop]))


def tree(call: Call) -> Answer:
    """Answer GET /projects/:id/jobs/:job_id/artifacts/tree."""
    if not call.settings.features.artifacts_tree:
        # Older releases route this path to the file named "tree".
        call.params["artifact_path"] = "tree"
        return one_file(call)
    files = _files(call, _readable_job(call))
    folder = (parameters.text(call.params, "path") or "").strip("/")
    recursive = parameters.boolean(call.params, "recursive")
    entries = archives.entries(files, folder, recursive=recursive)
    if folder and not entries:
        raise not_found("Path")

    def present(page: Sequence[Json]) -> Sequence[Json]:
        return page

    return paginated(call, entries, present)


def keep(call: Call) -> Answer:
    """Answer POST /projects/:id/jobs/:job_id/artifacts/keep, with a 200."""
    job = permissions.find_build(call, permissions.user_project(call))
    permissions.require_update(call, job)
    _files(call, job)
    job.artifacts_expire_at = None
    return json_answer(view_of(call).job(job))


def delete(call: Call) -> Answer:
    """Answer DELETE /projects/:id/jobs/:job_id/artifacts."""
    project = permissions.user_project(call)
    permissions.require_level(call, project, "maintainer")
    job = permissions.find_build(call, project)
    permissions.require_update(call, job)
    permissions.require_no_refresh(project)
    job.artifacts = job.artifacts_expire_at = None
    return Answer(204)


def delete_all(call: Call) -> Answer:
    """Answer DELETE /projects/:id/artifacts."""
    project = permissions.user_project(call)
    permissions.require_level(call, project, "maintainer")
    permissions.require_no_refresh(project)
    for job in project.builds:
        job.artifacts = job.artifacts_expire_at = None
    raise message(202, "202 Accepted")


def _readable_job(call: Call) -> Job:
    project = permissions.user_project(call)
    permissions.require_read_builds(call, project)
    return permissions.find_build(call, project)


def _latest_job(call: Call) -> Job:
    name, ref = parameters.text(call.params, "job"), str(call.params["ref_name"])
    if name is None:
        raise error(400, "job is missing")
    project = permissions.user_project(call)
    recent = parameters.boolean(call.params, "search_recent_successful_pipelines")
    permissions.require_read_builds(call, project)
    found = [p for p in project.pipelines if p.ref == ref and p.status == "success"]
    roots = [p for p in reversed(found) if p.source != "parent_pipeline"]
    for pipeline in roots if recent else roots[:1]:
        for job in reversed(_with_children(pipeline)):
            if job.name == name and job.artifacts is not None and not job.retried:
                return job
    raise not_found("Job") if recent else record_not_found()


def _with_children(pipeline: Pipeline) -> list[Job]:
    found = list(pipeline.builds)
    for bridge in pipeline.bridges:
        child = bridge.downstream_pipeline
        if child is not None and child.source == "parent_pipeline":
            found = _with_children(child) + found
    return found


def _files(call: Call, job: Job) -> Mapping[str, bytes]:
    expires_at = job.artifacts_expire_at
    if job.artifacts is None or (expires_at is not None and expires_at <= call.now):
        is_tree = call.route.handler is tree and call.settings.features.artifacts_tree
        raise not_found("Artifacts" if is_tree else None)
    return job.artifacts


_ONE: Final = "projects/:id/jobs/:job_id/artifacts"
_READ: Final = "read_jobs"
ROUTES: Final = (
    Route(
        "GET",
        "projects/:id/jobs/artifacts/*ref_name/download",
        download_by_ref,
        permission=_READ,
        anonymous=True,
    ),
    Route(
        "GET",
        "projects/:id/jobs/artifacts/*ref_name/raw/*artifact_path",
        one_file_by_ref,
        permission=_READ,
        anonymous=True,
    ),
    Route("GET", _ONE, download, permission=_READ, anonymous=True),
    Route("GET", f"{_ONE}/tree", tree, permission=_READ, anonymous=True),
    Route("POST", f"{_ONE}/keep", keep),
    Route("GET", f"{_ONE}/*artifact_path", one_file, permission=_READ, anonymous=True),
    Route("DELETE", _ONE, delete),
    Route("DELETE", "projects/:id/artifacts", delete_all),
)
