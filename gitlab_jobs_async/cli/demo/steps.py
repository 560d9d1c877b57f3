"""What the demo does, with the SDK as any program would use it.

Each step returns what came of it in one line, and raises where that is not what it is there to
show. The first one lists; the others act side by side while everything is watched, and know what
has come of it by what the monitor tells.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeVar

from attrs import frozen

from gitlab_jobs_async.cli.demo.screen import DemoScreen
from gitlab_jobs_async.cli.demo.seen import Seen
from gitlab_jobs_async.cli.errors import CommandError
from gitlab_jobs_async.cli.views.rows import length, pipeline_of
from gitlab_jobs_async.client import GitLab
from gitlab_jobs_async.clock import Clock
from gitlab_jobs_async.models.jobs import Bridge, JobBasic
from gitlab_jobs_async.models.statuses import JobStatus

_PAUSE = 40.0
"""Seconds, of the simulated clock, in which a person sees what is before something is done."""

FOLLOWED = "end-to-end"

J = TypeVar("J", bound=JobBasic)


@frozen
class Scene:
    """Who acts, by which clock, before whose eyes, on which projects, and what was seen so far."""

    gitlab: GitLab
    clock: Clock
    screen: DemoScreen
    projects: Sequence[str]
    seen: Seen


async def list_everything(scene: Scene) -> str:
    """All jobs of all projects, fetched side by side."""
    found = await scene.gitlab.list_jobs(scene.projects)
    scene.screen.projects({str(project): jobs for project, jobs in found.items()})
    for project, jobs in found.items():
        _must(bool(jobs), f"no job is listed in {project}")
    listed = [job for jobs in found.values() for job in jobs]
    pipelines = {pipeline_of(job) for job in listed}
    return f"{len(listed)} jobs, {len(pipelines)} pipelines, {len(found)} projects"


async def follow_log(scene: Scene) -> str:
    """The log of a running job as it grows, until the job has ended."""
    seen = scene.seen
    job = _named(await scene.gitlab.project("shop/checkout").list_jobs(scope="running"), FOLLOWED)
    await seen.until(lambda: job.id in seen.whole_logs)
    lines = seen.lines[job.id]
    _must(lines > 0, f"the log of job {job.id} has no line")
    ended = _succeeded(await seen.ended(job.id))
    return f"{lines} lines, job {job.id} {ended.status} after {length(ended.duration)}"


async def retry_failed(scene: Scene) -> str:
    """A failed job runs again under a new id, which is told to replace the other."""
    seen, project = scene.seen, scene.gitlab.project("shop/payments")
    await scene.clock.sleep(_PAUSE)
    failed = _named(await project.list_jobs(scope="failed"), "contract")
    was_told = failed.id in seen.jobs
    again = await project.retry_job(failed.id)
    _must(again.id != failed.id, f"the retry of job {failed.id} is no job of its own")
    scene.screen.note(f"job {failed.id} {failed.name} had failed: retried as job {again.id}")
    ended = _succeeded(await seen.ended(again.id))
    is_linked = seen.replaced.get(failed.id) == again.id
    _must(is_linked or not was_told, f"job {again.id} is not told to replace job {failed.id}")
    return f"job {failed.id} is now {again.id}: {ended.status} after {length(ended.duration)}"


async def play_manual(scene: Scene) -> str:
    """A manual job starts, with a variable of its own."""
    project = scene.gitlab.project("infra/deploy")
    manual = _named(await project.list_jobs(scope="manual"), "deploy production")
    await scene.clock.sleep(2 * _PAUSE)
    await project.play_job(manual.id, variables={"RELEASE": "2025.24"})
    scene.screen.note(f"job {manual.id} {manual.name} is played with RELEASE=2025.24")
    ended = _succeeded(await scene.seen.ended(manual.id))
    return f"job {manual.id}: {ended.status} after {length(ended.duration)}"


async def see_child(scene: Scene) -> str:
    """A new trigger job, the pipeline that it makes, and the end of each of that one's jobs."""
    seen = scene.seen
    project = scene.gitlab.project("infra/deploy")
    parent = _named(await project.list_jobs(), "terraform plan").pipeline
    if parent is None:
        raise LookupError("the job names no pipeline")
    _named(await project.list_bridges(parent.id), "trigger images")
    await seen.until(lambda: _whole_child(seen))
    bridge, jobs = _whole_child(seen)[0]
    states = Counter(str(job.status) for job in jobs)
    said = ", ".join(f"{count} {status}" for status, count in states.items())
    child = bridge.downstream_pipeline
    return f"bridge {bridge.id} made pipeline {child.id if child else '?'}: {said}"


def _whole_child(seen: Seen) -> list[tuple[Bridge, list[JobBasic]]]:
    """The trigger jobs whose pipelines are known and have ended."""
    found = [
        (bridge, seen.jobs_of(bridge.downstream_pipeline.id))
        for bridge in seen.new_bridges
        if bridge.downstream_pipeline is not None
    ]
    return [
        (bridge, jobs)
        for bridge, jobs in found
        if jobs and all(job.status.is_finished for job in jobs)
    ]


def _must(holds: bool, otherwise: str) -> None:  # noqa: FBT001 - a claim and what is said without it
    if not holds:
        raise CommandError(otherwise)


def _succeeded(job: JobBasic) -> JobBasic:
    _must(job.status == JobStatus.SUCCESS, f"job {job.id} {job.name} ended {job.status}")
    return job


def _named(jobs: Iterable[J], name: str) -> J:
    for job in jobs:
        if job.name == name:
            return job
    raise LookupError(f"there is no job {name!r} to show")
