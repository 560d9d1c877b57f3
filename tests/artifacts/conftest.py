"""Archives of job 1 in the object storage of a simulated GitLab, with or without ranges."""

import random
from contextlib import asynccontextmanager

import pytest

from gitlab_jobs_async import GitLab
from gitlab_jobs_async.simulator import Simulator, SimulatorSettings
from gitlab_jobs_async.simulator.api.archives import pack

FILES = {"a/b.bin": random.Random(1).randbytes(400_000), "c.txt": b"c"}
STORED = "/artifacts/*"


@pytest.fixture
def serving(clock):
    """Return a context of simulator and client; the files of job 1 are `FILES`."""

    @asynccontextmanager
    async def serving(*, ranges=True, **options):
        settings = SimulatorSettings(object_storage=True, storage_ranges=ranges)
        async with (
            Simulator(clock=clock.stepped, settings=settings) as simulator,
            GitLab(simulator.url, auth=simulator.token, clock=clock, **options) as gitlab,
        ):
            simulator.world.jobs[1].artifacts = FILES
            yield simulator, gitlab

    return serving


@pytest.fixture
def archive():
    return pack(FILES)
