"""What a monitor tells, as frozen values; each has a `key` that a restart tells it under again.

Of the events about one job, `key` counts and says what they tell: "job/42/0/appeared/created",
"job/42/1/changed/running"; after a `ProjectReset`, "job/42@1750000000000/..." with the time of that
in milliseconds. An event may come twice, after a restart or for targets that overlap, but never
another one under its key.
"""

from datetime import datetime

from attrs import frozen

from gitlab_jobs_async.models.jobs import Bridge, Job, LogLine
from gitlab_jobs_async.models.statuses import JobStatus


@frozen(kw_only=True)
class MonitorEvent:
    """What events about a target have: a `key` of their own, and its `project` as it is named.

    For what was found by following a bridge into a project that is no target, `project` is the
    numeric id.
    """

    key: str
    project: int | str


@frozen(kw_only=True)
class JobAppeared(MonitorEvent):
    """A job, or with `downstream=True` a bridge, is there; `job` is how it stood when it was seen.

    `replaces` is the id of the earlier attempt when it is a retry, or a manual job played again;
    `None` also where that one is no longer remembered. `is_new` is false for what was there when
    the watching began: of that, what had not ended (of a project its newest 2,000), and all that is
    recent of the pipelines which that is in.
    """

    job: Job | Bridge
    replaces: int | None = None
    is_new: bool = True


@frozen(kw_only=True)
class JobChanged(MonitorEvent):
    """A job has another status than `previous`, and has not ended by that."""

    job: Job | Bridge
    previous: JobStatus


@frozen(kw_only=True)
class JobFinished(MonitorEvent):
    """A job has ended: told once for each job that ended while it was watched.

    A skipped job may be taken up again when one before it is retried; a `JobChanged` says so, and
    its second end is told, too. `previous` is the status that was told before, `None` for a job
    that had ended when it was first seen.
    """

    job: Job | Bridge
    previous: JobStatus | None = None


@frozen(kw_only=True)
class JobErased(MonitorEvent):
    """The log and the artifacts of a job that ended were erased (`job.erased_at`).

    Told of jobs that are recent, or were when it happened: nobody is asked about older ones.
    """

    job: Job | Bridge


@frozen(kw_only=True)
class JobDeleted(MonitorEvent):
    """A job that had not ended is there no more, as when its pipeline is deleted."""

    job_id: int
    name: str
    previous: JobStatus


@frozen(kw_only=True)
class JobLogLine(MonitorEvent):
    """One more line of a job's log, with `logs=True`; `job` is as it stood when its log began.

    After a restart the log goes on where it was: `line.number` begins at 1 again, and of a section
    that began before, `line.section` and `line.markers` know nothing.
    """

    job: Job
    line: LogLine


@frozen(kw_only=True)
class JobLogEnded(MonitorEvent):
    """Every line of the log of a job that has ended was told."""

    job: Job


@frozen(kw_only=True)
class JobLogFailed(MonitorEvent):
    """The job's log is followed no further, for what `reason` says; it was no end of the job."""

    job: Job
    reason: str


@frozen(kw_only=True)
class ProjectUnreachable(MonitorEvent):
    """The target cannot be looked at now: told once, until a `ProjectRecovered`.

    `status` is the server's HTTP status, `None` if it did not answer. It is asked again, ever more
    rarely, and what has happened meanwhile is told then.
    """

    reason: str
    status: int | None = None


@frozen(kw_only=True)
class ProjectRecovered(MonitorEvent):
    """The target can be looked at again."""


@frozen(kw_only=True)
class ProjectReset(MonitorEvent):
    """The server was restored from a backup, or otherwise tells another past: begin anew.

    Forget what was told of this target. What is there now follows, as at the beginning: each job
    that has not ended, and each that was not told as it is now. `reason` says what gave it away,
    such as an id given to another job or a job that had ended and runs again. The keys of what
    follows are like none before. Deleted jobs alone are no reset.
    """

    reason: str


@frozen(kw_only=True)
class _OfNoProject:
    """An event about the monitor itself."""

    key: str

    @property
    def project(self) -> None:
        """It belongs to no project."""


@frozen(kw_only=True)
class AllTargetsUnreachable(_OfNoProject):
    """No target of the monitor can be reached: GitLab answers 401, 403 or 404 for each of them.

    Told once, until one can be reached again (`ProjectRecovered`) or a new one is added. `targets`
    says how many there are, `reason` and `status` (HTTP) what the server said last. A target that
    could be reached before counts after two refusals in a row. The monitor goes on asking. It
    belongs to no project: `project` is `None`.
    """

    targets: int
    reason: str
    status: int


@frozen(kw_only=True)
class MonitorPaused(_OfNoProject):
    """The server lets no requests through, and has asked to wait for more than two minutes.

    `kind` is the kind of requests that it holds back, such as "GET /projects/:id/jobs", or "" for
    all; `until` is when it says that the pause ends, `next_probe` when one request will test it
    (`None` if it is an hour or shorter; then nothing is sent before `until`); `reason` is what it
    said. What happens meanwhile is told afterwards. It belongs to no project: `project` is `None`.
    """

    kind: str
    until: datetime
    next_probe: datetime | None
    reason: str


@frozen(kw_only=True)
class MonitorResumed(_OfNoProject):
    """Requests of `kind` ("" for all) get through again after a `MonitorPaused`."""

    kind: str


Event = (
    JobAppeared
    | JobChanged
    | JobFinished
    | JobErased
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
JobEvent = JobAppeared | JobChanged | JobFinished | JobErased
