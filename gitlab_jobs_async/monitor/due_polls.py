"""Start the polls of a monitor that are due, as far as the budget and the consumer allow."""

from collections.abc import Callable, Coroutine
from math import inf
from typing import Any

from attrs import frozen

from gitlab_jobs_async.concurrency import TaskPool
from gitlab_jobs_async.http.transport import Transport
from gitlab_jobs_async.monitor.checkpoint.outbox import Outbox
from gitlab_jobs_async.monitor.hints.planner import Batch
from gitlab_jobs_async.monitor.questions import ProjectQuestions
from gitlab_jobs_async.monitor.recorder import StateRecorder
from gitlab_jobs_async.monitor.schedule.scheduler import PollScheduler
from gitlab_jobs_async.monitor.schedule.shared import ScheduleShare, SharedSchedule
from gitlab_jobs_async.polling.polls import Polls
from gitlab_jobs_async.ratelimit.fair_queue import Priority
from gitlab_jobs_async.ratelimit.limits import JOBS_INDEX

Call = Coroutine[Any, Any, None]


@frozen(eq=False, repr=False)
class DuePolls:
    """The scans of *scheduler* and the *questions* about many projects, when they may start."""

    _transport: Transport
    _schedule: SharedSchedule
    _polls: Polls
    _outbox: Outbox
    _scheduler: PollScheduler
    _questions: ProjectQuestions
    _recorder: StateRecorder

    def start(
        self,
        running: TaskPool[str, None],
        share: ScheduleShare,
        targets: int,
        scan: Callable[[str], Call],
        ask: Callable[[Batch], Call],
    ) -> None:
        """Start what is due of *targets* in *running*: *scan* by name, or *ask* about a batch."""
        has_capacity = self._outbox.has_capacity()
        # While its consumer is slow, a monitor leaves its rate to the others.
        share.claim(targets, self._scheduler.demand if has_capacity else 0.0)
        self._scheduler.spacing = self._spacing(share)
        # Read the time after the limiter's: in the other order it would never be open.
        is_open = self._transport.available_at(Priority.BACKGROUND) <= self._now()
        # First, since one question is about many targets.
        while is_open and has_capacity and self._questions.next_at(self._now()) <= self._now():
            if not share.acquire():
                return
            question = self._questions.take(self._now())
            if question is None:
                share.release()
                break
            key, batch = question
            running.start(key, ask(batch))
        while is_open and has_capacity and self._scheduler.next_at() <= self._now():
            if not share.acquire():
                return
            name = self._scheduler.pop_due(self._now())
            if name is None:
                share.release()
                break
            running.start(name, scan(name))
        share.leave_queue()

    def wake_at(self, share: ScheduleShare) -> float:
        """Return when a poll or a write is due; infinity while only a change can start one."""
        if not self._outbox.has_capacity() or share.is_queued:
            return inf
        opens_at = self._transport.available_at(Priority.BACKGROUND)
        next_question_at = self._questions.next_at(self._now())
        next_poll_at = max(min(self._scheduler.next_at(), next_question_at), opens_at)
        return min(next_poll_at, self._recorder.next_write_at())

    def _spacing(self, share: ScheduleShare) -> float:
        """Return the seconds between two polls, 0 if all targets may be polled now."""
        pace, budget = self._polls.pace, self._transport.budget
        spacing = budget.min_poll_spacing(JOBS_INDEX, self._schedule.targets, self._now())
        if pace.used:
            # Logs and waits need their part of each minute, which a burst of polls would use up.
            spacing = max(spacing, 1 / self._polls.monitor_rate)
        asked = self._questions.set_rate(self._now(), self._polls, share)
        if spacing and (left := pace.left * (1 - asked)):
            # Job listings have a limit of their own, which questions do not count in.
            spacing = max(spacing, 1 / left)
        return spacing * share.stretch

    def _now(self) -> float:
        return self._transport.clock.now()
