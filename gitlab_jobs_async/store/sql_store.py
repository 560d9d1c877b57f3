"""Run the transactions of a store on an SQL database."""

import asyncio
from abc import abstractmethod
from collections.abc import Sequence
from math import inf
from typing import TypeVar
from uuid import uuid4

from gitlab_jobs_async.errors import FencedError, StoreError
from gitlab_jobs_async.store import (
    consumer_groups,
    forwarded_hooks,
    leases,
    request_grants,
    states,
    steps,
)
from gitlab_jobs_async.store.grant_values import GrantRequest, Grants, LastAnswer, Refusal
from gitlab_jobs_async.store.protocol import Store
from gitlab_jobs_async.store.steps import Transaction
from gitlab_jobs_async.store.values import (
    Batch,
    Content,
    Lease,
    Shard,
    StoredEvent,
    Unread,
    route_of,
)

T = TypeVar("T")


def lease_seconds_of(seconds: float) -> float:
    """Return the time of a lease in seconds.

    Raises:
        ValueError: it is too short to be renewed in time, or not finite.
    """
    if not 1 <= seconds < inf:
        raise ValueError(f"invalid lease_seconds {seconds!r}: expected a number from 1 on")
    return seconds


class SqlStore(Store):
    """A store on an SQL database; a subclass runs the transactions."""

    is_steady = False
    """Whether the steady clock of the store is never set."""

    def __init__(self) -> None:
        self._users = 0
        self._opening = asyncio.Lock()

    async def open(self, server: str | None = None) -> None:
        """Connect, and create what is missing; each `open` needs a `close`.

        Raises:
            StoreError: it is unusable, of a newer version, or about another GitLab. It is left
                unchanged.
        """
        async with self._opening:
            try:
                if not self._users:
                    await self._open()
                if server is not None:
                    await self._check_server(server)
            except BaseException:
                if not self._users:
                    await self._close()
                raise
            self._users += 1

    async def close(self) -> None:
        """Disconnect with the last user; do nothing if the store is not open."""
        self._users = max(0, self._users - 1)
        if not self._users:
            await self._close()

    @abstractmethod
    async def _open(self) -> None:
        """Connect, and create what is missing.

        Raises:
            StoreError: it is unusable; it is left unchanged.
        """

    @abstractmethod
    async def _close(self) -> None:
        """Disconnect, also after an `_open` that failed."""

    @abstractmethod
    async def _run(self, transaction: Transaction[T]) -> T:
        """Run *transaction*, and return its result; on an error nothing is changed.

        Raises:
            FencedError: for a `NotOwnerError`.
        """

    async def _run_long(self, transaction: Transaction[T]) -> T:
        """Run a transaction that reads or deletes much."""
        return await self._run(transaction)

    async def _check_server(self, server: str) -> None:
        """Record that the store is about *server*.

        Raises:
            StoreError: it is about another one.
        """
        recorded = await self._run(steps.set_property("server", server))
        if recorded != server:
            raise StoreError(self.name, f"belongs to another server: {recorded}")

    async def server(self) -> str | None:
        """Return the URL of the GitLab that the store is about, None if none is known."""
        return await self._run(steps.get_property("server"))

    async def claim(self, name: str, owner: str, seconds: float) -> Lease | None:
        """Take or renew the lease *name* for *seconds*; return None while another owner has it."""
        return await self._run(leases.claim(name, owner, seconds))

    async def release(self, lease: Lease) -> None:
        """Give up *lease*, so that another owner may take it at once."""
        await self._run(leases.release(lease))

    async def owners(self, prefix: str) -> list[str]:
        """Return the names of leases that start with *prefix* and are held."""
        return await self._run(leases.owners(prefix))

    async def load(self, lease: Lease, shard: Shard) -> Content:
        """Return the states and log offsets that were recorded for *shard*.

        It takes several transactions; in between, only the owner of the lease can write.
        """
        version, offsets, last = await self._run_long(states.load_offsets(lease, shard))
        loaded: dict[str, bytes] = {}
        routes: dict[str, int] = {}
        after = ""
        while True:
            again, rows = await self._run_long(states.load_states(lease, shard, after))
            if again != version:
                raise FencedError(self.name, "the store was set back")
            if not rows:
                break
            loaded |= {name: state for name, _, state in rows}
            routes |= {name: r for name, r, _ in rows if r is not None and r != route_of(name)}
            after = rows[-1][0]
        lease.version = version
        return Content(loaded, offsets, routes, last)

    async def pending(
        self, lease: Lease, shard: Shard, after: int, limit: int
    ) -> Sequence[StoredEvent]:
        """Return the next pending events of *shard* after the place *after*, at most *limit*."""
        return await self._run_long(states.pending(lease, shard, after, limit))

    async def record(self, lease: Lease, batch: Batch) -> None:
        """Write *batch*. An event whose key is recorded already is skipped."""
        lease.version = await self._run(states.record(lease, batch))

    async def join(self, group: str) -> None:
        """Register a consumer group, which begins with the oldest event that is kept."""
        await self._run(consumer_groups.join(group))

    async def leave(self, group: str) -> bool:
        """Forget a consumer group; return whether it was registered."""
        return await self._run(consumer_groups.leave(group))

    async def read(self, group: str, after: int, limit: int) -> Unread:
        """Return the group's next events after the place *after*, at most *limit* of them."""
        return await self._run(consumer_groups.read(group, after, limit))

    async def acknowledge(self, lease: Lease, group: str, place: int, missed: int = 0) -> None:
        """Note that the group has processed the events up to *place*, and has heard of *missed*."""
        lease.version = await self._run(consumer_groups.acknowledge(lease, group, place, missed))

    async def prune(self, seconds: float) -> int:
        """Delete events that all groups have processed, and all older than *seconds*."""
        return await self._run_long(consumer_groups.prune(seconds))

    async def grant(self, requests: Sequence[GrantRequest], last: LastAnswer | None) -> Grants:
        """Grant requests to GitLab, over all processes never more than allowed in any minute."""
        new = uuid4().hex
        grant = request_grants.grant(requests, last, new, is_steady=self.is_steady)
        return await self._run(grant)

    async def refuse(self, refusal: Refusal) -> None:
        """Share a pause that GitLab has asked for."""
        await self._run(request_grants.refuse(refusal))

    async def resume(self, kind: str) -> None:
        """Share that GitLab accepts requests of *kind* again."""
        await self._run(request_grants.resume(kind))

    async def send_hook(self, hook: bytes) -> None:
        """Forward a webhook to the process that monitors its project."""
        await self._run(forwarded_hooks.send(hook))

    async def hooks(self, after: int | None) -> tuple[int, list[bytes]]:
        """Return the last place, and the webhooks forwarded after the place *after*."""
        return await self._run(forwarded_hooks.receive(after))
