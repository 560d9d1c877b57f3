"""Projects whose jobs move through a made-up day, and which answer as GitLab does, at once.

All that will happen is drawn beforehand from one seed. A project moves on when it is polled, so
that ten thousand of them cost only what is requested of them. A row is made once per change.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise

from attrs import define, evolve, field, frozen

from benchmarks.pipelines import Made, PipelineNow
from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.models.pipelines import Pipeline
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.monitor.hints.questions import PIPELINES
from gitlab_jobs_async.monitor.hints.snapshots import ProjectSnapshot
from gitlab_jobs_async.monitor.watch.queries import Query, QueryKind, QueryResult

START = 1_750_032_000.0
"""The first second of a day."""

HOUR, DAY = 3600.0, 86_400.0
QUIET = HOUR
"""A project in which nothing has changed for so long is idle."""

CREATED, PENDING, RUNNING, SUCCESS, FAILED, SKIPPED, MANUAL = map(
    JobStatus,
    ("created", "pending", "running", "success", "failed", "skipped", "manual"),
)


@frozen
class Change:
    """A job's next step; the *first* one of an idle project ends its quiet."""

    at: float
    job: Made
    done: int
    is_first: bool = False


@define(eq=False)
class SimulatedProject:
    """One project: its rows at present, what is to come, and the changes that no event reported."""

    number: int
    kind: str
    changes: list[Change]
    changed_at: float = 0.0
    unseen: dict[int, list[Change]] = field(factory=dict)
    rows: dict[int, Job] = field(factory=dict)
    pipelines: dict[int, PipelineNow] = field(factory=dict)
    is_watched: bool = False
    _next: int = 0
    _ids: list[int] = field(factory=list)
    _snapshots: dict[bool, ProjectSnapshot] = field(factory=dict)

    def move(self, now: float) -> None:
        """Make the changes until *now*."""
        while self._next < len(self.changes) and self.changes[self._next].at <= now:
            change = self.changes[self._next]
            self._next += 1
            self._snapshots.clear()
            self.changed_at = change.at
            job, status = change.job, change.job.steps[change.done - 1][1]
            if job.id not in self.rows:
                self._ids.append(job.id)
            row = self.rows[job.id] = job.row(change.done)
            pipeline_id = job.pipeline.id
            if pipeline_id not in self.pipelines:
                self.pipelines[pipeline_id] = PipelineNow(job.pipeline)
            self.pipelines[pipeline_id].move(row, status, change.at)
            if self.is_watched:
                self.unseen.setdefault(job.id, []).append(change)

    def newest(self, count: int) -> list[int]:
        """Return the ids on a page of *count* rows."""
        return self._ids[-count:]

    def snapshot(self, now: float, *, with_jobs: bool) -> ProjectSnapshot:
        """Return the answer to a question by GraphQL at *now*."""
        self.move(now)
        self.is_watched = True
        if with_jobs not in self._snapshots:
            newest = sorted(self.pipelines, reverse=True)[:PIPELINES]
            self._snapshots[with_jobs] = ProjectSnapshot(
                self.number,
                tuple(self.pipelines[i].snapshot(with_jobs=with_jobs) for i in newest),
                floor=newest[-1] if len(newest) == PIPELINES else 0,
            )
        return self._snapshots[with_jobs]

    def answer(self, query: Query, now: float) -> QueryResult:
        """Return the response to a REST query at *now*."""
        self.move(now)
        self.is_watched = True
        if query.kind is QueryKind.JOB:
            return QueryResult([self.rows[query.subject_id]])
        if query.kind is QueryKind.PIPELINE_JOBS:
            pipeline = self.pipelines[query.subject_id]
            return QueryResult([self.rows[job_id] for job_id in pipeline.ids])
        params = query.request.params
        scope = {value for name, value in params if name == "scope[]"}
        below = next((int(value) for name, value in params if name == "cursor"), None)
        size = next(int(value) for name, value in params if name == "per_page")
        rows: list[Job] = []
        for job_id in reversed(self._ids):
            if below is not None and job_id >= below:
                continue
            row = self.rows[job_id]
            if not scope or row.status in scope:
                if len(rows) == size:
                    pairs = [pair for pair in params if pair[0] != "cursor"]
                    cursor = ("cursor", str(rows[-1].id))
                    return QueryResult(rows, evolve(query.request, params=[*pairs, cursor]))
                rows.append(row)
        return QueryResult(rows)


