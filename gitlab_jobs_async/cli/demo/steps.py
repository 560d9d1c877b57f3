"""Steps of the demo, written with the SDK as any program would use it.

Each returns its result in one line, and raises if the result is missing. All but the first act
while a monitor runs, and read its events to see the effect.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeVar

from attrs import frozen

from gitlab_jobs_async.cli.demo.observed import Observed
from gitlab_jobs_async.cli.demo.screen import DemoScreen
from gitlab_jobs_async.cli.errors import CommandError
from gitlab_jobs_async.cli.views.counts import counted
from gitlab_jobs_async.cli.views.rows import pipeline_of
from gitlab_jobs_async.cli.views.times import length
from gitlab_jobs_async.client import GitLab
from gitlab_jobs_async.clock import Clock
from gitlab_jobs_async.models.jobs import Bridge, JobBasic
from gitlab_jobs_async.models.statuses import JobStatus

_PAUSE = 40.0
"""Simulated seconds that a viewer gets to see the state before an action."""

FOLLOWED = "end-to-end"

J = TypeVar("J", bound=JobBasic)


@frozen
class Scene:
    """Client, clock, screen, projects and observed state that the steps share."""

    gitlab: GitLab
    clock: Clock
    screen: DemoScreen
    projects: Sequence[str]
    observed: Observed


async def list_everything(scene: Scene) -> str:
    """List all jobs of all projects concurrently."""
    found = await scene.gitlab.list_jobs(scene.projects)
    listed = [(str(project), job) for project, jobs in found.items() for job in jobs]
    for project, jobs in found.items():
        _require(bool(jobs), f"list {project}: expected jobs")
    scene.screen.newest(listed, scene.clock.now())
    pipelines = {pipeline_of(job) for _, job in listed}
    return ", ".join(
        counted(len(some), word)
        for some, word in ((listed, "job"), (pipelines, "pipeline"), (found, "project"))
    )


async def follow_log(scene: Scene) -> str:
    """Follow the log of a running job until the job ends."""
    observed = scene.observed
    job = _named(await scene.gitlab.project("shop/checkout").list_jobs(scope="running"), FOLLOWED)
    await observed.until(lambda: job.id in observed.complete_logs)
    lines = observed.lines[job.id]
    _require(lines > 0, f"log of job {job.id}: expected lines")
    ended = _succeeded(await observed.finished(job.id))
    return f"{counted(lines, 'line')}, job {job.id} {ended.status} after {length(ended.duration)}"


async def retry_failed(scene: Scene) -> str:
    """Retry a failed job; the monitor reports the new job as its replacement."""
    observed, project = scene.observed, scene.gitlab.project("shop/payments")
    await scene.clock.sleep(_PAUSE)
    failed = _named(await project.list_jobs(scope="failed"), "contract")
    was_observed = failed.id in observed.jobs
    again = await project.retry_job(failed.id)
    scene.screen.note(f"job {failed.id} {failed.name} had failed: retried as job {again.id}")
    ended = _succeeded(await observed.finished(again.id))
    is_linked = observed.replaced.get(failed.id) == again.id
    _require(is_linked or not was_observed, f"job {again.id}: expected it to replace {failed.id}")
    return f"job {failed.id} is now {again.id}: {ended.status} after {length(ended.duration)}"


async def play_manual(scene: Scene) -> str:
    """Start a manual job with a variable."""
    project = scene.gitlab.project("infra/deploy")
    manual = _named(await project.list_jobs(scope="manual"), "deploy production")
    # After the retry, so that the viewer sees one action at a time.
    await scene.clock.sleep(2 * _PAUSE)
    await project.play_job(manual.id, variables={"RELEASE": "2025.24"})
    scene.screen.note(f"job {manual.id} {manual.name} is played with RELEASE=2025.24")
    ended = _succeeded(await scene.observed.finished(manual.id))
    return f"job {manual.id}: {ended.status} after {length(ended.duration)}"


async def see_child(scene: Scene) -> str:
    """Wait for a new trigger job and for all jobs of the child pipeline that it creates."""
    observed, project = scene.observed, scene.gitlab.project("infra/deploy")
    parent = pipeline_of(_named(await project.list_jobs(), "terraform plan"))
    # Fails at once on a server without bridges, where waiting would take the whole timeout.
    _named(await project.list_bridges(parent or 0), "trigger images")
    await observed.until(lambda: _finished_child(observed))
    bridge, pipeline, jobs = _finished_child(observed)[0]
    counts = Counter(str(job.status) for job in jobs)
    summary = ", ".join(f"{count} {status}" for status, count in counts.items())
    return f"bridge {bridge} made pipeline {pipeline}: {summary}"


def _finished_child(observed: Observed) -> list[tuple[int, int, list[JobBasic]]]:
    """Return new bridges with their pipeline and its jobs, once all of them have ended."""
    children = [
        (bridge.id, bridge.downstream_pipeline.id)
        for bridge in (observed.jobs[number] for number in observed.created)
        if isinstance(bridge, Bridge) and bridge.downstream_pipeline
    ]
    found = [
        (bridge, child, [job for job in observed.jobs.values() if pipeline_of(job) == child])
        for bridge, child in children
    ]
    return [one for one in found if one[2] and all(job.status.is_finished for job in one[2])]


def _require(condition: bool, otherwise: str) -> None:  # noqa: FBT001 - reads as an assertion
    if not condition:
        raise CommandError(otherwise)


def _succeeded(job: JobBasic) -> JobBasic:
    _require(job.status == JobStatus.SUCCESS, f"job {job.id} {job.name} ended {job.status}")
    return job


def _named(jobs: Iterable[J], name: str) -> J:
    for job in jobs:
        if job.name == name:
            return job
    raise LookupError(f"job {name!r} not found")
