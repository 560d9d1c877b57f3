"""Events of a monitor, as frozen values. Each has a `key` for deduplication.

The `key` of a job's event has its position, kind and status: "job/42/0/appeared/created",
"job/42/1/changed/running". After a `ProjectReset` it also has the time of the reset, in
milliseconds: "job/42@1750000000000/...". An event may be repeated under its key, after a restart
or for overlapping targets. A key never belongs to two different events.
"""

from datetime import datetime
from typing import Generic

from attrs import fields, frozen
from typing_extensions import TypeVar

from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.models.logs import LogLine
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.models.values import short_repr

JobT_co = TypeVar("JobT_co", bound=Job | Bridge, default=Job, covariant=True)
"""The class of an event's jobs: events of a monitor without `downstream` have no bridge."""


@frozen(kw_only=True, repr=False)
class _Event:
    """The fields of all events."""

    key: str
    is_new: bool = True

    def __repr__(self) -> str:
        values = {field.name: getattr(self, field.name) for field in fields(type(self))}
        job, line = values.pop("job", None), values.pop("line", None)
        if job is not None:
            values |= {"job": job.id, "name": job.name, "status": job.status, "ref": job.ref}
        if line is not None:
            values["line"] = line.text
        if self.is_new:
            del values["is_new"]
        return short_repr(self, **values)


@frozen(kw_only=True, repr=False)
class MonitorEvent(_Event):
    """An event of a target: its `key`, and the `project` as the target names it.

    For a downstream project that is not a target, `project` is the numeric id. `is_new` is False
    for what existed when the target was first monitored: see `JobAppeared` and `JobLogLine`.
    """

    project: int | str

    @property
    def project_path(self) -> str | None:
        """The full path of the project, such as "group/app"; None if only its id is known.

        That of the event's job, as `JobBasic.project_path` has it, before that of the target: a
        moved project has its new path, while `project` and `key` stay the same.
        """
        job: Job | Bridge | None = getattr(self, "job", None)
        path = None if job is None else job.project_path
        return path or (self.project if isinstance(self.project, str) else None)


@frozen(kw_only=True, repr=False)
class JobAppeared(MonitorEvent, Generic[JobT_co]):
    """A job appeared, or with `downstream=True` a bridge; `job` is its first observed state.

    `replaces` is the id of the earlier attempt of a retry, or of a manual job that was played
    again; None if that job is forgotten. `is_new` is False for the jobs that existed when the
    target was first monitored: a project's unfinished ones among the newest 2,000, and the recent
    jobs of their pipelines. Later events of these jobs are new. In all events, `job.is_partial` is
    True if it came by GraphQL, and never with `complete=True` or `downstream=True`.
    """

    job: JobT_co
    # GitLab does not name the earlier job: the monitor finds it by pipeline and name.
    replaces: int | None = None


@frozen(kw_only=True, repr=False)
class JobChanged(MonitorEvent, Generic[JobT_co]):
    """A job changed from the status `previous` to another unfinished one."""

    job: JobT_co
    previous: JobStatus


@frozen(kw_only=True, repr=False)
class JobFinished(MonitorEvent, Generic[JobT_co]):
    """A job ended; emitted once for each job that ended while it was watched.

    A skipped job restarts if an earlier job is retried: a `JobChanged` and another `JobFinished`
    follow. `previous` is the last emitted status, None for a job that had ended when it appeared.
    """

    job: JobT_co
    previous: JobStatus | None = None


@frozen(kw_only=True, repr=False)
class JobErased(MonitorEvent, Generic[JobT_co]):
    """The log and artifacts of a finished job were erased at `job.erased_at`.

    Emitted for recent jobs only; older ones are not polled.
    """

    job: JobT_co


@frozen(kw_only=True, repr=False)
class JobDeleted(MonitorEvent):
    """An unfinished job was deleted, for example with its pipeline."""

    # No `job`: one that is deleted cannot be fetched.
    job_id: int
    name: str
    previous: JobStatus


