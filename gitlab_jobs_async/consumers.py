"""Read the events that monitors have recorded in a store, as one of several consumer groups."""

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from os import PathLike
from typing import Self
from uuid import uuid4

from attrs import frozen

from gitlab_jobs_async.api.json_reading import from_json
from gitlab_jobs_async.clock import yield_to_loop
from gitlab_jobs_async.concurrency import task_pool
from gitlab_jobs_async.errors import FencedError, StoreAwayError, StoreError
from gitlab_jobs_async.events import AnyEvent
from gitlab_jobs_async.store.named import store_named
from gitlab_jobs_async.store.protocol import Store
from gitlab_jobs_async.store.values import Lease, StoredEvent

_BATCH = 100
_LONGEST_NAME = 100


@frozen
class RecordedEvent:
    """An event from a store.

    Attributes:
        key: the event's key below the host of its GitLab, "gitlab.example.com/job/42/…"; the same
            whenever the event is read, and different from that of any other event.
        instance: URL of the GitLab.
        event: as a monitor emits it; its own `key` is without the host.
        missed: how many earlier events were deleted before this group had read them, since they
            were older than a week.
    """

    key: str
    instance: str
    event: AnyEvent
    missed: int = 0


class Consumer:
    """The events of a store for one group: an asynchronous iterator, which never ends.

    Asking for the next event acknowledges the one before; with PostgreSQL, together with those of
    the same second. An event is read at least once by each group, in order for each project. One
    member of a group reads at a time; the others stand by, and one of them goes on where it ends.
    A member may take any time for an event, while its loop runs.

    Raises:
        StoreError: from the iteration: the store is unusable. While it does not answer, the
            iteration waits.
    """

    def __init__(self, store: Store, group: str, instance: str) -> None:
        self._store = store
        self._group = group
        self._instance = instance
        self._owner = uuid4().hex
        self._lease: Lease | None = None
        self._renew_at = 0.0
        self._acknowledge_at = 0.0
        self._unread: deque[StoredEvent] = deque()
        self._missed = 0
        self._given: StoredEvent | None = None
        self._processed = 0
        self._acknowledged = 0
        self._missed_given = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> RecordedEvent:
        if self._given is not None:
            self._processed, self._given = self._given.place, None
        while True:
            try:
                event = await self._next()
            except FencedError:
                self._lose()
            except StoreAwayError:
                # The place is kept: it counts if no other member has read on meanwhile.
                self._renew_at = 0.0
                await self._store.sleep(self._store.poll_seconds)
            else:
                if event is not None:
                    return event

    async def keep_lease(self) -> None:
        """Renew the lease while an event is processed, until cancelled."""
        while True:
            await self._store.sleep(self._store.lease_seconds / 4)
            if self._lease is not None:
                # The result is left to the next call of `_leased`, and an error as well.
                with suppress(StoreError):
                    await self._claimed()

    async def close(self) -> None:
        """Acknowledge what was processed, and let another member of the group read on."""
        lease = self._lease
        if lease is None:
            return
        try:
            # An event that is not acknowledged is read again.
            with suppress(FencedError, StoreAwayError):
                await self._acknowledge(lease)
                await self._store.release(lease)
        finally:
            self._lose()

    async def _next(self) -> RecordedEvent | None:
        lease = await self._leased()
        if lease is None:
            await self._store.sleep(self._store.poll_seconds)
            return None
        now = self._store.clock.now()
        if self._store.is_fast or not self._unread or now >= self._acknowledge_at:
            await self._acknowledge(lease)
            self._acknowledge_at = now + self._store.poll_seconds
        if not self._unread:
            # A file answers without a wait: a backlog would keep the loop from other tasks.
            await yield_to_loop()
            unread = await self._store.read(self._group, self._processed, _BATCH)
            self._unread.extend(unread.events)
            self._missed = unread.missed
            if not self._unread:
                await self._store.wait_for_change(self._store.poll_seconds)
                return None
        stored = self._unread[0]
        try:
            event = from_json(stored.event)
        except ValueError as error:
            # It stays unread: a caller that goes on gets the error again.
            raise StoreError(self._store.name, f"invalid event: {error}") from error
        self._given = self._unread.popleft()
        missed, self._missed = self._missed, 0
        self._missed_given += missed
        host = self._instance.partition("://")[2]
        return RecordedEvent(f"{host}/{stored.key}", self._instance, event, missed)

    async def _leased(self) -> Lease | None:
        now = self._store.clock.now()
        if self._lease is not None and now < self._renew_at:
            return self._lease
        lease = await self._claimed()
        if lease is None or self._lease is None or not lease.continues(self._lease):
            self._lose()
        self._lease = lease
        self._renew_at = now + self._store.poll_seconds
        return lease

    async def _claimed(self) -> Lease | None:
        name, seconds = f"group {self._group}", self._store.lease_seconds
        return await self._store.claim(name, self._owner, seconds)

    async def _acknowledge(self, lease: Lease) -> None:
        if self._processed > self._acknowledged or self._missed_given:
            await self._store.acknowledge(lease, self._group, self._processed, self._missed_given)
            self._acknowledged, self._missed_given = self._processed, 0

    def _lose(self) -> None:
        """Forget what was read: another member may have read on."""
        self._lease = self._given = None
        self._unread.clear()
        self._processed = self._acknowledged = self._missed_given = 0


@asynccontextmanager
async def consume(store: Store | str | PathLike[str], group: str) -> AsyncIterator[Consumer]:
    """Yield a reader of the events that monitors record in *store*.

    A new group begins with the oldest event that is kept: without any group, an event is deleted
    once the monitor's own consumer has processed it, so register groups first. For a group, events
    are kept for a week.

    Args:
        store: path of a file, "postgresql://…" or a `Store`.
        group: name of at most 100 characters; each group reads all events.

    Raises:
        TypeError, ValueError: *store* or *group* is invalid.
        StoreError: the store is unusable.
    """
    if not 0 < len(group) <= _LONGEST_NAME or "\0" in group:
        raise ValueError(f"invalid group {group!r}: expected a name of at most 100 characters")
    opened = store_named(store)
    await opened.open()
    try:
        await opened.join(group)
        instance = await opened.server()
        while instance is None:
            # No monitor has used it yet.
            await opened.sleep(opened.poll_seconds)
            instance = await opened.server()
        consumer = Consumer(opened, group, instance)
        try:
            async with task_pool() as tasks:
                tasks.start("lease", consumer.keep_lease())
                yield consumer
        finally:
            await consumer.close()
    finally:
        await opened.close()
