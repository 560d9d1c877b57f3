"""An edited checkpoint is refused by name, with no other error."""

import sqlite3

import pytest

from gitlab_jobs_async import CheckpointError, GitLab, PipelineTarget
from gitlab_jobs_async.monitor.checkpoint.outbox import Outbox
from gitlab_jobs_async.monitor.checkpoint.protocol import MemoryCheckpoint
from gitlab_jobs_async.monitor.discovered import PREFIX
from gitlab_jobs_async.monitor.poller import Poller
from gitlab_jobs_async.monitor.schedule.shared import SharedSchedule

EDITS = [
    "UPDATE states SET state = '{broken' WHERE target LIKE 'project%'",
    "UPDATE states SET state = x'7b' WHERE target LIKE 'project%'",
    "UPDATE states SET state = 5 WHERE target LIKE 'project%'",
    "UPDATE states SET state = 'https://gitlab.other' WHERE target = 'server'",
    "INSERT INTO states VALUES ('found: a b', x'7b7d')",
    "INSERT INTO states VALUES ('found: 5', '{}')",
    "INSERT INTO states VALUES ('found: 0 -1', '{}')",
    "INSERT INTO states VALUES ('log of job 5', '{')",
    "INSERT INTO untold (key, event) VALUES ('k', '{broken')",
    "INSERT INTO untold (key, event) VALUES ('k', '{\"_class\":\"JobTeleported\"}')",
]


async def first_event(gitlab, path):
    async with gitlab.monitor(["group/app"], checkpoint=path, logs=True, downstream=True) as events:
        return [await anext(events) for _ in range(5)]


@pytest.mark.parametrize("edit", EDITS)
async def test_edited_checkpoint_is_refused(gitlab, tmp_path, edit):
    path = tmp_path / "ci.db"
    await first_event(gitlab, path)
    edited = sqlite3.connect(path)
    edited.execute(edit)
    edited.commit()
    edited.close()
    with pytest.raises(CheckpointError, match=r"ci\.db"):
        await first_event(gitlab, path)


async def test_finished_downstream_is_bounded(gitlab: GitLab):
    """Build the poller alone: a monitor would need 11,000 finished pipelines."""
    checkpoint = MemoryCheckpoint()
    for number in range(1, 11_001):
        checkpoint.record(f"{PREFIX}1 {number}", b'{"jobs":[],"is_over":true}', ())
    poller = Poller(
        gitlab._transport,
        gitlab._capabilities,
        SharedSchedule(1),
        Outbox(checkpoint),
        checkpoint.states(),
        downstream=True,
        complete=False,
        polls=gitlab._polls,
    )
    poller.resume()
    assert len(poller) == 0
    assert len(checkpoint.states()) == 10_000
    poller.add(PipelineTarget(1, 11_000), f"{PREFIX}1 11000")
    assert len(poller) == 0
    poller.add(PipelineTarget(1, 1), f"{PREFIX}1 1")
    assert len(poller) == 1
