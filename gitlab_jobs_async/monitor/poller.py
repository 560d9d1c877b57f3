"""Poll many targets, each when it is due, with at most `concurrency` polls at once.

The events of a poll are queued together with the state that they lead to. A full queue delays
further polls. A failed poll affects its own target only, unless the token is refused.
"""

import asyncio
from collections.abc import Coroutine, Iterator, Mapping
from math import isfinite
from typing import Any

from gitlab_jobs_async.api.capabilities import ServerCapabilities
from gitlab_jobs_async.clock import jitter
from gitlab_jobs_async.concurrency import TaskPool, task_pool
from gitlab_jobs_async.http.calls import reported
from gitlab_jobs_async.http.transport import Transport
from gitlab_jobs_async.monitor.announcer import Announcer
from gitlab_jobs_async.monitor.checkpoint.outbox import Outbox
from gitlab_jobs_async.monitor.discovered import DiscoveredPipelines
from gitlab_jobs_async.monitor.due_polls import DuePolls
from gitlab_jobs_async.monitor.fetch import QueryRunner
from gitlab_jobs_async.monitor.hints.planner import Batch, QuestionPlanner
from gitlab_jobs_async.monitor.questions import ProjectQuestions
from gitlab_jobs_async.monitor.recorder import StateRecorder
from gitlab_jobs_async.monitor.schedule.scheduler import PollScheduler
from gitlab_jobs_async.monitor.schedule.shared import ScheduleShare, SharedSchedule
from gitlab_jobs_async.monitor.schedule.timer import MAX_INTERVAL
from gitlab_jobs_async.monitor.status import MonitorStatus, status_of
from gitlab_jobs_async.monitor.target_index import HookTarget, TargetIndex
from gitlab_jobs_async.monitor.token_check import TokenCheck
from gitlab_jobs_async.monitor.watch.base import SingleWatch, Watch
from gitlab_jobs_async.monitor.watch.factory import NormalizedTarget
from gitlab_jobs_async.monitor.watch.project import ProjectWatch
from gitlab_jobs_async.polling.polls import Polls


