"""One process of the benchmark `replicas`: a monitor of shards with a clock of its own.

It reports what it holds, writes that were fenced, and how long its loop was blocked.
"""

import asyncio
import json
import logging
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from attrs import define, field, frozen

from gitlab_jobs_async import GitLab, PostgresStore, RequestBudget, SqliteStore
from gitlab_jobs_async.cli.demo.node import NodeTask, monitor, write_report
from gitlab_jobs_async.clock import SystemClock
from gitlab_jobs_async.errors import FencedError
from gitlab_jobs_async.monitor.monitor import Monitor
from gitlab_jobs_async.store.values import Batch, Lease

_BEAT = 0.01
_BLOCKED = 0.05


@frozen
class ReplicaTask(NodeTask):
    """A node whose clock is *ahead* by seconds, and gains *drift* seconds in each second.

    It reaches GitLab at a *port* of the loopback.
    """

    port: int
    lease_seconds: float
    ahead: float
    drift: float


class SkewedClock(SystemClock):
    """The system's clock, set wrongly, and too fast or too slow."""

    def __init__(self, ahead: float, drift: float) -> None:
        super().__init__()
        self._start = super().now()
        self._ahead = ahead
        self._rate = 1 + drift

    def now(self) -> float:
        """Return wrong unix seconds."""
        passed = super().now() - self._start
        return self._start + self._ahead + passed * self._rate

    async def sleep(self, seconds: float) -> None:
        """Wait until *seconds* of this clock have passed."""
        await super().sleep(seconds / self._rate)


class _To(AbstractResolver):
    """Resolves every name to a port of the loopback: all nodes name GitLab alike."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def resolve(
        self,
        host: str,
        port: int = 0,  # noqa: ARG002 - of the interface
        family: socket.AddressFamily = socket.AF_INET,
    ) -> list[ResolveResult]:
        """Return the one address."""
        return [
            ResolveResult(
                hostname=host,
                host="127.0.0.1",
                port=self._port,
                family=family,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
        ]

    async def close(self) -> None:
        """Do nothing."""


@define(eq=False)
class Counts:
    """Report what this node holds, and what went wrong so far."""

    fenced: int = 0
    blocks: list[float] = field(factory=list[float])
    _shown: Any = None

    def write(self, events: Monitor) -> None:
        """Report if something has changed."""
        status = {
            "shards": sorted(events.shards),
            "unscanned": events.status().unscanned,
            "fenced": self.fenced,
            "blocks": self.blocks,
        }
        if status != self._shown:
            write_report(status)
            self._shown = status | {"blocks": list(self.blocks)}


class _CountedStore:
    """Counts the writes that are fenced."""

    counts: Counts

    async def record(self, lease: Lease, batch: Batch) -> None:
        """Write *batch*."""
        try:
            await super().record(lease, batch)  # type: ignore[misc]
        except FencedError:
            self.counts.fenced += 1
            raise


class _Sqlite(_CountedStore, SqliteStore):
    pass


class _Postgres(_CountedStore, PostgresStore):
    pass


class Heartbeat:
    """Measures how long the loop of this process was blocked.

    Time in which the system ran other processes, or had stopped this one, does not count.
    """

    def __init__(self) -> None:
        self._was_stopped = False
        signal.signal(signal.SIGCONT, self._stopped)

    async def beat(self) -> float:
        """Wait for a moment; return the seconds for which the loop was blocked meanwhile."""
        self._was_stopped = False
        began, waited = time.monotonic(), runnable()
        await asyncio.sleep(_BEAT)
        passed = time.monotonic() - began - _BEAT - (runnable() - waited)
        return 0.0 if self._was_stopped else passed

    def _stopped(self, *_: object) -> None:
        self._was_stopped = True


def runnable() -> float:
    """Return the seconds for which the main thread has waited for a core.

    https://docs.kernel.org/scheduler/sched-stats.html
    """
    return int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e9


async def run(task: ReplicaTask) -> None:
    """Monitor until this process is killed, or leave with an interrupt."""
    counts, clock, heart = Counts(), SkewedClock(task.ahead, task.drift), Heartbeat()
    store: _Sqlite | _Postgres
    if task.store.startswith("postgresql:"):
        store = _Postgres(task.store, lease_seconds=task.lease_seconds)
    else:
        store = _Sqlite(task.store, lease_seconds=task.lease_seconds, clock=clock)
    store.counts = counts

    async def report(events: Monitor) -> None:
        while True:
            blocked = await heart.beat()
            if blocked > _BLOCKED:
                counts.blocks.append(round(blocked, 3))
            counts.write(events)

    budget = RequestBudget(per_minute=task.per_minute, shared=store)
    connector = TCPConnector(resolver=_To(task.port))
    async with ClientSession(connector=connector) as session:
        client = GitLab(task.url, auth=task.token, budget=budget, clock=clock, session=session)
        await monitor(client, task, store, report)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format=f"%(asctime)s {os.getpid()} %(message)s")
    asyncio.run(run(ReplicaTask(**json.loads(sys.stdin.readline()))))
