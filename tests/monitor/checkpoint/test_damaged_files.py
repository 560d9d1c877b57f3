"""An edited checkpoint is refused by name, with no other error."""

import asyncio
import sqlite3

import pytest

from gitlab_jobs_async import GitLab, MemoryStore, PipelineTarget, StoreError
from gitlab_jobs_async.monitor.discovered import PREFIX
from gitlab_jobs_async.monitor.poller import Poller
from gitlab_jobs_async.monitor.schedule.shared import SharedSchedule
from gitlab_jobs_async.monitor.target_index import TargetIndex
from tests.support.stores import content, fill, outbox_of

EDITS = [
    "UPDATE states SET state = '{broken' WHERE name LIKE 'project%'",
    "UPDATE states SET state = x'7b' WHERE name LIKE 'project%'",
    "UPDATE states SET state = 5 WHERE name LIKE 'project%'",
    "UPDATE properties SET value = 'https://gitlab.other' WHERE name = 'server'",
    "INSERT INTO states VALUES ('found: a b', 0, x'7b7d')",
    "INSERT INTO states VALUES ('found: 5', 0, '{}')",
    "INSERT INTO states VALUES ('found: 0 -1', 0, '{}')",
    "INSERT INTO states VALUES ('log of job 5', 0, '{')",
    "INSERT INTO events VALUES (99, 'k', 0, '{broken', 0, 1)",
    "INSERT INTO events VALUES (99, 'k', 0, '{\"type\":\"JobTeleported\"}', 0, 1)",
]


async def first_event(gitlab, path):
    async with gitlab.monitor(["group/app"], checkpoint=path, logs=True, downstream=True) as events:
        return [await anext(events) for _ in range(5)]


async def every_event(gitlab, path):
    """Read on: some events may come before the edited one."""
    how = {"checkpoint": path, "logs": True, "downstream": True}
    async with asyncio.timeout(10), gitlab.monitor(["group/app"], **how) as events:
        async for _ in events:
            pass


@pytest.mark.parametrize("edit", EDITS)
async def test_edited_checkpoint_is_refused(gitlab, tmp_path, edit):
    path = tmp_path / "ci.db"
    await first_event(gitlab, path)
    edited = sqlite3.connect(path)
    edited.execute(edit)
    edited.commit()
    edited.close()
    with pytest.raises(StoreError, match=r"ci\.db"):
        await every_event(gitlab, path)


async def test_finished_downstream_is_bounded(gitlab: GitLab):
    """Build the poller alone: a monitor would need 11,000 finished pipelines."""
    store = MemoryStore()
    over = b'{"jobs":[],"is_over":true}'
    await fill(store, {f"{PREFIX}1 {number}": over for number in range(1, 11_001)})
    held = await content(store)
    outbox = await outbox_of(store)
    poller = Poller(
        gitlab._transport,
        gitlab._capabilities,
        SharedSchedule(1),
        outbox,
        held.states,
        downstream=True,
        complete=False,
        polls=gitlab._polls,
        targets=TargetIndex(),
    )
    list(poller.resuming())
    assert len(poller) == 0
    await outbox.flush()
    assert len((await content(store)).states) == 10_000
    poller.add(PipelineTarget(1, 11_000), f"{PREFIX}1 11000")
    assert len(poller) == 0
    poller.add(PipelineTarget(1, 1), f"{PREFIX}1 1")
    assert len(poller) == 1
