"""Decide which projects to ask about together, when, and what a failed question means.

Few projects are all polled by REST. Many of them mostly have nothing going on: these are asked
about together, and one that has changed is polled. Where even that is too much, questions show the
jobs themselves, and REST settles what does not fit.
"""

from collections.abc import Mapping, Sequence
from math import inf

from attrs import define, field

from gitlab_jobs_async.api.capabilities import ServerCapabilities
from gitlab_jobs_async.errors import GitLabError, ResponseError
from gitlab_jobs_async.monitor.hints.covered import CoveredProject
from gitlab_jobs_async.monitor.hints.question_rate import (
    MIN_PROJECTS,
    QuestionMode,
    QuestionRate,
)
from gitlab_jobs_async.monitor.hints.question_size import QuestionSize
from gitlab_jobs_async.monitor.hints.questions import (
    MAX_PROJECTS,
    Question,
    changes_question,
    jobs_question,
)
from gitlab_jobs_async.monitor.hints.snapshots import ProjectSnapshot
from gitlab_jobs_async.monitor.schedule.scheduler import PollScheduler
from gitlab_jobs_async.retry.backoff import Backoff

SWEEP = 10.0
"""Seconds after which a project without changes is asked about again."""

MAX_SCAN_INTERVAL = 60.0
"""Seconds after which a project is asked about again at the latest if questions show its jobs."""

COMPARISON_INTERVALS = {"changes": 7_200.0, "jobs": 43_200.0}
"""Seconds between REST polls of a project that questions cover."""

_MAX_FAILURES = 3
_BACKOFF = Backoff(2.0, 2.0, 600.0)
_REFUSED_FOR = 3600.0
_MISSING_FOR = 3600.0
_MIN_PAUSE = 60.0
# These do not pass by themselves: no GraphQL, or a token without its scope.
_REFUSALS = frozenset({400, 401, 403, 404, 405, 406, 410, 415, 422, 501})


@define(eq=False, repr=False)
class Batch:
    """A question in flight about the targets *names*, in the order of its project ids."""

    question: Question
    names: tuple[str, ...]


