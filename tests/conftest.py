"""Fixtures of all tests: a simulated GitLab, a client, and an empty environment."""

import gc
import os
import re
import sys
from pathlib import Path

import psycopg
import pytest
from coverage import Coverage
from hypothesis import settings

from gitlab_jobs_async import GitLab
from gitlab_jobs_async.simulator import Simulator
from tests.support.clocks import JumpClock
from tests.support.coverage import measured_at_first
from tests.support.pooler import pooler, pooler_program
from tests.support.postgres import binaries, postgres_server

# The duration of an example depends on how busy the machine is.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# Compiling the package takes longer than most tests, and many of them start processes.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# They measure the time of other processes, or repeat the same lines for many answers.
UNMEASURED = {Path(__file__).parent / name for name in ("benchmarks", "fuzz")}

PERSONAL = re.compile(
    r"(GITLAB|GLAB|GL|CI|XDG|PYTHON_GITLAB)_.*|(SSL_CERT|REQUESTS_CA|CURL_CA)_.*|NETRC|.*_PROXY",
    re.IGNORECASE,
)


def pytest_xdist_auto_num_workers():
    """Return one worker more than there are cores: many tests wait for processes."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(trylast=True)
def pytest_collection_finish():
    """Keep a million objects of modules and tests out of each later collection of garbage."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Run the tests marked with `no_cover`, and those of some folders, without coverage.

    Of a property, the first examples are measured: the others repeat their lines.
    """
    coverage = Coverage.current()
    if coverage is None:
        return (yield)
    if item.get_closest_marker("no_cover") is None and UNMEASURED.isdisjoint(item.path.parents):
        with measured_at_first(item, coverage):
            return (yield)
    variable = "COVERAGE_PROCESS_START"  # by which processes of the test are measured, too
    settings = os.environ.pop(variable)
    coverage.stop()
    try:
        return (yield)
    finally:
        coverage.start()
        os.environ[variable] = settings


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Remove variables that name a server, token, proxy or certificates."""
    for name in filter(PERSONAL.fullmatch, tuple(os.environ)):
        monkeypatch.delenv(name)
    return monkeypatch


@pytest.fixture
def clock():
    return JumpClock()


@pytest.fixture
async def simulator(clock):
    """Serve the default small world on a clock that only the client's waits advance."""
    async with Simulator(clock=clock.stepped) as running:
        yield running


@pytest.fixture
async def gitlab(simulator, clock):
    async with GitLab(simulator.url, auth=simulator.token, clock=clock) as client:
        yield client


@pytest.fixture
def project(gitlab):
    return gitlab.project("group/app")


@pytest.fixture(scope="session")
def postgres():
    """Return a server with a database that one worker's tests share."""
    if binaries() is None:
        assert "POSTGRES_REQUIRED" not in os.environ, "PostgreSQL is missing in CI"
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_pooler(postgres):
    """Return the URL of that database behind a pooler in transaction mode."""
    if pooler_program() is None:
        assert "POSTGRES_REQUIRED" not in os.environ, "PgBouncer is missing in CI"
        pytest.skip("PgBouncer is not installed: apt-get install pgbouncer")
    with pooler(postgres) as url:
        yield url


@pytest.fixture
def empty_postgres(postgres):
    """Return the URL of that database, without a store in it."""
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS gitlab_jobs CASCADE")
    return postgres.url


@pytest.fixture
def pooled_postgres(postgres_pooler, empty_postgres):  # noqa: ARG001 - it is emptied
    """Return the URL of the empty database behind the pooler."""
    return postgres_pooler


@pytest.fixture(params=["sqlite", "postgres"])
def store_address(request, tmp_path):
    """Return what names an empty store that processes can share."""
    if request.param == "sqlite":
        return str(tmp_path / "ci.db")
    return request.getfixturevalue("empty_postgres")