class Poller:
    """The watched targets by name, and their polls; *states* are those of an earlier monitor.

    *targets* has the targets of all shards.
    """

    def __init__(
        self,
        transport: Transport,
        capabilities: ServerCapabilities,
        schedule: SharedSchedule,
        outbox: Outbox,
        states: Mapping[str, bytes],
        *,
        downstream: bool,
        complete: bool,
        polls: Polls,
        targets: TargetIndex,
    ) -> None:
        self._transport = transport
        self._clock = transport.clock
        self._now = self._clock.now
        self._schedule = schedule
        self._outbox = outbox
        self._changed = asyncio.Event()
        self._scheduler = PollScheduler()
        self._watches: dict[str, Watch] = {}
        self._hinted: set[str] = set()
        self._groups = self._unlisted = 0
        self._polls = polls
        self._index = TargetIndex()
        self._targets = targets
        self.recorder = StateRecorder(outbox, states, downstream=downstream)
        self._discovered = DiscoveredPipelines(self.recorder, self._index, targets)
        self._announcer = Announcer(transport.budget, outbox)
        self.token = TokenCheck(transport)
        self._queries = QueryRunner(
            transport, capabilities, self._clock, self.token, self._announcer, polls.statuses
        )
        # Only polls by REST show bridges, and all fields of a job.
        self._questions = ProjectQuestions(
            transport,
            QuestionPlanner(capabilities),
            self._watches,
            self._scheduler,
            self.recorder,
            self._poll_soon,
            as_hints=downstream or complete,
        )
        self._due = DuePolls(
            transport, schedule, polls, outbox, self._scheduler, self._questions, self.recorder
        )

    def __len__(self) -> int:
        return len(self._watches)

    def status(self) -> MonitorStatus:
        """Return how old the view of the targets is, and what delays the polls."""
        now = self._now()
        return status_of(
            self._watches.values(),
            now,
            pending=len(self._outbox),
            lag=max(self._scheduler.lag(now), self._questions.lag(now)),
            paused=self._announcer.paused,
        )

    def keep_open(self, groups: int, unlisted: int) -> None:
        """Continue without targets while there are *groups*, whose projects may come.

        Those of *unlisted* groups are unknown yet, so that it is open whether all are refused.
        """
        self._groups, self._unlisted = groups, unlisted
        self._changed.set()

    def project_name(self, project_id: int, path: str) -> str | None:
        """Return the name of a project that is polled, or a target of any shard, or `None`."""
        name = self._index.project_name(project_id, path)
        return name or self._targets.project_name(project_id, path)

    def add(self, target: NormalizedTarget, name: str, *, is_new: bool = False) -> None:
        """Poll *target*, unless *name* is polled already; all jobs of a new project are new.

        Raises:
            StoreError: its recorded state cannot be read.
        """
        if name in self._watches:
            return
        watch, is_restored = self.recorder.add(target, name, self._now())
        if isinstance(watch, SingleWatch):
            watch.fix_interval(self._polls.policy.interval)
        elif is_new and not is_restored and isinstance(watch, ProjectWatch):
            watch.begin_without_jobs(self._now())
            # A restart before the first poll must know it, too.
            self.recorder.record(name, watch, ())
        self._watches[name] = watch
        self._index.add(name, target)
        self._learn_id(name, watch)
        if watch.is_over:
            self._drop(name)
        elif is_restored and watch.next_at <= self._now():
            # After a restart all targets are overdue at once, so their polls are spread.
            longest = (watch.timer.interval or MAX_INTERVAL) * jitter()
            self._scheduler.schedule_overdue(name, self._now(), longest)
            self._changed.set()
        else:
            self._schedule_next(name, watch)

    def resuming(self) -> Iterator[None]:
        """Poll the downstream pipelines that an earlier monitor discovered, one in each step.

        Raises:
            StoreError: the recorded state of one cannot be read.
        """
        for target, name in self._discovered.recorded():
            self.add(target, name)
            yield

    def remove(self, name: str, *, keep_events: bool = False) -> bool:
        """Stop polling *name*, and discard its pending events; return whether it was polled."""
        is_watched = name in self._watches
        if is_watched:
            self._drop(name)
            self.recorder.remove(name, keep_events=keep_events)
        return is_watched

    def notify(self, hook: HookTarget) -> bool:
        """Poll the targets of *hook* soon, and return whether there are any."""
        names = self._index.targets_of(hook)
        for name in names:
            self._poll_soon(name)
        return bool(names)

    async def run(self) -> None:
        """Poll until cancelled.

        Raises:
            AuthenticationError: the token is refused.
            StoreError: the checkpoint cannot be written.
        """
        with (
            self._transport.watching_pauses(self._changed),
            self._schedule.join(self._changed.set) as share,
        ):
            async with task_pool() as polls:
                while True:
                    await self._run_once(polls, share)

    def close(self) -> None:
        """Record the schedule for the next monitor."""
        self.recorder.write(self._now(), everything=True)

    async def _run_once(self, polls: TaskPool[str, None], share: ScheduleShare) -> None:
        self._changed.clear()
        while polls.ended:
            _, poll = await polls.next_done()
            share.release()
            poll.result()
        self._announcer.announce_pauses(self._now())
        if not self._unlisted:
            self._announcer.announce_targets(len(self._watches), self._now())
        self._due.start(polls, share, len(self._watches), self._scan, self._ask)
        self.recorder.write(self._now())
        if self._watches or self._groups:
            self._outbox.resume()
        else:
            self._outbox.finish()
        await self._wait_for_change(share)

    async def _wait_for_change(self, share: ScheduleShare) -> None:
        """Return when a poll has ended, a target was added, or a poll or a write is due."""
        wake_at = self._due.wake_at(share)
        async with task_pool() as waits:
            waits.start("change", self._changed.wait())
            if isfinite(wake_at):
                waits.start("time", self._clock.sleep(max(0.0, wake_at - self._now())))
            if not self._outbox.has_capacity():
                waits.start("capacity", self._outbox.wait_for_capacity())
            _, ended = await waits.next_done()
            ended.result()

    def _scan(self, name: str) -> Coroutine[Any, Any, None]:
        watch = self._watches[name]
        poll, project = self._poll(name, watch), watch.availability.project
        return reported(self._transport, "monitor_scan", poll, project=project)

    def _ask(self, batch: Batch) -> Coroutine[Any, Any, None]:
        return reported(self._transport, "monitor_question", self._ask_question(batch))

    async def _ask_question(self, batch: Batch) -> None:
        try:
            await self._questions.ask(batch)
            await self._outbox.wait_for_capacity()
        finally:
            asyncio.get_running_loop().call_soon(self._changed.set)

    async def _poll(self, name: str, watch: Watch) -> None:
        """Run the queries of one poll, and schedule the next one."""
        requests = 0
        try:
            while (query := watch.next_query(self._now())) is not None:
                if requests:
                    self._scheduler.use_slot(self._now())
                requests += 1
                events = await self._queries.run(watch, query)
                self._announcer.announce_pauses(self._now())  # before events of later responses
                if self._watches.get(name) is not watch:
                    return
                self._announcer.polled(name, watch.availability)
                self._learn_id(name, watch)
                # Recorded first, so that a restart knows of both or neither.
                if pipelines := watch.take_discovered():
                    for target, found in self._discovered.start(pipelines, self._watches, name):
                        self.add(target, found)
                self.recorder.record(name, watch, events)
                await self._outbox.wait_for_capacity()
                if self._watches.get(name) is not watch:
                    return
            self.recorder.polled(name, watch)
            if watch.is_over:
                self._drop(name)
            else:
                if name in self._hinted:
                    watch.poll_now(self._now())
                self._schedule_next(name, watch)
        finally:
            self._hinted.discard(name)
            # When this task ends, not before: a timer could wake `run` in between.
            asyncio.get_running_loop().call_soon(self._changed.set)

    def _poll_soon(self, name: str) -> None:
        if name in self._scheduler:
            watch, now = self._watches[name], self._now()
            watch.poll_now(now)
            self._scheduler.expedite(name, now, max(0.0, watch.next_at - now))
            self._changed.set()
        else:
            self._hinted.add(name)  # a running poll may have missed the change

    def _learn_id(self, name: str, watch: Watch) -> None:
        """Index a project by its id once that is known, because its path may change."""
        if isinstance(watch, ProjectWatch) and watch.numeric_id is not None:
            self._index.learn_id(name, watch.numeric_id)
            self._targets.learn_id(name, watch.numeric_id)

    def _drop(self, name: str) -> None:
        """Stop polling *name*, which is over or removed."""
        is_over = self._watches.pop(name).is_over
        self._index.remove(name)
        self._scheduler.remove(name)
        self._questions.remove(name)
        self._announcer.drop(name)
        self.recorder.drop(name)
        if is_over:
            self._discovered.finished(name)
        self._changed.set()

    def _schedule_next(self, name: str, watch: Watch) -> None:
        now = self._now()
        self._questions.schedule(name, watch, now)
        self._changed.set()
