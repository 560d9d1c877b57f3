"""Hold shards of a store: claim those that are free, renew the leases, and share them fairly.

A process has at most its part of all shards: their number divided by the number of processes. Each
process is known by a lease of its own.
"""

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from math import ceil
from uuid import uuid4

from attrs import define, field

from gitlab_jobs_async.concurrency import task_pool
from gitlab_jobs_async.errors import FencedError, StoreAwayError, StoreError
from gitlab_jobs_async.monitor.checkpoint.shard_record import ShardRecord
from gitlab_jobs_async.store.protocol import Store
from gitlab_jobs_async.store.values import Content, Lease, Shard

_NODE = "node "
_log = logging.getLogger("gitlab_jobs_async")


@define(eq=False, repr=False)
class ShardLeases:
    """The leases of this process on *count* shards of *store*.

    *gained* is called with the content of each shard that comes, *closing* before one is given up,
    and *lost* after one went.
    """

    _store: Store
    _count: int
    _gained: Callable[[ShardRecord, Content], Awaitable[None]]
    _closing: Callable[[int], Awaitable[None]]
    _lost: Callable[[int], None]
    owner: str = field(factory=lambda: uuid4().hex, init=False)
    held: dict[int, Lease] = field(factory=dict[int, Lease], init=False)
    done: set[int] = field(factory=set[int], init=False)
    is_away: bool = field(default=False, init=False)
    _node: Lease | None = field(default=None, init=False)

    async def tend(self) -> None:
        """Renew what is held, and claim or give up shards until the part is fair.

        Raises:
            StoreError: the store is unusable; if it only does not answer, all shards are lost.
        """
        try:
            await self._tend()
        except StoreAwayError as error:
            if not self.is_away:
                _log.warning("%s; nothing is monitored until it answers", error)
            self.is_away = True
            for number in list(self.held):
                self.lose(number)
        else:
            if self.is_away:
                _log.info("store %s answers again", self._store.name)
            self.is_away = False

    def lose(self, number: int) -> None:
        """Give up a shard without a word to the store, which may not answer."""
        if self.held.pop(number, None) is not None:
            self._lost(number)

    async def release(self, number: int) -> None:
        """Give up a shard, so that another process may take it at once.

        Raises:
            StoreError: what is to be recorded cannot be; the lease expires then.
        """
        lease = self.held.get(number)
        if lease is None:
            return
        try:
            with suppress(FencedError):
                await self._closing(number)
        finally:
            self.lose(number)
            # Also after a failed write: what it had to record is detected again elsewhere.
            with suppress(StoreError):
                await self._store.release(lease)

    async def close(self) -> None:
        """Give up all shards.

        Raises:
            StoreError: what is to be recorded cannot be; the leases expire then.
        """
        for number in list(self.held):
            await self.release(number)
        if self._node is not None:
            await self._store.release(self._node)

    async def _tend(self) -> None:
        seconds = self._store.lease_seconds
        await self._renew(seconds)
        part = self._count if self._count == 1 else await self._fair_part(seconds)
        for number in list(self.held)[part:]:
            await self.release(number)
        # Processes that start at once begin with different shards.
        first = int(self.owner[:8], 16)
        for offset in range(self._count):
            number = (first + offset) % self._count
            if len(self.held) >= part:
                break
            if number not in self.held and number not in self.done:
                await self._claim(Shard(number, self._count), seconds)

    async def _renew(self, seconds: float) -> None:
        for number, lease in list(self.held.items()):
            renewed = await self._store.claim(lease.name, self.owner, seconds)
            if renewed is None or renewed.epoch != lease.epoch:
                self.lose(number)

    async def _claim(self, shard: Shard, seconds: float) -> None:
        lease = await self._store.claim(shard.lease_name, self.owner, seconds)
        if lease is None:
            return
        # Before its content is read: also given up if that is cancelled.
        self.held[shard.number] = lease
        try:
            await self._take(lease, shard, seconds)
        except FencedError:
            self.lose(shard.number)
        except StoreAwayError:
            raise
        except StoreError:
            await self.release(shard.number)
            raise

    async def _take(self, lease: Lease, shard: Shard, seconds: float) -> None:
        """Read the content of a shard and begin with it, which may outlast a lease.

        Raises:
            FencedError: the lease was lost meanwhile.
        """
        async with task_pool() as tasks:
            tasks.start("shard", self._begin(lease, shard))
            tasks.start("leases", self._keep(seconds))
            _, ended = await tasks.next_done()
            ended.result()

    async def _begin(self, lease: Lease, shard: Shard) -> None:
        content = await self._store.load(lease, shard)
        if self.held.get(shard.number) is not lease:
            raise FencedError(self._store.name, "the lease was lost while the shard was loaded")
        await self._gained(ShardRecord(self._store, lease, shard, dict(content.routes)), content)

    async def _keep(self, seconds: float) -> None:
        """Renew all leases, until cancelled."""
        while True:
            await self._store.sleep(self._store.poll_seconds)
            await self._renew(seconds)
            if self._node is not None:
                await self._store.claim(self._node.name, self.owner, seconds)

    async def _fair_part(self, seconds: float) -> int:
        self._node = await self._store.claim(f"{_NODE}{self.owner}", self.owner, seconds)
        nodes = await self._store.owners(_NODE)
        return ceil(self._count / max(1, len(nodes)))
