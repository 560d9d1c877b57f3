"""One process of `demo --nodes`: a monitor of shards, until it is killed."""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from attrs import asdict, frozen

from gitlab_jobs_async.client import GitLab
from gitlab_jobs_async.clock import SystemClock
from gitlab_jobs_async.concurrency import task_pool
from gitlab_jobs_async.monitor.monitor import Monitor
from gitlab_jobs_async.ratelimit.budget import RequestBudget
from gitlab_jobs_async.store import store_named
from gitlab_jobs_async.store.protocol import Store

_REPORT_SECONDS = 0.1


@frozen
class NodeTask:
    """The server, its projects and the store of a node."""

    url: str
    token: str
    projects: list[str]
    store: str
    shards: int
    per_minute: int

    def line(self) -> str:
        """Return the task as a line of JSON, for the node's input."""
        return json.dumps(asdict(self)) + "\n"


async def monitor(
    client: GitLab,
    task: NodeTask,
    store: Store,
    report: Callable[[Monitor], Coroutine[Any, Any, None]] | None = None,
) -> None:
    """Monitor the projects of *task* with *store*; meanwhile *report* runs with the monitor.

    This process ends at once when the process that started it has ended.
    """
    # No input follows the task but the end, also if the other process was killed.
    asyncio.get_running_loop().add_reader(sys.stdin, os._exit, 1)
    async with (
        client as gitlab,
        gitlab.monitor(task.projects, checkpoint=store, shards=task.shards) as events,
        task_pool() as tasks,
    ):
        if report is not None:
            tasks.start("report", report(events))
        async for _ in events:
            pass


def write_report(value: object) -> None:
    """Write *value* as a line of JSON to the standard output, at once."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


async def _report_shards(events: Monitor) -> None:
    clock, shown = SystemClock(), None
    while True:
        if events.shards != shown:
            shown = events.shards
            write_report(sorted(shown))
        await clock.sleep(_REPORT_SECONDS)


def _main() -> None:
    task = NodeTask(**json.loads(sys.stdin.readline()))
    store = store_named(task.store)
    budget = RequestBudget(per_minute=task.per_minute, shared=store)
    client = GitLab(task.url, auth=task.token, budget=budget)
    asyncio.run(monitor(client, task, store, _report_shards))


if __name__ == "__main__":
    _main()
