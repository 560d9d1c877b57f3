"""One process of test_replicas.py in chaos: a monitor of shards, until it is killed."""

import asyncio
import json
import sys
import time

from attrs import frozen

from gitlab_jobs_async import GitLab, PostgresStore, RequestBudget, SqliteStore
from gitlab_jobs_async.cli.demo.node import NodeTask, monitor
from gitlab_jobs_async.simulator import AcceleratedClock


@frozen
class Errand(NodeTask):
    """A node whose clock runs *factor* times as fast from *origin* on."""

    factor: float
    start: float
    origin: float

    @property
    def is_local(self):
        """Whether the store's time is that of the simulated GitLab; a database has its own."""
        return not self.store.startswith("postgresql:")

    def named_store(self):
        """Return the store; a lease lasts for two seconds of real time."""
        if self.is_local:
            return SqliteStore(self.store, lease_seconds=2 * self.factor, clock=self.clock())
        return PostgresStore(self.store, lease_seconds=2)

    def clock(self):
        passed = time.monotonic() - self.origin
        return AcceleratedClock(self.factor, start=self.start + passed * self.factor)


async def run(errand: Errand) -> None:
    """Monitor the projects until this process is killed."""
    store, clock = errand.named_store(), errand.clock()
    shared = store if errand.is_local else None
    budget = RequestBudget(per_minute=errand.per_minute, shared=shared)
    client = GitLab(errand.url, auth=errand.token, clock=clock, budget=budget)
    await monitor(client, errand, store)


if __name__ == "__main__":
    asyncio.run(run(Errand(**json.loads(sys.stdin.readline()))))
