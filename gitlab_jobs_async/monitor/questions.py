"""Ask about many projects by GraphQL while they are watched, and poll by REST where that is needed.

The planner decides what to ask. Answers are applied here to the watches, and failures make the
monitor fall back on REST alone.
"""

import logging
from collections.abc import Callable, Mapping

from attrs import define, field

from gitlab_jobs_async.clock import jitter, yield_to_loop
from gitlab_jobs_async.errors import GitLabError
from gitlab_jobs_async.http.transport import Transport
from gitlab_jobs_async.monitor.hints.ask import ROWS_AT_ONCE, ask
from gitlab_jobs_async.monitor.hints.planner import Batch, QuestionPlanner
from gitlab_jobs_async.monitor.hints.question_rate import QuestionMode
from gitlab_jobs_async.monitor.hints.snapshots import ProjectSnapshot
from gitlab_jobs_async.monitor.recorder import StateRecorder
from gitlab_jobs_async.monitor.schedule.scheduler import PollScheduler
from gitlab_jobs_async.monitor.schedule.shared import ScheduleShare
from gitlab_jobs_async.monitor.schedule.timer import MAX_INTERVAL
from gitlab_jobs_async.monitor.watch.base import Watch
from gitlab_jobs_async.monitor.watch.project import ProjectWatch
from gitlab_jobs_async.polling.polls import Polls

_log = logging.getLogger("gitlab_jobs_async")


@define(eq=False, repr=False)
class ProjectQuestions:
    """The questions of one monitor about its *watches*, which *scheduler* polls by REST.

    *poll_soon* polls a target by REST as soon as possible. With *as_hints*, answers cause polls
    and no events.
    """

    _transport: Transport
    _planner: QuestionPlanner
    _watches: Mapping[str, Watch]
    _scheduler: PollScheduler
    _recorder: StateRecorder
    _poll_soon: Callable[[str], None]
    _as_hints: bool
    _sent: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self._refuse_job_token()

    def _refuse_job_token(self) -> None:
        capabilities = self._planner.capabilities
        if self._transport.credentials.has_job_token and capabilities.graphql_refused_until < float(
            "inf"
        ):
            capabilities.graphql_refused_until = float("inf")
            _log.debug("no questions by GraphQL: it takes no job token")

    def schedule(self, name: str, watch: Watch, now: float) -> None:
        """Schedule the next poll of a target by REST, and questions about it."""
        interval = max(0.0, watch.next_at - now)
        if self._covers(name, watch, now):
            interval = self._planner.comparison_interval(name, now)
        self._scheduler.schedule(name, now, interval, jitter())

    def _covers(self, name: str, watch: Watch, now: float) -> bool:
        if not isinstance(watch, ProjectWatch) or not watch.is_known or watch.availability.failures:
            self._planner.remove(name)
            return False
        project = watch.queries.project
        number = project if isinstance(project, int) else watch.numeric_id
        if number is None:
            return False  # no job has shown it yet
        polled_at, is_idle = watch.timer.polled_at, watch.jobs.is_idle
        if not self._planner.offer(name, number, polled_at, now, is_idle=is_idle):
            return False
        self._planner.answered(name, now, watch.snapshot_interval(now))
        return True

    def remove(self, name: str) -> None:
        """Ask no more about a target that is not watched any longer."""
        self._planner.forget(name)

    def set_rate(self, now: float, polls: Polls, share: ScheduleShare) -> float:
        """Choose what to ask for at present; return the part of all requests that questions use."""
        # A function's credentials are known only once it was called.
        self._refuse_job_token()
        planner = self._planner
        requests, scans = polls.pace.left / share.stretch, polls.monitor_rate / share.stretch
        was_active, mode = planner.is_active(now), planner.mode
        planner.set_rate(len(self._watches), requests, scans)
        if planner.is_active(now) and (not was_active or mode is not planner.mode):
            # Projects of an earlier monitor, too, are covered before their first poll.
            for name in [name for name in self._watches if name in self._scheduler]:
                if self._covers(name, self._watches[name], now):
                    # What an earlier monitor left is compared by REST sooner, and spread.
                    interval = planner.comparison_interval(name, now) * jitter()
                    self._scheduler.schedule(name, now, interval)
        elif was_active and not planner.is_active(now):
            self.rely_on_rest(now)
        return planner.share(requests)

    def next_at(self, now: float) -> float:
        """Return when the next question may be sent."""
        return self._planner.next_at(now)

    def lag(self, now: float) -> float:
        """Return the seconds by which the most overdue question is late, 0 if none is."""
        return self._planner.lag(now)

    def take(self, now: float) -> tuple[str, Batch] | None:
        """Return the next question and a key for its task, `None` if none is due."""
        batch = self._planner.take(now)
        if batch is None:
            return None
        self._sent += 1
        return f"question {self._sent}", batch

    async def ask(self, batch: Batch) -> None:
        """Send a question, apply its answer, and schedule the polls that it calls for."""
        planner, clock = self._planner, self._transport.clock
        try:
            answer = await ask(self._transport, batch.question)
        except GitLabError as error:
            for name in planner.on_error(batch, error, clock.now()):
                self._reschedule(name, clock.now())
            if not planner.is_active(clock.now()):
                _log.debug("no questions by GraphQL for now: %s", error)
            return
        finally:
            planner.ended()
        now = clock.now()
        snapshots = answer.snapshots
        changed, missing = planner.on_answer(
            batch, snapshots, now, answer.seconds, self._transport.server_clock.lag
        )
        for name in missing:
            _log.debug("%s is missing in answers by GraphQL", name)
            self._reschedule(name, now)
        if batch.question.asks_for_jobs and planner.mode is QuestionMode.JOBS:
            await self._apply(batch, snapshots)
            return
        for name in {*batch.names}.difference(changed, missing) & self._watches.keys():
            self._watches[name].timer.scanned_at = now
        for name in changed:
            self._poll_soon(name)

    def rely_on_rest(self, now: float) -> None:
        """Poll everything by REST that questions have covered, spread over its interval."""
        for name in self._planner.clear():
            self._reschedule(name, now)

    async def _apply(self, batch: Batch, answer: dict[int, ProjectSnapshot]) -> None:
        rows = 0
        for name, project_id in zip(batch.names, batch.question.project_ids, strict=True):
            if rows >= ROWS_AT_ONCE:
                rows = 0
                await yield_to_loop()
            now = self._transport.clock.now()
            watch, snapshot = self._watches.get(name), answer.get(project_id)
            # A poll by REST that runs now sees more than this answer.
            if name not in self._scheduler or not isinstance(watch, ProjectWatch):
                continue
            if snapshot is None or name not in self._planner:
                continue
            rows += snapshot.rows
            result = watch.on_snapshot(now, snapshot, as_hint=self._as_hints)
            self._recorder.record(name, watch, result.events)
            interval = watch.snapshot_interval(now)
            self._planner.answered(name, now, interval)
            if result.fits:
                watch.timer.scanned_at = now
                continue
            if self._as_hints:
                self._poll_soon(name)
            else:
                due_at = max(now, watch.timer.polled_at + interval)
                watch.timer.next_at = min(watch.timer.next_at, due_at)
                self._scheduler.expedite(name, now, due_at - now)

    def _reschedule(self, name: str, now: float) -> None:
        if name in self._scheduler:
            watch = self._watches[name]
            # Most are overdue, all at once.
            longest = (watch.timer.interval or MAX_INTERVAL) * jitter()
            self._scheduler.schedule_overdue(name, now, max(longest, watch.next_at - now))
