"""What the demo does, step by step, with the SDK as any program would use it.

Each step finds what it needs by asking the server, and returns what came of it in one line; it
raises where that is not what the step is there to show.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from attrs import frozen

from gitlab_jobs_async.aio.clock import Clock
from gitlab_jobs_async.cli.demo_screen import DemoScreen
from gitlab_jobs_async.cli.failures import CommandError
from gitlab_jobs_async.cli.rows import Listed, length, pipeline_of
from gitlab_jobs_async.cli.tables import jobs_table
from gitlab_jobs_async.client import GitLab
from gitlab_jobs_async.models import Job, JobBasic
from gitlab_jobs_async.project import Project
from gitlab_jobs_async.statuses import JobStatus

_LOOK_EVERY = 4.0
"""Seconds, of the simulated clock, between two looks at a job that is waited for."""

_NEWEST = 6

J = TypeVar("J", bound=JobBasic)


@frozen
class Scene:
    """Who acts, by which clock, before whose eyes, and on which projects."""

    gitlab: GitLab
    clock: Clock
    screen: DemoScreen
    projects: Sequence[str]

    @property
    def now(self) -> datetime:
        """The time on the simulated GitLab."""
        return datetime.fromtimestamp(self.clock.now(), UTC)


async def list_everything(scene: Scene) -> str:
    """All jobs of all projects, fetched side by side."""
    with scene.screen.working("listing"):
        found = await scene.gitlab.list_jobs(scene.projects)
    scene.screen.projects({str(project): jobs for project, jobs in found.items()})
    for project, jobs in found.items():
        _must(bool(jobs), f"no job is listed in {project}")
    listed = [(str(project), job) for project, jobs in found.items() for job in jobs]
    newest = sorted(listed, key=lambda one: one[1].id, reverse=True)[:_NEWEST]
    scene.screen.table(f"the newest {len(newest)}", jobs_table(newest, scene.now))
    pipelines = {pipeline_of(job) for _, job in listed}
    return f"{len(listed)} jobs, {len(pipelines)} pipelines, {len(found)} projects"


async def follow_log(scene: Scene) -> str:
    """The log of a running job as it grows, until the job has ended."""
    project = scene.gitlab.project("shop/checkout")
    job = _named(await project.list_jobs(scope="running"), "end-to-end")
    lines = 0
    with scene.screen.log(f"{project.id} · {job.name} · job {job.id}") as show:
        async for line in project.tail(job.id):
            show(line)
            lines = line.number
    _must(lines > 0, f"the log of job {job.id} has no line")
    ended = _succeeded(await project.get_job(job.id))
    return f"{lines} lines, job {job.id} {ended.status} after {length(ended.duration)}"


async def retry_failed(scene: Scene) -> str:
    """A failed job runs again under a new id."""
    project = scene.gitlab.project("shop/payments")
    failed = _named(await project.list_jobs(scope="failed"), "contract")
    again = await project.retry_job(failed.id)
    _must(again.id != failed.id, f"the retry of job {failed.id} is no job of its own")
    scene.screen.note(f"job {failed.id} {failed.name} had failed; its retry is job {again.id}")
    ended = _succeeded(await _until_ended(scene, project, again))
    return f"job {failed.id} is now {again.id}: {ended.status} after {length(ended.duration)}"


async def play_manual(scene: Scene) -> str:
    """A manual job starts, with a variable of its own."""
    project = scene.gitlab.project("infra/deploy")
    manual = _named(await project.list_jobs(scope="manual"), "deploy production")
    await project.play_job(manual.id, variables={"RELEASE": "2025.24"})
    scene.screen.note(f"job {manual.id} {manual.name} is played with RELEASE=2025.24")
    ended = _succeeded(await _until_ended(scene, project, manual))
    return f"job {manual.id}: {ended.status} after {length(ended.duration)}"


async def show_child(scene: Scene) -> str:
    """A trigger job and the jobs of the pipeline that it made."""
    project = scene.gitlab.project("infra/deploy")
    parent = _named(await project.list_jobs(), "deploy production").pipeline
    if parent is None:
        raise LookupError("the job names no pipeline")
    bridge = _named(await project.list_bridges(parent.id), "trigger images")
    child = bridge.downstream_pipeline
    if child is None:
        raise LookupError(f"bridge {bridge.id} has no downstream pipeline")
    home = scene.gitlab.project(child.project_id or project.id)
    jobs = await home.list_pipeline_jobs(child.id)
    _must(bool(jobs), f"pipeline {child.id} has no jobs")
    scene.screen.note(
        f"pipeline {parent.id} → bridge {bridge.id} {bridge.name} → pipeline {child.id}"
    )
    listed: list[Listed] = [(str(project.id), job) for job in jobs]
    scene.screen.table("", jobs_table(listed, scene.now))
    states = Counter(str(job.status) for job in jobs)
    said = ", ".join(f"{count} {status}" for status, count in states.items())
    return f"bridge {bridge.id} made pipeline {child.id}: {said}"


def _must(holds: bool, otherwise: str) -> None:  # noqa: FBT001 - a claim and what is said without it
    if not holds:
        raise CommandError(otherwise)


def _succeeded(job: Job) -> Job:
    _must(job.status == JobStatus.SUCCESS, f"job {job.id} {job.name} ended {job.status}")
    return job


def _named(jobs: Iterable[J], name: str) -> J:
    for job in jobs:
        if job.name == name:
            return job
    raise LookupError(f"there is no job {name!r} to show")


async def _until_ended(scene: Scene, project: Project, job: Job) -> Job:
    seen = job
    with scene.screen.working(f"job {job.id}") as say:
        while not seen.status.is_finished:
            await scene.clock.sleep(_LOOK_EVERY)
            seen = await project.get_job(job.id)
            say(f"job {job.id} {job.name}: {seen.status} {length(seen.duration)}")
    return seen
