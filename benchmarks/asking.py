"""Questions by GraphQL about many projects, for a simulated day: what a monitor does with them.

This follows `monitor.questions` without a network and without tasks.
"""

from math import inf

from attrs import define, field

from benchmarks.simulated_day import Simulation
from gitlab_jobs_async.api.capabilities import ServerCapabilities
from gitlab_jobs_async.monitor.hints.planner import Batch, QuestionPlanner
from gitlab_jobs_async.monitor.hints.question_rate import MIN_PROJECTS, QuestionMode
from gitlab_jobs_async.monitor.hints.snapshots import ProjectSnapshot
from gitlab_jobs_async.monitor.schedule.scheduler import PollScheduler
from gitlab_jobs_async.ratelimit.limits import JOBS_INDEX_PER_MINUTE
from gitlab_jobs_async.ratelimit.windows import reserve


@define
class Asking:
    """See `Questions`; *scheduler* is that of the polls by REST, *spacing* that of all requests.

    *mode* is what to ask for, `None` for the planner's own choice.
    """

    scheduler: PollScheduler
    day: Simulation
    spacing: float
    mode: QuestionMode | None = None
    planner: QuestionPlanner = field(
        factory=lambda: QuestionPlanner(ServerCapabilities()), init=False
    )

    def set_rate(self) -> None:
        """Choose what to ask for at present, and leave the rest of the budget to REST."""
        requests = 1 / self.spacing if self.spacing else inf
        polls = (JOBS_INDEX_PER_MINUTE - reserve(JOBS_INDEX_PER_MINUTE)) / 60
        # The planner chooses by the number of projects, and of polls that are possible.
        count = len(self.day.watches)
        if self.mode is QuestionMode.CHANGES:
            count = MIN_PROJECTS
        elif self.mode is QuestionMode.JOBS:
            polls = 0.0
        self.planner.set_rate(count, requests, polls)
        asked = self.planner.share(requests)
        self.scheduler.spacing = self.spacing / (1 - asked)

    def next_at(self, now: float) -> float:
        """Return the time of the next question."""
        return self.planner.next_at(now)

    def take(self, now: float) -> Batch | None:
        """Return a question that is due, or `None`."""
        self.set_rate()
        return self.planner.take(now)

    def on_answer(self, now: float, batch: Batch, answer: dict[int, ProjectSnapshot]) -> list[int]:
        """Take an answer; return the projects to poll by REST at once."""
        planner = self.planner
        planner.ended()
        changed, missing = planner.on_answer(batch, answer, now, self.day.latency)
        assert not missing
        if batch.question.asks_for_jobs and planner.mode is QuestionMode.JOBS:
            self._apply(now, batch, answer)
            return []
        return [int(name) for name in changed]

    def _apply(self, now: float, batch: Batch, answer: dict[int, ProjectSnapshot]) -> None:
        for name in batch.names:
            number, watch = int(name), self.day.watches[int(name)]
            # A poll by REST that runs now sees more than this answer.
            if name not in self.scheduler or name not in self.planner:
                continue
            result = watch.on_snapshot(now, answer[number], as_hint=False)
            for event in result.events:
                self.day.record.add(self.day.by_number[number], event, now)
            self.day.end_poll(number, now)
            interval = watch.snapshot_interval(now)
            self.planner.answered(name, now, interval)
            if not result.fits:
                due_at = max(now, watch.timer.polled_at + interval)
                watch.timer.next_at = min(watch.timer.next_at, due_at)
                self.scheduler.expedite(name, now, due_at - now)

    def on_poll(self, number: int, now: float) -> float:
        """Take a poll of a project by REST; return the seconds until the next one."""
        name, watch, planner = str(number), self.day.watches[number], self.planner
        if planner.mode is QuestionMode.OFF:
            self.set_rate()  # before the first question
        polled_at, is_idle = watch.timer.polled_at, watch.jobs.is_idle
        if not planner.offer(name, number, polled_at, now, is_idle=is_idle):
            return max(0.0, watch.next_at - now)
        planner.answered(name, now, watch.snapshot_interval(now))
        return planner.comparison_interval(name, now)
