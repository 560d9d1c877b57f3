"""Archives of job 1 in the object storage of a simulated GitLab, with or without ranges."""

import io
import random
import warnings
import zipfile
from contextlib import asynccontextmanager

import pytest

from gitlab_jobs_async import GitLab
from gitlab_jobs_async.simulator import Fault, Simulator, SimulatorSettings
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


def zipped(*entries, compression=zipfile.ZIP_DEFLATED):
    """Return an archive of *entries*: names with content, or `ZipInfo`s with it."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", compression) as archive:
        warnings.simplefilter("ignore")  # of duplicate names
        for entry, content in entries:
            archive.writestr(entry, content)
    return buffer.getvalue()


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def special(name, mode):
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, mode << 16
    return info


@pytest.fixture
def unpacking(gitlab, simulator, tmp_path):
    """Return a function that unpacks the given archive to `build`."""

    async def unpacking(archive, **options):
        served = Fault(
            path="*/artifacts", status=200, body=archive, content_type="application/zip", times=None
        )
        simulator.faults.clear()
        simulator.faults.add(served)
        return await gitlab.project(1).unpack_artifacts(1, tmp_path / "build", **options)

    return unpacking
