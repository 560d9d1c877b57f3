"""A model of a project whose jobs change, and which answers the queries of a watch."""

from collections import defaultdict
from copy import deepcopy
from datetime import UTC, datetime
from urllib.parse import unquote

from attrs import define, evolve, field

from gitlab_jobs_async.errors import NotFoundError
from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.models.pipelines import Pipeline
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.monitor.watch.queries import QueryResult

START = 1_750_000_000.0
NUMBER = 7
OPEN = {status for status in JobStatus if not status.is_finished}
STEPS = {
    "created": ["pending", "manual", "skipped", "scheduled", "canceled"],
    "pending": ["running", "canceled"],
    "running": ["success", "failed", "canceling"],
    "canceling": ["canceled"],
    "manual": ["pending"],
    "scheduled": ["pending"],
    "skipped": ["created"],
}


def moment(at):
    return datetime.fromtimestamp(at, UTC)


@define
class ModelJob:
    id: int
    pipeline: int
    name: str
    created: float
    visible: float
    status: str = "created"
    moved: float = 0.0
    erased: float | None = None
    ends: int = 0


@define
class ModelProject:
    """Jobs by id; ids are assigned in order, and may become visible late."""

    now: float = START
    jobs: dict[int, ModelJob] = field(factory=dict)
    pipelines: dict[int, float] = field(factory=dict)
    deleted: set[int] = field(factory=set)
    next_id: int = 1000
    ids_apart: int = 3
    asked: int = 0
    has_cursor: bool = True

    # What happens

    def add(self, pipeline, name, late=0.0):
        self.next_id += self.ids_apart
        job = ModelJob(self.next_id, pipeline, name, self.now, self.now + late, moved=self.now)
        self.jobs[job.id] = job
        return job

    def add_pipeline(self, names, late=()):
        number = 500 + len(self.pipelines)
        self.pipelines[number] = self.now
        delays = [*late, *[0.0] * len(names)]
        return [self.add(number, name, delay) for name, delay in zip(names, delays, strict=False)]

    def move(self, job, choice=0):
        steps = STEPS.get(job.status)
        if steps is None or (job.status == "skipped"):
            return
        job.status = steps[choice % len(steps)]
        job.moved = self.now
        job.ends += job.status not in OPEN

    def fail(self, pipeline):
        """Let its first job fail, so that later ones are skipped."""
        jobs = [job for job in self.jobs.values() if job.pipeline == pipeline]
        for job in jobs:
            if job.status == "created":
                job.status = "failed" if job is jobs[0] else "skipped"
                job.ends += 1

    def retry(self, job, late=0.0):
        """Add another attempt, and reopen the skipped jobs of its pipeline."""
        latest = max(j.id for j in self.jobs.values() if self.same(j, job))
        if job.status not in {"success", "failed", "canceled"} or latest != job.id:
            return
        self.add(job.pipeline, job.name, late).status = "pending"
        for other in self.jobs.values():
            if other.pipeline == job.pipeline and other.status == "skipped":
                other.status, other.moved = "created", self.now

    def same(self, one, other):
        return (one.pipeline, one.name) == (other.pipeline, other.name)

    def erase(self, job):
        if job.status not in OPEN and job.erased is None and job.status != "skipped":
            job.erased = self.now

    def delete(self, pipeline):
        for job in [j for j in self.jobs.values() if j.pipeline == pipeline]:
            self.deleted.add(job.id)
            del self.jobs[job.id]

    # What happens, by name, with two numbers to choose by

    def happen(self, what, number, more):
        jobs = self.visible()
        by_name = {
            "pipeline": lambda: self.add_pipeline([f"job {n}" for n in range(number)], more),
            "bulk": lambda: self.add_bulk(number, ["created", "success", "manual"][more]),
            "finish": lambda: [self.move(j, more) for j in jobs if j.status in OPEN][:number],
            "wait": lambda: self.wait(number),
        }
        one_job = {
            "move": lambda job: self.move(job, more),
            "retry": lambda job: self.retry(job, more),
            "fail": lambda job: self.fail(job.pipeline),
            "erase": self.erase,
            "delete": lambda job: self.delete(job.pipeline),
        }
        if what in by_name:
            by_name[what]()
        elif what in one_job and jobs:
            one_job[what](jobs[number * len(jobs) // 10])

    def wait(self, seconds):
        self.now += seconds

    def add_bulk(self, count, status):
        for job in self.add_pipeline([f"job {n}" for n in range(count)]):
            job.status = status
            job.ends += status not in OPEN

    # A backup of it, and its return

    def backup(self):
        return deepcopy((self.jobs, self.pipelines, self.deleted, self.next_id))

    def restore(self, backup):
        """Undo everything since the backup; its ids are assigned again, and time continues."""
        self.jobs, self.pipelines, self.deleted, self.next_id = deepcopy(backup)

    # What is seen

    def visible(self):
        return [j for _, j in sorted(self.jobs.items(), reverse=True) if j.visible <= self.now]

    def row(self, job):
        created = moment(self.pipelines[job.pipeline])
        started = moment(job.moved) if job.status in {"running", "success", "failed"} else None
        return Job(
            id=job.id,
            status=JobStatus(job.status),
            stage="test",
            name=job.name,
            created_at=moment(job.created),
            started_at=started,
            finished_at=started if job.status not in {"running", "skipped"} else None,
            erased_at=None if job.erased is None else moment(job.erased),
            pipeline=Pipeline(
                id=job.pipeline,
                status=JobStatus.RUNNING,
                project_id=NUMBER,
                created_at=created,
            ),
        )

    def answer(self, query):
        """Return the current response of the server, or raise its error."""
        self.asked += 1
        params = defaultdict(list)
        for name, value in query.request.params:
            params[name].append(value)
        parts = [unquote(part) for part in query.request.path.strip("/").split("/")]
        if parts[2:3] == ["pipelines"]:
            jobs = [job for job in self.visible() if job.pipeline == int(parts[3])]
            if not any(job.pipeline == int(parts[3]) for job in self.jobs.values()):
                raise NotFoundError(404, "404 Not found", "GET", "/")
            return QueryResult([self.row(job) for job in jobs])
        if len(parts) == 4:
            for job in self.visible():
                if job.id == int(parts[3]):
                    return QueryResult([self.row(job)])
            raise NotFoundError(404, "404 Not found", "GET", "/")
        scope = set(params["scope[]"])
        below = int(params["cursor"][0]) if params["cursor"] else 2**62
        size = int(params["per_page"][0])
        rows = [j for j in self.visible() if j.id < below and (not scope or j.status in scope)]
        following = None
        if len(rows) > size:
            pairs = [p for p in query.request.params if p[0] != "cursor"]
            following = evolve(query.request, params=[*pairs, ("cursor", str(rows[size - 1].id))])
        return QueryResult([self.row(job) for job in rows[:size]], following)


def poll(watch, project, meanwhile=lambda: None):
    """Poll once, with something happening before each response."""
    events = []
    while (query := watch.next_query(project.now)) is not None:
        meanwhile()
        try:
            answer = project.answer(query)
        except NotFoundError as error:
            events += watch.on_error(project.now, error)
        else:
            events += watch.on_result(project.now, answer)
    return events