@frozen(kw_only=True, repr=False)
class JobLogLine(MonitorEvent):
    """A new line of a job's log, with `logs=True`; `job` is its state when the log was opened.

    After a restart the log resumes: `line.number` starts at 1 again, and `line.section` and
    `line.markers` omit the sections that were open before. `is_new` is False for the lines that the
    first poll found in the log of a job that existed when its target was first monitored.
    """

    job: Job
    line: LogLine


@frozen(kw_only=True, repr=False)
class JobLogEnded(MonitorEvent):
    """All lines of a finished job's log were emitted."""

    job: Job


@frozen(kw_only=True, repr=False)
class JobLogFailed(MonitorEvent):
    """Following a job's log failed for `reason`; the job itself may still run."""

    job: Job
    reason: str


@frozen(kw_only=True, repr=False)
class ProjectUnreachable(MonitorEvent):
    """A target cannot be polled; emitted once, until a `ProjectRecovered`.

    `status` is the server's HTTP status, None without a response. Polling continues at growing
    intervals. Events of the outage are emitted after the recovery.
    """

    reason: str
    status: int | None = None


@frozen(kw_only=True, repr=False)
class ProjectRecovered(MonitorEvent):
    """A target can be polled again after a `ProjectUnreachable`."""


@frozen(kw_only=True, repr=False)
class ProjectReset(MonitorEvent):
    """The server was restored from a backup, or its history changed in another way.

    Discard the state of this target. Its current state follows, as after the start: each
    unfinished job, and each job whose state was not emitted. `reason` has the evidence, such as a
    reused id, or a finished job that runs again. The keys of the following events are new. Deleted
    jobs alone do not cause a reset.
    """

    reason: str


@frozen(kw_only=True, repr=False)
class _OfNoProject(_Event):
    """An event about the monitor itself; always new."""

    # As a target's event has it, so that consumers need no case distinction.
    @property
    def project(self) -> None:
        """Always None: the event has no project."""

    @property
    def project_path(self) -> None:
        """Always None, too."""


@frozen(kw_only=True, repr=False)
class AllTargetsUnreachable(_OfNoProject):
    """No target can be polled: GitLab answers 401, 403 or 404 for each of them.

    Emitted once, until a target recovers (`ProjectRecovered`) or is added. `targets` is their
    number, `reason` and `status` (HTTP) are the server's last. A target that was reachable before
    counts after two refusals in a row. Polling continues. `project` is None.
    """

    targets: int
    reason: str
    status: int


@frozen(kw_only=True, repr=False)
class MonitorPaused(_OfNoProject):
    """The server rate-limits all requests for more than two minutes.

    `kind` is the kind of these requests, such as "GET /projects/:id/jobs", or "" for all. `until`
    is the end of the pause as the server gave it. `next_probe` is the time of a request that tests
    it, None for a pause of up to an hour, in which nothing is sent. `reason` is the server's.
    Events of the pause are emitted afterwards. `project` is None.
    """

    kind: str
    until: datetime
    next_probe: datetime | None
    reason: str


@frozen(kw_only=True, repr=False)
class MonitorResumed(_OfNoProject):
    """Requests of `kind` ("" for all) succeed again after a `MonitorPaused`."""

    kind: str


Event = (
    JobAppeared[JobT_co]
    | JobChanged[JobT_co]
    | JobFinished[JobT_co]
    | JobErased[JobT_co]
    | JobDeleted
    | JobLogLine
    | JobLogEnded
    | JobLogFailed
    | ProjectUnreachable
    | ProjectRecovered
    | ProjectReset
    | AllTargetsUnreachable
    | MonitorPaused
    | MonitorResumed
)
JobEvent = JobAppeared[JobT_co] | JobChanged[JobT_co] | JobFinished[JobT_co] | JobErased[JobT_co]

AnyEvent = Event[Job | Bridge]
"""An event of a monitor with `downstream=True`; `Event` alone is `Event[Job]`."""
AnyJobEvent = JobEvent[Job | Bridge]
