"""Cancel each operation after any number of turns of the loop: nothing is left of it."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from attrs import evolve

from gitlab_jobs_async import GitLab, GitLabError, PollPolicy
from gitlab_jobs_async.simulator import Fault, Simulator, SimulatorSettings
from tests.support.connections import open_connections
from tests.support.tasks import others

MOST_TURNS = 300


async def read(stream):
    async with stream as chunks:
        return [chunk async for chunk in chunks]


async def iterate(rows):
    return [row async for row in rows]


def names_in(folder):
    return list(Path(folder).iterdir())


async def download(gitlab):
    with TemporaryDirectory() as folder:
        try:
            await gitlab.project(1).download_artifacts(1, Path(folder) / "a.zip")
        except BaseException:
            assert names_in(folder) == []
            raise


OPERATIONS = {
    "get_job": lambda gitlab: gitlab.project(1).get_job(1),
    "graphql": lambda gitlab: gitlab.graphql("{ metadata { version } }"),
    "retry_job": lambda gitlab: gitlab.project(1).retry_job(3),
    "moved": lambda gitlab: gitlab.project("group/old").get_job(1),
    "list_jobs": lambda gitlab: gitlab.list_jobs(["group/app", "big"]),
    "stream_jobs": lambda gitlab: read(gitlab.stream_jobs(["group/app", "big"])),
    "iter_jobs": lambda gitlab: iterate(gitlab.project("big").iter_jobs()),
    "list_pipeline_jobs": lambda gitlab: gitlab.project("big").list_pipeline_jobs(2),
    "walk_pipeline": lambda gitlab: gitlab.project("group/app").walk_pipeline(1),
    "list_timelines": lambda gitlab: gitlab.project("group/app").list_timelines(1),
    "follow_timelines": lambda gitlab: iterate(gitlab.project("big").follow_timelines(2)),
    "wait_for_job": lambda gitlab: gitlab.project(1).wait_for_job(
        2, timeout=None, polling=PollPolicy(interval=400, max_interval=800)
    ),
    "wait_for_pipeline": lambda gitlab: gitlab.project("big").wait_for_pipeline(2, progress=print),
    "list_projects": lambda gitlab: gitlab.group("group").list_projects(),
    "iter_projects": lambda gitlab: iterate(gitlab.group("group").iter_projects()),
    "list_pipelines": lambda gitlab: gitlab.project("big").list_pipelines(),
    "stream_trace": lambda gitlab: read(gitlab.project(1).stream_trace(1)),
    "stream_artifacts": lambda gitlab: read(gitlab.project(1).stream_artifacts(1)),
    "stream_latest_artifacts": lambda gitlab: read(
        gitlab.project(1).stream_latest_artifacts("main", job="compile")
    ),
    "download_artifacts": download,
    "get_latest_artifact_file": lambda gitlab: gitlab.project(1).get_latest_artifact_file(
        "main", "a", job="compile"
    ),
}
FAULTS = {
    "none": [],
    "some": [Fault.throttled(), Fault(reset="within", skip=1), Fault(status=500, skip=2)],
    "fatal": [Fault(status=404, body=b"x" * 100_000)],
}


async def cancelled_after(turns, operation, gitlab):
    """Return whether it ended before the cancellation."""
    task = asyncio.ensure_future(operation(gitlab))
    for _ in range(turns):
        await asyncio.sleep(0)
    was_done = task.done()
    task.cancel()
    (ended,) = await asyncio.gather(task, return_exceptions=True)
    if not was_done:
        assert isinstance(ended, asyncio.CancelledError)
    elif isinstance(ended, BaseException):
        assert isinstance(ended, GitLabError)
    return was_done


@pytest.mark.parametrize("faults", FAULTS)
@pytest.mark.parametrize("name", OPERATIONS)
async def test_cancelled_at_any_turn_leaves_nothing(clock, name, faults):
    settings = SimulatorSettings(object_storage=True)
    async with Simulator(settings=settings, clock=clock) as simulator:
        world = simulator.world
        big, app = world.add_project("big"), world.project("group/app")
        world.add_finished_jobs(big, 120, per_pipeline=110)
        world.registry.redirects["group/old"] = app
        async with GitLab(
            simulator.url, auth=simulator.token, clock=clock, concurrency=2
        ) as gitlab:
            before = await others()
            for turns in range(MOST_TURNS):
                simulator.faults.clear()
                simulator.faults.add(*(evolve(fault) for fault in FAULTS[faults]))
                was_done = await cancelled_after(turns, OPERATIONS[name], gitlab)
                assert await others() == before
                usage = gitlab.budget.snapshot()
                assert (usage.in_flight, usage.streams, usage.waiting) == (0, 0, 0)
                assert open_connections(gitlab) == 0
                if was_done:
                    break
            assert was_done
            simulator.faults.clear()
            assert (await gitlab.project(1).get_job(1)).id == 1
