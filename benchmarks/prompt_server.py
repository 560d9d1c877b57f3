"""The server of `prompt`, in a process of its own, and the jobs that it runs."""

import asyncio
import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from urllib.parse import unquote

from attrs import define, frozen

from gitlab_jobs_async.simulator import JobPlan, RealClock, Simulator, SimulatorSettings, World

JOBS = 8
WAYS = ("glab ci trace", "gitlab-jobs tail", "tail()", f"tail_jobs() of {JOBS}")
SPREAD = 5.0
"""Seconds over which the followers of a row begin after their jobs."""


@frozen
class Case:
    """Jobs of one length, followed in one way: those of one project, which starts *at* seconds."""

    kind: str
    length: int
    way: str
    at: float

    @property
    def project(self) -> str:
        """Path of the project that has these jobs, and no others."""
        return f"bench/{self.length}-{WAYS.index(self.way)}"


@define
class Counts:
    """Requests for one project, and the bytes of their responses."""

    requests: int = 0
    received: int = 0


def serve(pipe: Connection, rows: list[Case], settings: dict[str, bool], begin: float) -> None:
    """Be the server of another process until it asks for the counts."""

    async def run() -> None:
        world, jobs = World(time.time()), {}
        for row in rows:
            project = world.add_project(row.project)
            for number in range(JOBS):
                # Followers of one process begin together, so that their jobs must not.
                phase = SPREAD * number / JOBS if row.way == WAYS[3] else 0.0
                plan = JobPlan(queued=begin + row.at + phase - world.now, duration=row.length)
                jobs[project.path, number] = world.add_job(
                    world.add_pipeline(project), f"job {number}", plan=plan
                )
        world.settle(time.time())
        async with Simulator(world, SimulatorSettings(**settings), RealClock()) as simulator:
            pipe.send((simulator.url, {key: job.id for key, job in jobs.items()}))
            await asyncio.to_thread(pipe.recv)
            counts: dict[str, Counts] = {}
            # Requests name a project by its path or its number.
            paths = {str(project.id): project.path for project in world.projects}
            for request in simulator.requests:
                parts = request.path.split("/")
                project = unquote(parts[4]) if parts[3] == "projects" else request.path
                known = counts.setdefault(paths.get(project, project), Counts())
                known.requests += 1
                known.received += request.sent
            ends = {key: job.finished_at for key, job in jobs.items()}
            logs = {key: b"".join(job.log.read(0, job.log.size)) for key, job in jobs.items()}
            pipe.send((counts, ends, logs))

    asyncio.run(run())


@contextmanager
def server_of(
    rows: list[Case], settings: dict[str, bool], begin: float
) -> Iterator[tuple[str, dict[tuple[str, int], int], Callable]]:
    """Serve from another process; yield URL, ids of jobs, and a function that returns counts."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=serve, args=(there, rows, settings, begin))
    process.start()

    def counted() -> tuple:
        here.send("end")
        return here.recv()

    try:
        yield *here.recv(), counted
    finally:
        process.terminate()
        process.join()
