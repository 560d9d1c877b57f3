"""Many projects, pipelines and jobs watched as one stream of events, by few requests at once.

Looks put what they find into the outbox (rounds.py, outbox.py), logs add their lines, and here it
is told. A consumer that is slow has fewer looks made, and loses nothing.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from os import PathLike
from typing import Self

from attrs import frozen

from gitlab_jobs_async.api.capabilities import ServerCapabilities
from gitlab_jobs_async.concurrency import Merged, task_pool
from gitlab_jobs_async.errors import CheckpointError
from gitlab_jobs_async.events import Event
from gitlab_jobs_async.http.transport import Transport
from gitlab_jobs_async.logs.poll_queue import LogPollQueue, log_poll_queue
from gitlab_jobs_async.models.webhooks import JobHook, PipelineHook
from gitlab_jobs_async.monitor.checkpoint.outbox import Outbox
from gitlab_jobs_async.monitor.checkpoint.protocol import Checkpoint
from gitlab_jobs_async.monitor.checkpoint.sqlite import SqliteCheckpoint
from gitlab_jobs_async.monitor.job_logs import (
    TrackedLog,
    TrackedLogs,
    log_begun_by,
    log_events,
)
from gitlab_jobs_async.monitor.poller import Poller
from gitlab_jobs_async.monitor.schedule.shared import SharedSchedule
from gitlab_jobs_async.monitor.watch.factory import (
    NormalizedTarget,
    Target,
    normalize_target,
    target_name,
)

_EVENTS = "events"
_SERVER = "server"
_LEFT = "the block of this monitor was left: take its events inside 'async with'"


@frozen
class MonitorOptions:
    """How a monitor watches: with *logs*, *downstream* of bridges, from *checkpoint* on."""

    logs: bool = False
    downstream: bool = False
    checkpoint: Checkpoint | None = None


class Monitor:
    """The events of all targets as they come: iterate over it, one consumer at a time.

    An event counts as told when the next one is asked for. The iteration ends when no target is
    left: pipelines and jobs are over when they have ended, projects never are. After an `add` it
    can be begun again.

    Raises:
        AuthenticationError: from the iteration: the token is no longer good.
        CheckpointError: from the iteration: the checkpoint cannot be read or written.
        RuntimeError: from the iteration: another task waits for the next event, or the block was
            left.
    """

    def __init__(
        self,
        transport: Transport,
        capabilities: ServerCapabilities,
        how: MonitorOptions,
        sources: Merged[object, Event],
        outbox: Outbox,
        rounds: Poller,
        logs: TrackedLogs,
        turns: LogPollQueue[int, Event],
    ) -> None:
        self._transport = transport
        self._capabilities = capabilities
        self._how = how
        self._sources = sources
        self._outbox = outbox
        self._rounds = rounds
        self._logs = logs
        self._turns = turns
        self._last: Event | None = None
        self._is_awaited = False
        self._failure: Exception | None = None
        self._listen()
        if how.downstream:
            rounds.resume()
        if how.logs:
            for log in logs.unfinished():
                self._follow(log)

    def add(self, target: Target) -> None:
        """Watch *target* too; nothing happens if it is watched already, or was until its end.

        Raises:
            TypeError, ValueError: it is nothing that can be watched.
            CheckpointError: what an earlier monitor has recorded of it cannot be read.
        """
        plain = normalize_target(target)
        self._rounds.add(plain, target_name(plain))
        self._listen()

    def remove(self, target: Target) -> bool:
        """Watch *target* no longer, and tell nothing more of it; whether it was watched.

        Logs that have begun go on to their end, and what an earlier monitor left untold is told.
        """
        return self._rounds.remove(target_name(normalize_target(target)))

    def notify(self, hook: JobHook | PipelineHook) -> bool:
        """Look soon at what a webhook has told of; whether that is watched.

        No event comes from the hook itself, and however many come, a target is looked at no more
        often than it would be at its busiest: one lost, late, doubled or forged changes nothing.
        """
        if not isinstance(hook, JobHook | PipelineHook):
            raise TypeError(f"hook must be what read_hook gives, not {hook!r}")
        return self._rounds.notify(hook)

    def __len__(self) -> int:
        """How many targets are watched, those that bridges have led to among them."""
        return len(self._rounds)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        if self._is_awaited:
            raise RuntimeError("another task waits for the next event: let one task read them all")
        last, self._last = self._last, None
        if last is not None:
            self._outbox.acknowledge(last)
            self._logs.acknowledge(last)
        if self._failure is not None:
            raise self._failure
        self._is_awaited = True
        try:
            self._last = event = await self._next()
        except Exception as error:
            self._failure = None if isinstance(error, StopAsyncIteration) else error
            raise
        finally:
            self._is_awaited = False
        if self._how.logs:
            followed = log_begun_by(event)
            if followed is not None and self._logs.begin(followed):
                self._follow(followed)
        return event

    async def _next(self) -> Event:
        while True:
            try:
                source, event = await anext(self._sources)
            except StopAsyncIteration:
                if self._sources.is_closed:
                    raise RuntimeError(_LEFT) from None
                raise
            if source != _EVENTS or self._outbox.take(event):
                return event

    def _follow(self, log: TrackedLog) -> None:
        self._turns.remove(log.job.id)  # the log of another job with this id, before a reset
        offset, token = self._logs.offset(log.job.id), self._rounds.token
        self._turns.add(
            log.job.id, partial(log_events, self._transport, self._capabilities, log, offset, token)
        )

    def _listen(self) -> None:
        """Take events from the outbox, unless that goes on."""
        self._outbox.begin()
        if _EVENTS not in self._sources:
            self._sources.add(_EVENTS, self._outbox.events())


def checkpoint_of(given: Checkpoint | str | PathLike[str] | None) -> Checkpoint | None:
    """What a caller gave: a checkpoint of his own, or the path of a file.

    Raises:
        TypeError, ValueError: it is neither.
    """
    if isinstance(given, str | PathLike):
        return SqliteCheckpoint(given)
    if given is not None and not isinstance(given, Checkpoint):
        raise TypeError(f"checkpoint must be the path of a file or a Checkpoint, not {given!r}")
    return given


@asynccontextmanager
async def monitored(
    transport: Transport,
    capabilities: ServerCapabilities,
    schedule: SharedSchedule,
    targets: Iterable[NormalizedTarget],
    how: MonitorOptions,
) -> AsyncIterator[Monitor]:
    """The events of *targets*; when the block is left, every task has ended.

    Raises:
        CheckpointError: the checkpoint is in use, or cannot be used.
    """
    checkpoint = how.checkpoint
    if checkpoint is not None:
        checkpoint.open()
    try:
        states = {} if checkpoint is None else _states(checkpoint, transport)
        outbox = Outbox(checkpoint)
        rounds = Poller(
            transport, capabilities, schedule, outbox, states, downstream=how.downstream
        )
        logs = TrackedLogs(checkpoint, states)
        async with (
            log_poll_queue(transport.clock, transport.concurrency) as (sources, turns),
            task_pool() as flight,
        ):
            monitor = Monitor(transport, capabilities, how, sources, outbox, rounds, logs, turns)
            for target in targets:
                monitor.add(target)
            flight.start(_EVENTS, _run(rounds, outbox))
            try:
                yield monitor
            except BaseException:
                with suppress(CheckpointError):  # what ends the block says more
                    rounds.close()
                raise
            rounds.close()
    finally:
        if checkpoint is not None:
            checkpoint.close()


def _states(checkpoint: Checkpoint, transport: Transport) -> Mapping[str, bytes]:
    """What was recorded, if it was of this server: ids of two would be taken for one another."""
    server = transport.server
    url = f"{server.origin}{server.prefix}"
    states = checkpoint.states()
    known = states.get(_SERVER)
    if known is None:
        checkpoint.record(_SERVER, url.encode(), ())
    elif known != url.encode():
        raise CheckpointError(checkpoint.path, f"it is of {known.decode(errors='replace')}")
    return states


async def _run(rounds: Poller, outbox: Outbox) -> None:
    try:
        await rounds.run()
    except Exception as error:  # noqa: BLE001 - raised where the events are taken
        outbox.finish(error)
