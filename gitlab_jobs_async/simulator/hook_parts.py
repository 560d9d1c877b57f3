"""Parts that Job and Pipeline events share: lib/gitlab/data_builder/{build,pipeline}.rb."""

from datetime import UTC, datetime
from typing import Final

from gitlab_jobs_async.simulator.api.entities import View
from gitlab_jobs_async.simulator.api.runner_entities import Json, iso
from gitlab_jobs_async.simulator.records import Job, Pipeline, Runner

_TIERS: Final = {
    "production": ("prod", "live"),
    "staging": ("staging", "stage", "model", "pre", "demo"),
    "testing": ("test", "tst", "int", "ac", "qa", "qc", "gate", "gitlab", "tier"),
    "development": ("dev", "review", "trunk"),
}


def whole_seconds(at: float | None) -> str | None:
    """Return a time as the `_iso` twins have it."""
    return None if at is None else f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def with_zone(at: float | None) -> str | None:
    """Return a time as Ruby prints it."""
    return None if at is None else f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S UTC}"


def job_time(at: float | None, view: View) -> str | None:
    """Return a time of a Job event in the style of the server's version."""
    return iso(at) if view.settings.features.iso_times else with_zone(at)


def iso_twins(times: dict[str, float | None], view: View) -> Json:
    """Return the `_iso` twins of *times*, none where the server does not know them."""
    if not view.settings.features.iso_times:
        return {}
    return {f"{name}_iso": whole_seconds(at) for name, at in times.items()}


def environment(job: Job, *, tier: bool) -> Json | None:
    """Return the environment that a job names in its configuration."""
    name = job.plan.environment
    if name is None:
        return None
    part: Json = {"name": name, "action": job.plan.environment_action}
    return part | {"deployment_tier": _tier(name)} if tier else part


def _tier(name: str) -> str:
    """Guess a tier by the name, roughly as app/models/environment.rb does."""
    words = name.lower()
    return next((t for t, hints in _TIERS.items() if any(h in words for h in hints)), "other")


def runner(row: Runner | None) -> Json | None:
    """Return the runner that took a job."""
    if row is None:
        return None
    return {
        "id": row.id,
        "description": row.description,
        "runner_type": row.runner_type,
        "active": not row.paused,
        "is_shared": row.runner_type == "instance_type",
        "tags": list(row.tags),
    }


def source_pipeline(pipeline: Pipeline, view: View) -> Json:
    """Return the member `source_pipeline`, which only downstream pipelines have."""
    bridge = pipeline.upstream
    if bridge is None:
        return {}
    project = bridge.project
    return {
        "source_pipeline": {
            "project": {
                "id": project.id,
                "web_url": view.project(project)["web_url"],
                "path_with_namespace": project.path,
            },
            "job_id": bridge.id,
            "pipeline_id": bridge.pipeline.id,
        }
    }


def merge_request(pipeline: Pipeline, view: View) -> Json | None:
    """Return the merge request that a pipeline runs for."""
    row, project = pipeline.merge_request, pipeline.project
    if row is None:
        return None
    url = view.project(project)["web_url"]
    return {
        "id": row.id,
        "iid": row.iid,
        "title": row.title,
        "source_branch": row.source_branch,
        "source_project_id": project.id,
        "target_branch": row.target_branch,
        "target_project_id": project.id,
        "state": row.state,
        "merge_status": "can_be_merged",
        "detailed_merge_status": "mergeable",
        "url": f"{url}/-/merge_requests/{row.iid}",
    }
