"""The logs of jobs that a monitor watches: each begins when its job is told to run.

Which of them are told, and how far, is in the checkpoint until the job's own end is told, too: not
before that is the log certain never to begin anew.
"""

from collections.abc import Mapping
from contextlib import aclosing
from zlib import crc32

from attrs import evolve, frozen

from gitlab_jobs_async.api import endpoints
from gitlab_jobs_async.api.capabilities import ServerCapabilities
from gitlab_jobs_async.errors import AuthenticationError, CheckpointError
from gitlab_jobs_async.events import (
    Event,
    JobAppeared,
    JobChanged,
    JobDeleted,
    JobFinished,
    JobLogEnded,
    JobLogFailed,
    JobLogLine,
)
from gitlab_jobs_async.http.transport import Transport
from gitlab_jobs_async.logs.follow import JobLog
from gitlab_jobs_async.logs.follower import FollowOptions
from gitlab_jobs_async.logs.items import TailedLine, TailEnded, TailFailed
from gitlab_jobs_async.logs.merge import tail_items
from gitlab_jobs_async.logs.poll_queue import PollSource
from gitlab_jobs_async.models.jobs import Job, LogLine
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.monitor.checkpoint.protocol import Checkpoint
from gitlab_jobs_async.monitor.checkpoint.serialization import dumps, loads
from gitlab_jobs_async.monitor.token_check import TokenCheck

_LOG = "log of job "
_MOST_REMEMBERED = 10_000
_MOST_DENIALS = 3
_WRITING = frozenset({JobStatus.RUNNING, JobStatus.CANCELING})


@frozen
class TrackedLog:
    """A log that is told, for the checkpoint: of the *job* as it was, for *project*.

    It *is_over* when the end of the log was told, and *is_done* when that of the job was. *stem* is
    what the keys of the job begin with since a reset, when its id may be another job's.
    """

    project: int | str
    job: Job
    is_over: bool = False
    is_done: bool = False
    stem: str = ""


class TrackedLogs:
    """The logs that are told or were, each once; by the *states* of an earlier monitor, too.

    Raises:
        CheckpointError: what that has recorded cannot be read.
    """

    def __init__(self, checkpoint: Checkpoint | None, states: Mapping[str, bytes]) -> None:
        self._checkpoint = checkpoint
        self._logs: dict[int, TrackedLog] = {}
        self._over: dict[int, str] = {}
        for name, state in states.items():
            if checkpoint is not None and name.startswith(_LOG):
                try:
                    log = loads(state, TrackedLog)
                except ValueError as error:
                    raise CheckpointError(checkpoint.path, f"the {name}: {error}") from error
                self._logs[log.job.id] = log
                if log.is_over:
                    self._remember(log)

    def unfinished(self) -> list[TrackedLog]:
        """Those whose end has not been told."""
        return [log for log in self._logs.values() if not log.is_over]

    def offset(self, job_id: int) -> int:
        """The byte of this log that is to be told next."""
        return (self._checkpoint and self._checkpoint.log_offset(job_id)) or 0

    def begin(self, log: TrackedLog) -> bool:
        """Whether this log is to be told from now on: not if it is, or was."""
        job_id = log.job.id
        known = self._logs.get(job_id)
        stem = self._over.get(job_id) if known is None else known.stem
        if stem is not None:
            is_told = known is not None and not known.is_over
            created_at = None if known is None else known.job.created_at
            if stem == log.stem or (is_told and created_at == log.job.created_at):
                return False
            self._over.pop(job_id, None)
            self._forget(job_id)
        self._keep(log)
        return True

    def acknowledge(self, event: Event) -> None:
        """The consumer is done with *event*."""
        match event:
            case JobLogLine(job=job, line=line) if self._checkpoint is not None:
                self._checkpoint.record_log_offset(job.id, line.end)
            case JobLogEnded(job=job) | JobLogFailed(job=job) if job.id in self._logs:
                over = evolve(self._logs[job.id], is_over=True)
                self._keep(over)
                self._remember(over)
            case JobFinished(job=Job(id=job_id)) | JobDeleted(job_id=job_id):
                if job_id in self._logs:
                    self._keep(evolve(self._logs[job_id], is_done=True))

    def _keep(self, log: TrackedLog) -> None:
        if log.is_over and log.is_done:
            self._forget(log.job.id)
            return
        self._logs[log.job.id] = log
        if self._checkpoint is not None:
            self._checkpoint.record(_name(log.job.id), dumps(log), ())

    def _remember(self, log: TrackedLog) -> None:
        """Its log was told; that the job has ended may still come, also by another target."""
        self._over[log.job.id] = log.stem
        while len(self._over) > _MOST_REMEMBERED:
            oldest = next(iter(self._over))
            del self._over[oldest]
            self._forget(oldest)

    def _forget(self, job_id: int) -> None:
        if self._logs.pop(job_id, None) is not None and self._checkpoint is not None:
            self._checkpoint.forget(_name(job_id))
            self._checkpoint.forget_log(job_id)


def _name(job_id: int) -> str:
    return f"{_LOG}{job_id}"


def log_begun_by(event: Event) -> TrackedLog | None:
    """The log that is to be followed since *event* was told; one that is followed already, too.

    A job that ended before it was seen to run has its log told as well; one that had ended before
    the watching began has not.
    """
    if not isinstance(event, JobAppeared | JobChanged | JobFinished):
        return None
    job = event.job
    if not isinstance(job, Job) or job.status == JobStatus.SKIPPED:
        return None
    is_writing = job.status in _WRITING
    has_written = isinstance(event, JobFinished) and job.started_at is not None
    if not (is_writing or has_written):
        return None
    stem = "/".join(event.key.split("/")[:2])
    return TrackedLog(event.project, job, stem="" if stem == f"job/{job.id}" else stem)


async def log_events(
    transport: Transport,
    capabilities: ServerCapabilities,
    followed: TrackedLog,
    offset: int,
    token: TokenCheck,
) -> PollSource[Event]:
    """The lines from byte *offset* on until the job has ended, and how that ended.

    Raises:
        AuthenticationError: *token* finds that the token is no longer good.
    """
    job, project = followed.job, followed.project
    place = job.project_id or project
    options = FollowOptions(max_denials=_MOST_DENIALS, outlasts_rate_limits=True)
    log = JobLog(transport, capabilities, place, job.id, options)
    name = f"{followed.stem or f'job/{job.id}'}/log"
    async with aclosing(tail_items(log, offset=offset)) as items:
        async for item in items:
            match item:
                case TailedLine(line=line):
                    yield JobLogLine(key=_line_key(name, line), project=project, job=job, line=line)
                case TailEnded():
                    yield JobLogEnded(key=f"{name}/ended", project=project, job=job)
                case TailFailed(error=error):
                    is_denied = isinstance(error, AuthenticationError)
                    if is_denied and await token.is_refused(endpoints.get_job(place, job.id)):
                        raise error
                    reason = str(error)
                    yield JobLogFailed(
                        key=f"{name}/failed", project=project, job=job, reason=reason
                    )
                case _:
                    yield item


def _line_key(name: str, line: LogLine) -> str:
    """Its end alone does not do: lines of two streams may share the place to go on from."""
    said = f"{line.at}{line.raw}".encode(errors="replace")
    return f"{name}/{line.end}/{crc32(said):08x}"