def moment(at: float) -> datetime:
    """Return a time as GitLab writes it."""
    return datetime.fromtimestamp(at, UTC)


def projects(count: int, *, seed: int = 1, days: float = 1.0) -> list[SimulatedProject]:
    """Return *count* projects: 2 % busy all day, 10 % in bursts, the others idle."""
    made = []
    for number in range(1, count + 1):
        kind = "busy" if number % 50 == 0 else "bursts" if number % 10 == 5 else "idle"
        chance = random.Random(f"{seed}/{number}")
        made.append(SimulatedProject(number, kind, _changes(kind, number, days, chance)))
    return made


def _changes(kind: str, number: int, days: float, chance: random.Random) -> list[Change]:
    jobs: list[Made] = []
    for count, at in enumerate(sorted(_pipelines(kind, days, chance)), 1):
        pipeline = Pipeline(
            id=number * 100_000 + count,
            status=RUNNING,
            project_id=number,
            created_at=moment(at),
        )
        jobs += _jobs_of(pipeline, at, chance)
    jobs.sort(key=lambda job: job.steps[0][0])
    for place, job in enumerate(jobs, 1):
        job.id = number * 1_000_000 + 7 * place
    changes = [Change(at, job, n) for job in jobs for n, (at, _) in enumerate(job.steps, 1)]
    changes.sort(key=lambda change: (change.at, change.job.id))
    firsts = [n for n, (a, b) in enumerate(pairwise(changes), 1) if b.at - a.at >= QUIET]
    for place in firsts:
        changes[place] = evolve(changes[place], is_first=True)
    return [change for change in changes if change.at < START + days * DAY]


def _pipelines(kind: str, days: float, chance: random.Random) -> Iterator[float]:
    """Yield when each begins; one is always days old."""
    end = START + days * DAY
    yield START - 2 * HOUR - chance.expovariate(1 / DAY)
    if kind == "busy":
        at = START - 2 * HOUR
        while at < end:
            yield at
            at += chance.uniform(120, 600)
        return
    for day in range(int(days + 0.999)):
        midnight = START + day * DAY
        if kind == "idle" and chance.random() < 0.5:
            yield midnight + chance.uniform(0, DAY)
        for _ in range(chance.randint(2, 5) if kind == "bursts" else 0):
            at = midnight + chance.uniform(8, 18) * HOUR
            for _ in range(chance.randint(1, 4)):
                yield at
                at += chance.expovariate(1 / 300)


def _jobs_of(pipeline: Pipeline, begun: float, chance: random.Random) -> Iterator[Made]:
    """Yield its 5 to 20 jobs in 3 stages; one in 25 fails, half of which are retried."""
    stages = sorted(chance.choices((1, 2, 3), k=chance.randint(5, 20)))
    has_manual, has_failed, at = chance.random() < 0.15, False, begun
    for stage in (1, 2, 3):
        ended = at
        for place in range(stages.count(stage)):
            job = Made(f"stage{stage}-{place}", pipeline, [(begun, CREATED)])
            yield job
            if has_failed:
                job.steps.append((at + 1, SKIPPED))
                continue
            if has_manual and stage == 3 and place == 0:
                job.steps.append((at + 1, MANUAL))
                if chance.random() < 0.5:
                    _run(job, at + chance.lognormvariate(7.5, 1), SUCCESS, chance)
                continue
            fails = chance.random() < 0.04
            last = _run(job, at + chance.uniform(0.3, 1.5), FAILED if fails else SUCCESS, chance)
            if fails and chance.random() < 0.5:
                again = Made(job.name, pipeline, [(last + 1, CREATED)])
                last = _run(again, last + 2, SUCCESS, chance)
                yield again
            elif fails:
                has_failed = True
            ended = max(ended, last)
        at = ended


def _run(job: Made, queued: float, end: JobStatus, chance: random.Random) -> float:
    """Make *job* wait for a runner, run about 2 minutes, and end; return when it ends."""
    started = queued + chance.lognormvariate(1.6, 0.8)
    ended = started + chance.lognormvariate(4.8, 0.8)
    job.steps += [(queued, PENDING), (started, RUNNING), (ended, end)]
    return ended
