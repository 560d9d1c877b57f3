"""Connections and tasks of a store in PostgreSQL end with it, also if its end is cancelled."""

import asyncio

from gitlab_jobs_async import PostgresStore
from tests.support.tasks import others


async def test_cancelled_close_is_cancelled(empty_postgres):
    before = await others()
    store = PostgresStore(empty_postgres)
    await store.open()
    await store.wait_for_change(0.05)  # starts the task that listens
    closing = asyncio.create_task(store.close())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait([closing])
    assert closing.cancelled()
    assert await others() == before
