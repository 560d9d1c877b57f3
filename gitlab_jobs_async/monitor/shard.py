"""Monitor the targets of one shard: their polls, logs and groups, and the events of them."""

from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator
from contextlib import aclosing
from itertools import chain
from typing import Any

from attrs import define, field, frozen

from gitlab_jobs_async.api.capabilities import ServerCapabilities
from gitlab_jobs_async.clock import yield_to_loop
from gitlab_jobs_async.concurrency import task_pool
from gitlab_jobs_async.errors import FencedError, StoreAwayError, StoreError
from gitlab_jobs_async.events import AnyEvent
from gitlab_jobs_async.http.transport import Transport
from gitlab_jobs_async.logs.poll_queue import LogPollQueue
from gitlab_jobs_async.monitor.checkpoint.outbox import Outbox
from gitlab_jobs_async.monitor.checkpoint.shard_record import ShardRecord
from gitlab_jobs_async.monitor.groups import GroupTargets
from gitlab_jobs_async.monitor.job_logs import JobLogs
from gitlab_jobs_async.monitor.poller import Poller
from gitlab_jobs_async.monitor.schedule.shared import SharedSchedule
from gitlab_jobs_async.monitor.target_index import TargetIndex
from gitlab_jobs_async.monitor.targets import GroupTarget
from gitlab_jobs_async.monitor.tracked_logs import TrackedLogs
from gitlab_jobs_async.monitor.watch.factory import NormalizedTarget
from gitlab_jobs_async.polling.polls import Polls
from gitlab_jobs_async.store.values import Content

_ADDED_AT_ONCE = 50
"""Targets whose states are restored before other tasks run: 15 milliseconds."""

LogQueue = LogPollQueue[tuple[int, int], AnyEvent]


@frozen(eq=False, repr=False)
class MonitorContext:
    """The client and the options that all shards of a monitor share.

    *targets* has those of all shards, also of the ones that other processes monitor.
    """

    transport: Transport
    capabilities: ServerCapabilities
    schedule: SharedSchedule
    polls: Polls
    queue: LogQueue
    targets: TargetIndex
    logs: bool
    downstream: bool
    complete: bool


@define(eq=False, repr=False)
class ShardMonitor:
    """The targets of the shard *number*, and the outbox of their events."""

    number: int
    outbox: Outbox
    poller: Poller
    groups: GroupTargets
    logs: JobLogs | None
    has_ended: bool = field(default=False, init=False)

    @classmethod
    def of(
        cls, context: MonitorContext, number: int, record: ShardRecord | None, content: Content
    ) -> "ShardMonitor":
        """Return the monitor of a shard, which continues from its *content*.

        Raises:
            StoreError: a row cannot be read.
        """
        outbox = Outbox(record, content.last_place, bridges=context.downstream)
        poller = Poller(
            context.transport,
            context.capabilities,
            context.schedule,
            outbox,
            content.states,
            downstream=context.downstream,
            complete=context.complete,
            polls=context.polls,
            targets=context.targets,
        )
        logs = None
        # A store may hold logs of an earlier monitor, whose jobs end now.
        if context.logs or record is not None:
            tracked = TrackedLogs(outbox, content.states, content.offsets)
            logs = JobLogs(
                context.transport,
                context.capabilities,
                context.polls,
                poller.token,
                tracked,
                context.queue,
                number,
            )
        groups = GroupTargets(context.transport, poller, outbox, poller.recorder)
        return cls(number, outbox, poller, groups, logs)

    def resume(self) -> None:
        """Expect further events after the last target was over."""
        self.has_ended = False
        self.outbox.resume()

    async def events(self) -> AsyncGenerator[AnyEvent, None]:
        """Yield events until no target is left.

        Raises:
            FencedError, StoreAwayError: this shard is lost: another process may have it.
            Exception: what has ended the polls.
        """
        async with aclosing(self.outbox.events()) as events:
            async for event in events:
                yield event
        self.has_ended = True

    @property
    def is_over(self) -> bool:
        """Whether all targets are over, and all of their events recorded as acknowledged."""
        is_following = self.logs is not None and self.logs.is_following
        return self.has_ended and self.outbox.is_drained and not is_following

    def add(self, target: NormalizedTarget | GroupTarget) -> None:
        """Monitor *target*, too.

        Raises:
            StoreError: its recorded state cannot be read.
        """
        for _ in self._adding(target):
            pass

    async def restore(self) -> None:
        """Monitor the downstream pipelines of an earlier monitor; other tasks run in between.

        Raises:
            StoreError: a recorded state cannot be read.
        """
        await _run_steps(self.poller.resuming())

    async def add_all(self, targets: Iterable[NormalizedTarget | GroupTarget]) -> None:
        """Monitor many *targets*; other tasks run in between.

        Raises:
            StoreError: a recorded state cannot be read.
        """
        await _run_steps(chain.from_iterable(self._adding(target) for target in targets))

    def _adding(self, target: NormalizedTarget | GroupTarget) -> Iterator[None]:
        if isinstance(target, GroupTarget):
            yield from self.groups.adding(target)
        else:
            self.groups.add_own(target)
            yield

    def remove(self, target: NormalizedTarget | GroupTarget) -> bool:
        """Stop monitoring *target*; return whether it was monitored."""
        if isinstance(target, GroupTarget):
            return self.groups.remove(target)
        return self.groups.remove_own(target)

    def on_event(self, event: AnyEvent) -> None:
        """Follow the log of a job that runs since *event*."""
        if self.logs is not None:
            self.logs.on_event(event)

    def acknowledge(self, event: AnyEvent) -> None:
        """Record that the consumer has processed *event*."""
        self.outbox.acknowledge(event)
        if self.logs is not None:
            self.logs.acknowledge(event)

    async def run(self) -> None:
        """Poll, and record what is detected, until cancelled.

        Raises:
            FencedError, StoreAwayError: this shard is lost: another process may have it.
        """
        async with task_pool() as tasks:
            tasks.start("polls", self._run(self.poller.run))
            tasks.start("groups", self._run(self.groups.run))
            tasks.start("records", self._run(self.outbox.run))
            while True:
                _, ended = await tasks.next_done()
                ended.result()

    def abandon(self) -> None:
        """Follow no more logs: another process may do so."""
        if self.logs is not None:
            self.logs.stop()

    async def close(self) -> None:
        """Record the schedule for the next monitor.

        Raises:
            StoreError: it cannot be written.
        """
        self.poller.close()
        await self.outbox.flush()

    async def _run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        # A function: of a task that is cancelled before its first step, a coroutine would be left.
        try:
            await work()
        except (FencedError, StoreAwayError):
            raise
        except StoreError as error:
            self.outbox.break_off(error)
        except Exception as error:  # noqa: BLE001 - raised to the consumer
            self.outbox.finish(error)


async def _run_steps(steps: Iterator[None]) -> None:
    for number, _ in enumerate(steps, 1):
        if number % _ADDED_AT_ONCE == 0:
            await yield_to_loop()
