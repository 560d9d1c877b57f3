"""Artifacts of jobs (lib/api/ci/job_artifacts.rb), and the object storage that may hold them."""

import hashlib
import io
import zipfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import PurePosixPath
from typing import Final

from gitlab_jobs_async.simulator.api import parameters, permissions
from gitlab_jobs_async.simulator.api.answers import (
    TEXT,
    Answer,
    Plain,
    bad_request,
    json_answer,
    message,
    not_found,
)
from gitlab_jobs_async.simulator.api.calls import Call, Request, Route
from gitlab_jobs_async.simulator.api.jobs import view_of
from gitlab_jobs_async.simulator.api.pagination import paginated
from gitlab_jobs_async.simulator.api.runner_entities import Json
from gitlab_jobs_async.simulator.records import Job
from gitlab_jobs_async.simulator.world import World

_KNOWN_TYPES: Final = {
    ".xml": "application/xml",
    ".json": "application/json",
    ".html": "text/html",
    ".txt": "text/plain",
    ".log": "text/plain",
    ".zip": "application/zip",
}


def pack(files: Mapping[str, bytes]) -> bytes:
    """The archive of some files; the same files make the same bytes."""
    return _packed(tuple(sorted(files.items())))


@cache
def _packed(files: tuple[tuple[str, bytes], ...]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, content in files:
            archive.writestr(zipfile.ZipInfo(path), content)
    return buffer.getvalue()


def download(call: Call) -> Answer:
    """GET /projects/:id/jobs/:job_id/artifacts."""
    return _archive(call, _readable_job(call))


def download_by_ref(call: Call) -> Answer:
    """GET /projects/:id/jobs/artifacts/:ref_name/download?job=."""
    return _archive(call, _latest_job(call))


def one_file(call: Call) -> Answer:
    """GET /projects/:id/jobs/:job_id/artifacts/*artifact_path."""
    return _file(call, _readable_job(call))


def one_file_by_ref(call: Call) -> Answer:
    """GET /projects/:id/jobs/artifacts/:ref_name/raw/*artifact_path?job=."""
    return _file(call, _latest_job(call))


def _archive(call: Call, job: Job) -> Answer:
    files = _files(call, job)
    if call.settings.object_storage:
        location = f"{call.storage}/artifacts/{job.id}/artifacts.zip?{_signature(job)}"
        return Answer(302, (TEXT, ("Location", location)))
    return _attachment("artifacts.zip", pack(files))


def _file(call: Call, job: Job) -> Answer:
    files = _files(call, job)
    path = str(call.params["artifact_path"])
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


def stored_object(world: World, request: Request) -> Answer:
    """What object storage answers on its own port: the archive, to whoever has the signed URL."""
    parts = request.path.split("/")
    job = world.jobs.get(int(parts[2])) if len(parts) > 2 and parts[2].isdigit() else None
    if job is None or job.artifacts is None:
        return Answer(
            404, (("Content-Type", "application/xml"),), Plain(b"<Error>NoSuchKey</Error>")
        )
    signed = "&".join(f"{name}={value}" for name, value in request.query)
    carries_token = {"private-token", "job-token", "authorization"} & set(request.headers)
    if signed != _signature(job) or carries_token:
        # S3 refuses a request that is signed in two ways
        return Answer(
            400 if carries_token else 403,
            (("Content-Type", "application/xml"),),
            Plain(b"<Error>InvalidArgument</Error>"),
        )
    return Answer(200, (("Content-Type", "application/zip"),), Plain(pack(job.artifacts)))


def tree(call: Call) -> Answer:
    """GET /projects/:id/jobs/:job_id/artifacts/tree."""
    files = _files(call, _readable_job(call))
    folder = (parameters.text(call.params, "path") or "").strip("/")
    recursive = parameters.boolean(call.params, "recursive")
    entries = _entries(files, folder, recursive=recursive)
    if folder and not entries:
        raise not_found("Path")

    def present(page: Sequence[Json]) -> Sequence[Json]:
        return page

    return paginated(call, entries, present)


def _entries(files: Mapping[str, bytes], folder: str, *, recursive: bool) -> list[Json]:
    prefix = f"{folder}/" if folder else ""
    found: dict[str, Json] = {}
    for path, content in sorted(files.items()):
        if not path.startswith(prefix):
            continue
        parts = path[len(prefix) :].split("/")
        for depth in range(1, len(parts)):
            inner = prefix + "/".join(parts[:depth])
            found[inner + "/"] = {
                "name": parts[depth - 1],
                "path": inner + "/",
                "type": "directory",
            }
        found[path] = {"name": parts[-1], "path": path, "type": "file", "size": len(content)}
    depth = prefix.count("/")
    return [
        entry
        for path, entry in sorted(found.items())
        if recursive or path.rstrip("/").count("/") == depth
    ]


def keep(call: Call) -> Answer:
    """POST /projects/:id/jobs/:job_id/artifacts/keep: a 200."""
    job = _changeable_job(call, "developer")
    if job.artifacts is None:
        raise not_found()
    job.artifacts_expire_at = None
    return json_answer(view_of(call).job(job))


def delete(call: Call) -> Answer:
    """DELETE /projects/:id/jobs/:job_id/artifacts."""
    job = _changeable_job(call, "maintainer")
    job.artifacts = job.artifacts_expire_at = None
    return Answer(204)


def delete_all(call: Call) -> Answer:
    """DELETE /projects/:id/artifacts."""
    project = permissions.user_project(call)
    permissions.require_level(call, project, "maintainer")
    for job in project.builds:
        job.artifacts = job.artifacts_expire_at = None
    raise message(202, "202 Accepted")


def _readable_job(call: Call) -> Job:
    project = permissions.user_project(call)
    permissions.require_read_builds(call, project)
    return permissions.find_build(call, project)


def _changeable_job(call: Call, role: str) -> Job:
    project = permissions.user_project(call)
    permissions.require_level(call, project, role)
    job = permissions.find_build(call, project)
    permissions.require_update(call, job)
    return job


def _latest_job(call: Call) -> Job:
    project = permissions.user_project(call)
    permissions.require_read_builds(call, project)
    name, ref = parameters.text(call.params, "job"), str(call.params["ref_name"])
    for job in reversed(project.builds):
        if job.name == name and job.pipeline.ref == ref and job.status == "success":
            return job
    raise not_found()


def _files(call: Call, job: Job) -> Mapping[str, bytes]:
    expires_at = job.artifacts_expire_at
    if job.artifacts is None or (expires_at is not None and expires_at <= call.now):
        raise not_found("Artifacts" if call.route.handler is tree else None)
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
