"""A checkpoint that somebody has edited is refused by name, and ends in no other error."""

import sqlite3

import pytest

from gitlab_jobs_async import CheckpointError, GitLab, PipelineTarget
from gitlab_jobs_async.monitor.checkpoint.outbox import Outbox
from gitlab_jobs_async.monitor.checkpoint.protocol import MemoryCheckpoint
from gitlab_jobs_async.monitor.poller import FOUND, Poller

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
async def test_what_was_edited_is_refused(gitlab, tmp_path, edit):
    path = tmp_path / "ci.db"
    await first_event(gitlab, path)
    edited = sqlite3.connect(path)
    edited.execute(edit)
    edited.commit()
    edited.close()
    with pytest.raises(CheckpointError, match=r"ci\.db"):
        await first_event(gitlab, path)


async def test_what_bridges_led_to_is_not_remembered_for_ever(gitlab: GitLab):
    checkpoint = MemoryCheckpoint()
    for number in range(1, 11_001):
        checkpoint.record(f"{FOUND}1 {number}", b'{"jobs":[],"is_over":true}', ())
    outbox = Outbox(checkpoint)
    rounds = Poller(
        gitlab._transport,
        gitlab._capabilities,
        gitlab._schedule,
        outbox,
        checkpoint.states(),
        downstream=True,
    )
    rounds.resume()
    assert len(rounds) == 0
    assert len(rounds._states) == len(checkpoint.states()) == 10_000
    rounds.add(PipelineTarget(1, 11_000), f"{FOUND}1 11000")
    assert len(rounds) == 0
