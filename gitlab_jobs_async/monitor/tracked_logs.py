"""Track which job logs are followed, each once, and how far.

A checkpoint holds the followed logs and their offsets until the end of the job itself is
acknowledged. Until then an event could start the same log again.
"""

from collections.abc import Mapping

from attrs import evolve, field, frozen

from gitlab_jobs_async.errors import StoreError
from gitlab_jobs_async.events import (
    AnyEvent,
    JobAppeared,
    JobChanged,
    JobDeleted,
    JobFinished,
    JobLogEnded,
    JobLogFailed,
    JobLogLine,
)
from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.monitor.checkpoint.outbox import Outbox
from gitlab_jobs_async.monitor.checkpoint.serialization import loads, stored_as
from gitlab_jobs_async.monitor.watch.factory import target_name

_PREFIX = "log of job "
"""Start of the names of logs in a checkpoint."""

_MAX_REMEMBERED = 10_000
_WRITING = frozenset({JobStatus.RUNNING, JobStatus.CANCELING})


@frozen
class TrackedLog:
    """The log of *job*, in its state when the log was started, and the target's *project*.

    *log_ended* and *job_ended* say whether the consumer has acknowledged these ends. *stem* is the
    start of the job's event keys after a reset, when its id may belong to another job. *is_new* is
    False if the job was running before it was first monitored.
    """

    project: int | str
    job: Job
    log_ended: bool = field(default=False, metadata=stored_as("is_over"))
    job_ended: bool = field(default=False, metadata=stored_as("is_done"))
    stem: str = ""
    is_new: bool = True


class TrackedLogs:
    """The logs that are or were followed, each once, restored from *states* and *offsets*.

    Raises:
        StoreError: a recorded log cannot be read.
    """

    def __init__(
        self, outbox: Outbox, states: Mapping[str, bytes], offsets: Mapping[int, int]
    ) -> None:
        self.outbox = outbox
        self._offsets = dict(offsets)
        self._logs: dict[int, TrackedLog] = {}
        self._ended: dict[int, str] = {}
        for name, state in states.items():
            if name.startswith(_PREFIX):
                try:
                    log = loads(state, TrackedLog)
                except ValueError as error:
                    reason = f"state of {name!r} is invalid: {error}"
                    raise StoreError(outbox.name, reason) from error
                self._logs[log.job.id] = log
                if log.log_ended:
                    self._remember(log)

    def unfinished(self) -> list[TrackedLog]:
        """Return the logs whose end has not been acknowledged."""
        return [log for log in self._logs.values() if not log.log_ended]

    def offset(self, job_id: int) -> int:
        """Return the offset in bytes to resume this log from."""
        return self._offsets.get(job_id, 0)

    def start(self, log: TrackedLog) -> bool:
        """Track *log*, and return False if it is or was followed already."""
        job_id = log.job.id
        known = self._logs.get(job_id)
        stem = self._ended.get(job_id) if known is None else known.stem
        if stem is not None:
            is_followed = known is not None and not known.log_ended
            created_at = None if known is None else known.job.created_at
            # Another stem means a reset: the id may now belong to another job.
            if stem == log.stem or (is_followed and created_at == log.job.created_at):
                return False
            self._ended.pop(job_id, None)
            self._forget(job_id)
        # With the target that has emitted the event: its shard will emit the end of the job.
        self.outbox.keep_with_event(_name(job_id), target_name(log.project))
        self._keep(log)
        return True

    def acknowledge(self, event: AnyEvent) -> None:
        """Record that the consumer has processed *event*."""
        match event:
            case JobLogLine(job=job, line=line) if self.outbox.is_recorded:
                self._offsets[job.id] = line.end
                self.outbox.record_log_offset(job.id, _name(job.id), line.end)
            case JobLogEnded(job=job) | JobLogFailed(job=job) if job.id in self._logs:
                ended = evolve(self._logs[job.id], log_ended=True)
                self._keep(ended)
                self._remember(ended)
            case JobFinished(job=Job(id=job_id)) | JobDeleted(job_id=job_id):
                if job_id in self._logs:
                    self._keep(evolve(self._logs[job_id], job_ended=True))

    def _keep(self, log: TrackedLog) -> None:
        if log.log_ended and log.job_ended:
            self._forget(log.job.id)
            return
        self._logs[log.job.id] = log
        self.outbox.put(_name(log.job.id), log, ())

    def _remember(self, log: TrackedLog) -> None:
        # Overlapping targets may each emit the job's end later.
        self._ended[log.job.id] = log.stem
        while len(self._ended) > _MAX_REMEMBERED:
            oldest = next(iter(self._ended))
            del self._ended[oldest]
            self._forget(oldest)

    def _forget(self, job_id: int) -> None:
        if self._logs.pop(job_id, None) is not None:
            self._offsets.pop(job_id, None)
            self.outbox.record_log_offset(job_id, _name(job_id), None)
            self.outbox.forget(_name(job_id))


def _name(job_id: int) -> str:
    return f"{_PREFIX}{job_id}"


def log_started_by(event: AnyEvent) -> TrackedLog | None:
    """Return the log to follow after *event*, also if it is followed already.

    That is the log of a job that runs, or that ended since the baseline.
    """
    if not isinstance(event, JobAppeared | JobChanged | JobFinished):
        return None
    job = event.job
    # Bridges and skipped jobs have no log.
    if not isinstance(job, Job) or job.status == JobStatus.SKIPPED:
        return None
    has_run = isinstance(event, JobFinished) and job.started_at is not None
    if not (job.status in _WRITING or has_run):
        return None
    stem = "/".join(event.key.split("/")[:2])
    stem = "" if stem == f"job/{job.id}" else stem
    return TrackedLog(event.project, job, stem=stem, is_new=event.is_new)
