"""Where the rows of one shard are recorded, and the events that an earlier monitor left there."""

from collections import deque

from attrs import define, field

from gitlab_jobs_async.store.protocol import Store
from gitlab_jobs_async.store.values import Lease, Shard, StoredEvent, route_of

_BATCH = 500
"""Earlier events that are held at once: a consumer may have been away for long."""


@define(eq=False, repr=False)
class ShardRecord:
    """Where the rows of one *shard* are recorded: *store*, under *lease*.

    *routes* assigns rows to the shard of another row: those of a group's projects, of pipelines
    that were discovered, and of logs.
    """

    store: Store
    lease: Lease
    shard: Shard
    routes: dict[str, int] = field(factory=dict[str, int])

    def route(self, name: str) -> int:
        """Return the route of the row *name*, which is always in this shard."""
        route = self.routes.get(name)
        route = route_of(name) if route is None else route
        return route if self.shard.has(route) else self.shard.number


@define(eq=False, repr=False)
class EarlierEvents:
    """The events of *record* that were pending up to the place *last*, read in batches."""

    _record: ShardRecord
    _last: int
    _batch: deque[StoredEvent] = field(factory=deque[StoredEvent], init=False)
    _place: int = field(default=0, init=False)

    async def next(self) -> StoredEvent | None:
        """Return the next event, `None` after the last one.

        Raises:
            FencedError, StoreAwayError: this shard is lost: another process may have it.
            StoreError: the store is unusable.
        """
        if not self._batch and self._place < self._last:
            record = self._record
            events = await record.store.pending(record.lease, record.shard, self._place, _BATCH)
            self._batch.extend(event for event in events if event.place <= self._last)
            self._place = events[-1].place if len(events) == _BATCH else self._last
        return self._batch.popleft() if self._batch else None
