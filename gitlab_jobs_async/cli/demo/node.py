"""One process of `demo --nodes`: a monitor of shards, until it is killed."""

import asyncio
import json
import sys

from attrs import asdict, frozen

from gitlab_jobs_async.client import GitLab
from gitlab_jobs_async.clock import SystemClock
from gitlab_jobs_async.ratelimit.budget import RequestBudget
from gitlab_jobs_async.store import store_named

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


async def monitor(task: NodeTask) -> None:
    """Monitor the projects, and print the numbers of the shards whenever they change."""
    store, clock = store_named(task.store), SystemClock()
    budget = RequestBudget(per_minute=task.per_minute, shared=store)
    async with (
        GitLab(task.url, auth=task.token, budget=budget) as gitlab,
        gitlab.monitor(task.projects, checkpoint=store, shards=task.shards) as events,
    ):

        async def report() -> None:
            shown: frozenset[int] | None = None
            while True:
                if events.shards != shown:
                    shown = events.shards
                    sys.stdout.write(json.dumps(sorted(shown)) + "\n")
                    sys.stdout.flush()
                await clock.sleep(_REPORT_SECONDS)

        reports = asyncio.create_task(report())
        try:
            async for _ in events:
                pass
        finally:
            reports.cancel()


if __name__ == "__main__":
    asyncio.run(monitor(NodeTask(**json.loads(sys.stdin.readline()))))
