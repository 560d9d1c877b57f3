"""The stores that the tests of this room run over."""

import pytest

from gitlab_jobs_async.store.memory import MemoryStore
from gitlab_jobs_async.store.postgres import PostgresStore
from gitlab_jobs_async.store.sqlite import SqliteStore


@pytest.fixture(params=["memory", "sqlite", "postgres", "pooled"])
def new_store(request, tmp_path):
    """Return a function that returns one more store object with the same content."""
    if request.param == "memory":
        store = MemoryStore()
        return lambda: store
    if request.param == "sqlite":
        return lambda: SqliteStore(tmp_path / "ci.db")
    name = "pooled_postgres" if request.param == "pooled" else "empty_postgres"
    url = request.getfixturevalue(name)
    return lambda: PostgresStore(url)


@pytest.fixture
async def store(new_store):
    opened = new_store()
    await opened.open("https://gitlab.example.com")
    yield opened
    await opened.close()