@define(eq=False, repr=False)
class QuestionPlanner:
    """The projects that questions cover, by the name of their target.

    *capabilities* are shared by all monitors of a client: a server without GraphQL is learned once.
    """

    capabilities: ServerCapabilities
    _size: QuestionSize = field(factory=QuestionSize, init=False)
    _rate: QuestionRate = field(factory=QuestionRate, init=False)
    _covered: dict[str, CoveredProject] = field(factory=dict[str, CoveredProject], init=False)
    _candidates: set[str] = field(factory=set[str], init=False)
    _missing_until: dict[str, float] = field(factory=dict[str, float], init=False)
    _schedule: PollScheduler = field(factory=PollScheduler, init=False)
    _failures: int = field(default=0, init=False)
    _retry_at: float = field(default=-inf, init=False)
    _failed: list[tuple[str, ...]] = field(factory=list[tuple[str, ...]], init=False)
    _in_flight: int = field(default=0, init=False)
    _is_proven: bool = field(default=False, init=False)

    def __len__(self) -> int:
        """Return the number of projects that questions cover."""
        return len(self._covered)

    @property
    def size(self) -> int:
        """The largest number of projects of the next question."""
        return self._size.projects

    def __contains__(self, name: object) -> bool:
        return name in self._covered

    @property
    def mode(self) -> QuestionMode:
        """Subject of the questions."""
        return self._rate.mode

    def set_rate(self, projects: int, requests: float, polls: float) -> None:
        """Choose the mode and the rate of questions; see `QuestionRate.update`."""
        self._rate.update(projects, len(self._candidates), requests, polls)
        self._schedule.spacing = self._rate.spacing

    def share(self, requests: float) -> float:
        """Return the part of *requests* a second that questions use at present."""
        return self._rate.used(requests, self._schedule.demand / self.size)

    def is_active(self, now: float) -> bool:
        """Return whether questions are answered, so that projects may rely on them."""
        is_answered = self._failures < _MAX_FAILURES or now >= self._retry_at
        return self.mode is not QuestionMode.OFF and is_answered and not self._is_refused(now)

    def comparison_interval(self, name: str, now: float) -> float:
        """Return the seconds until a covered project is polled by REST in any case."""
        interval, covered = COMPARISON_INTERVALS.get(self.mode.value, 0.0), self._covered[name]
        # A replica may lag: the poll that follows a change at once may not see it.
        if covered.polled_at < covered.settled_at and self.mode is not QuestionMode.JOBS:
            return min(interval, max(0.0, covered.settled_at - now))
        return interval

    def offer(
        self, name: str, project_id: int, polled_at: float, now: float, *, is_idle: bool
    ) -> bool:
        """Cover a project that was polled by REST at *polled_at*; return whether that was done.

        It *is_idle* if no job can change before a pipeline is created or changes its status.
        """
        is_useful = is_idle or self.mode is QuestionMode.JOBS
        if not is_useful or now < self._missing_until.get(name, -inf):
            self.remove(name)
            return False
        self._missing_until.pop(name, None)
        self._candidates.add(name)
        if not self.is_active(now) or len(self._candidates) < MIN_PROJECTS:
            self._covered.pop(name, None)
            self._schedule.remove(name)
            return False
        known = self._covered.get(name)
        if known is None or known.project_id != project_id:
            self._covered[name] = CoveredProject(project_id, polled_at)
        else:
            known.polled_at = polled_at
        self._put(name, now, SWEEP)
        return True

    def answered(self, name: str, now: float, interval: float) -> None:
        """Ask about a covered project again, whose jobs call for a poll each *interval* seconds."""
        if name in self._covered:
            self._put(name, now, interval)

    def remove(self, name: str) -> None:
        """Ask no more about a project."""
        self._candidates.discard(name)
        self._covered.pop(name, None)
        self._schedule.remove(name)

    def forget(self, name: str) -> None:
        """Remove a target that the monitor has dropped."""
        self.remove(name)
        self._missing_until.pop(name, None)

    def next_at(self, now: float) -> float:
        """Return when the next question may be sent; infinity if none is wanted."""
        # Until the server has answered, one question at a time shows whether it does.
        if self._is_refused(now) or not self._covered or (self._in_flight and not self._is_proven):
            return inf
        return max(self._retry_at, self._schedule.next_at() if not self._failed else -inf)

    def lag(self, now: float) -> float:
        """Return the seconds by which the most overdue question is late, 0 if none is."""
        return self._schedule.lag(now)

    def take(self, now: float) -> Batch | None:
        """Return the next question, `None` if none is due."""
        if self.next_at(now) > now:
            return None
        # One project may fail a question, so its halves are asked apart, until one is left.
        names: Sequence[str] = self._failed.pop(0) if self._failed else ()
        names = [name for name in names if name in self._covered]
        names = names or self._schedule.pop_batch(now, min(self.size, MAX_PROJECTS))
        # Two targets may be the same project, by its path and by its id.
        by_id: dict[int, str] = {}
        for name in names:
            other = by_id.setdefault(self._covered[name].project_id, name)
            if other != name:
                self._put(name, now, SWEEP)
        if not by_id:
            return None
        self._in_flight += 1
        ask = jobs_question if self.mode is QuestionMode.JOBS else changes_question
        return Batch(ask(by_id), tuple(by_id.values()))

    def on_answer(
        self,
        batch: Batch,
        answer: Mapping[int, ProjectSnapshot],
        now: float,
        seconds: float,
        lag: float = 0.0,
    ) -> tuple[list[str], list[str]]:
        """Take the *answer* to a question, which the server made in *seconds*.

        The server's clock is *lag* seconds behind the client's.

        Return the projects that have changed since the last answer, or since they were polled, and
        those that are missing: both need a poll by REST.
        """
        self._size.on_answer(len(batch.names), seconds, now)
        self._failures, self._retry_at, self._is_proven = 0, -inf, True
        changed: list[str] = []
        missing: list[str] = []
        for name, project_id in zip(batch.names, batch.question.project_ids, strict=True):
            covered = self._covered.get(name)
            if covered is None or covered.project_id != project_id:
                continue  # removed, or polled, since the question was sent
            snapshot = answer.get(project_id)
            if snapshot is None:
                self._missing_until[name] = now + _MISSING_FOR
                self.remove(name)
                missing.append(name)
                continue
            if covered.show(snapshot, now, lag):
                changed.append(name)
            if self.mode is not QuestionMode.JOBS:
                self._put(name, now, SWEEP)
        return changed, missing

    def ended(self) -> None:
        """Note that a question has been answered, has failed or was cancelled."""
        self._in_flight -= 1

    def on_error(self, batch: Batch, error: GitLabError, now: float) -> list[str]:
        """Ask smaller questions after an *error*; return the projects that REST has to poll.

        If the server refuses all questions, that are all of them; see `is_active`.
        """
        names = batch.names
        self._size.on_error(len(names), error, now)
        self._failures, self._is_proven = self._failures + 1, False
        if isinstance(error, ResponseError) and error.status in _REFUSALS:
            self.refuse(now)
        self._retry_at = now + _BACKOFF.delay(self._failures - 1)
        if not self.is_active(now):
            # Each attempt moves the polls of all projects, so that there may be few.
            self._retry_at = max(self._retry_at, now + _MIN_PAUSE)
            return [*self.clear()]
        if len(names) == 1:
            self._missing_until[names[0]] = now + _MISSING_FOR
            self.remove(names[0])
            return [*names]
        # The half without the cause comes next to the other one, so that failures stay apart.
        middle = len(names) // 2
        self._failed += [names[:middle], names[middle:]]
        return []

    def refuse(self, now: float) -> None:
        """Ask nothing for an hour, as the server or the token does not allow it."""
        self.capabilities.graphql_refused_until = now + _REFUSED_FOR
        self._size.reset()
        self._failures = 0

    def clear(self) -> Sequence[str]:
        """Cover nothing more, and return what was covered: REST has to poll it again."""
        names = tuple(self._covered)
        self._failed.clear()
        for name in names:
            self._covered.pop(name)
            self._schedule.remove(name)
        return names

    def _is_refused(self, now: float) -> bool:
        return now < self.capabilities.graphql_refused_until

    def _put(self, name: str, now: float, interval: float) -> None:
        longest = MAX_SCAN_INTERVAL if self.mode is QuestionMode.JOBS else SWEEP
        self._schedule.schedule(name, now, min(interval, longest))
