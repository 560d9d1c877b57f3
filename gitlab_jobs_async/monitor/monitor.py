"""Monitor many projects, pipelines and jobs as one stream of events.

The poller puts the events that it detects into the outbox, followed logs add their lines, and the
consumer takes both here. A slow consumer delays further polls and misses no events.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any, Generic, Self, cast

from attrs import frozen

from gitlab_jobs_async.api.capabilities import ServerCapabilities
from gitlab_jobs_async.concurrency import Merged, task_pool
from gitlab_jobs_async.errors import StoreError
from gitlab_jobs_async.events import AnyEvent, Event, JobT_co
from gitlab_jobs_async.http.transport import Transport
from gitlab_jobs_async.logs.poll_queue import log_poll_queue
from gitlab_jobs_async.models.webhooks import JobHook, PipelineHook
from gitlab_jobs_async.monitor.held_shards import EVENTS, Checked, HeldShards
from gitlab_jobs_async.monitor.schedule.shared import SharedSchedule
from gitlab_jobs_async.monitor.shard import MonitorContext, ShardMonitor
from gitlab_jobs_async.monitor.status import MonitorStatus
from gitlab_jobs_async.monitor.target_index import HookTarget, TargetIndex
from gitlab_jobs_async.monitor.targets import GroupTarget
from gitlab_jobs_async.monitor.watch.factory import (
    NormalizedTarget,
    Target,
    checked_group,
    normalize_target,
)
from gitlab_jobs_async.polling.polls import Polls
from gitlab_jobs_async.store.protocol import Store

_STOP = "stop"
_CLOSED = "the block of this monitor was left: take its events inside 'async with'"


@frozen
class MonitorOptions:
    """Whether a monitor follows *logs* and *downstream* pipelines, and its *store* of *shards*."""

    logs: bool = False
    downstream: bool = False
    store: Store | None = None
    complete: bool = False
    shards: int = 1


class Monitor(Generic[JobT_co]):
    """The events of all targets as they come: an asynchronous iterator for one consumer.

    `Monitor` alone is `Monitor[Job]`; with `downstream=True` it is a `Monitor[Job | Bridge]`.
    Asking for the next event acknowledges the one before. The iteration ends when no target is
    left: a pipeline or a job is removed when it has ended, a project never. After an `add` it can
    be resumed. `stop` ends it for good. While other processes monitor all shards of the store, this
    one stands by.

    Raises:
        AuthenticationError: from the iteration: the token is refused.
        StoreError: from the iteration: the store cannot be read or written.
        RuntimeError: from the iteration: another task waits for the next event, or the block was
            left.
    """

    def __init__(self, sources: Merged[Any, AnyEvent | None], shards: HeldShards) -> None:
        self._sources = sources
        self._shards = shards
        self._last: tuple[ShardMonitor, AnyEvent] | None = None
        self._is_awaited = False
        self._is_stopped = False
        self._failure: Exception | None = None

    def add(self, target: Target) -> None:
        """Monitor *target*, too; ignore a target that is or was monitored.

        Raises:
            TypeError, ValueError: *target* is invalid.
            StoreError: its recorded state cannot be read.
        """
        self._shards.add(_checked(target))

    def remove(self, target: Target) -> bool:
        """Stop monitoring *target* and emit nothing more of it; return whether it was monitored.

        Logs that were started are followed to their end. Events that an earlier monitor left in the
        store are still emitted. A project of a group that is monitored continues with it.
        """
        return self._shards.remove(_checked(target))

    def notify(self, hook: JobHook | PipelineHook) -> bool:
        """Poll the targets of a webhook soon, and return whether there may be any.

        A webhook causes no event itself, and any number of them no more polls than a busy target
        gets. So a lost, late, duplicate or forged one changes nothing. Where several processes
        share a store, it reaches the one that monitors the target.

        Raises:
            TypeError: *hook* is not a `JobHook` or a `PipelineHook`.
        """
        if not isinstance(hook, JobHook | PipelineHook):
            raise TypeError(f"invalid hook {hook!r}: expected the result of parse_webhook")
        return self._shards.notify(HookTarget.of(hook))

    def stop(self) -> None:
        """End the iteration once the event that is being processed has been acknowledged.

        For the handler of a signal: `loop.add_signal_handler(signal.SIGTERM, events.stop)`. Pending
        events are not emitted; a checkpoint keeps them for the next monitor.
        """
        if not (self._is_stopped or self._sources.is_closed):
            self._is_stopped = True
            self._sources.add(_STOP, _end())  # wakes a consumer that waits

    @property
    def shards(self) -> frozenset[int]:
        """Numbers of the shards that this process monitors; empty while it stands by."""
        return self._shards.numbers

    @property
    def pending(self) -> int:
        """Number of detected events that the consumer has not taken."""
        return self._shards.pending

    @property
    def is_closed(self) -> bool:
        """Whether the block of this monitor was left."""
        return self._sources.is_closed

    def status(self) -> MonitorStatus:
        """Return the age of the oldest scan, the lag of the polls and the pauses, as they are now.

        It sends no request. For 10,000 targets it takes about 3 ms.
        """
        return self._shards.status()

    def __len__(self) -> int:
        """Return the number of targets, with the downstream pipelines that were discovered."""
        return len(self._shards)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event[JobT_co]:
        if self._is_awaited:
            raise RuntimeError("another task waits for the next event: let one task read them all")
        last, self._last = self._last, None
        if last is not None:
            held, event = last
            # A shard that was lost meanwhile is another process's.
            if self._shards.get(held.number) is held:
                await self._shards.acknowledge(held, event)
        if self._failure is not None:
            raise self._failure
        if self._is_stopped:
            raise StopAsyncIteration
        self._is_awaited = True
        try:
            self._last = held, event = await self._next()
        except Exception as error:
            # An end is not final: after an `add` the iteration continues.
            self._failure = None if isinstance(error, StopAsyncIteration) else error
            raise
        finally:
            self._is_awaited = False
        held.on_event(event)
        # Only a monitor with `downstream` requests bridges, and only it takes recorded ones.
        return cast("Event[JobT_co]", event)

    async def _next(self) -> tuple[ShardMonitor, AnyEvent]:
        while True:
            try:
                key, event = await anext(self._sources)
            except StopAsyncIteration:
                if self._sources.is_closed:
                    raise RuntimeError(_CLOSED) from None
                raise
            if event is None:
                raise StopAsyncIteration
            number, source = key
            held = self._shards.get(number)
            # The event may be that of a target that has just been removed.
            if held is not None and (source != EVENTS or held.outbox.take(event)):
                return held, event


@asynccontextmanager
async def monitored(
    transport: Transport,
    capabilities: ServerCapabilities,
    schedule: SharedSchedule,
    polls: Polls,
    targets: Iterable[NormalizedTarget | GroupTarget],
    options: MonitorOptions,
) -> AsyncIterator[Monitor[Any]]:
    """Yield a monitor of *targets*, and end all its tasks with the block.

    Raises:
        StoreError: the store is unusable, or about another server.
    """
    store = options.store
    if store is not None:
        await store.open(f"{transport.server.origin}{transport.server.prefix}")
    try:
        async with (
            log_poll_queue(transport.clock, transport.concurrency) as (sources, queue),
            task_pool() as tasks,
        ):
            context = MonitorContext(
                transport,
                capabilities,
                schedule,
                polls,
                queue,
                TargetIndex(),
                logs=options.logs,
                downstream=options.downstream,
                complete=options.complete,
            )
            shards = HeldShards(context, sources, tasks, store, options.shards)
            for target in targets:
                shards.add(target)
            try:
                await shards.open()
                yield Monitor(sources, shards)
            except BaseException:
                with suppress(StoreError):  # the exception of the block says more
                    await shards.close()
                raise
            await shards.close()
    finally:
        if store is not None:
            await store.close()


def _checked(target: Target) -> Checked:
    return checked_group(target) if isinstance(target, GroupTarget) else normalize_target(target)


async def _end() -> AsyncGenerator[None, None]:
    yield None
