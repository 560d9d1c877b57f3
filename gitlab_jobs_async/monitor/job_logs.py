"""Follow the log of each monitored job, from when the job is seen to run."""

from contextlib import aclosing
from functools import partial
from zlib import crc32

from attrs import define, field

from gitlab_jobs_async.api import endpoints
from gitlab_jobs_async.api.capabilities import ServerCapabilities
from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.errors import AuthenticationError, GitLabError
from gitlab_jobs_async.events import AnyEvent, JobLogEnded, JobLogFailed, JobLogLine
from gitlab_jobs_async.http.transport import Transport
from gitlab_jobs_async.logs.follow import JobLog
from gitlab_jobs_async.logs.follower import FollowOptions
from gitlab_jobs_async.logs.items import TailedLine, TailEnded, TailFailed
from gitlab_jobs_async.logs.merge import tail_items
from gitlab_jobs_async.logs.poll_queue import LogPollQueue, PollSource
from gitlab_jobs_async.models.logs import LogLine
from gitlab_jobs_async.monitor.token_check import TokenCheck
from gitlab_jobs_async.monitor.tracked_logs import TrackedLog, TrackedLogs, log_started_by
from gitlab_jobs_async.polling.polls import Polls

_MAX_DENIALS = 3


@define(eq=False, repr=False)
class JobLogs:
    """The logs of a shard, whose lines go to *queue* under its number; `resume` enables them."""

    _transport: Transport
    _capabilities: ServerCapabilities
    _polls: Polls
    _token: TokenCheck
    _tracked: TrackedLogs
    _queue: LogPollQueue[tuple[int, int], AnyEvent]
    _shard: int = 0
    _followed: set[int] = field(factory=set[int], init=False)
    _is_enabled: bool = field(default=False, init=False)

    def resume(self) -> None:
        """Follow the logs that an earlier monitor did not finish, and those of new jobs."""
        self._is_enabled = True
        for log in self._tracked.unfinished():
            self._follow(log)

    def on_event(self, event: AnyEvent) -> None:
        """Follow the log of a job that runs since *event*."""
        log = log_started_by(event) if self._is_enabled else None
        if log is not None and self._tracked.start(log):
            self._follow(log)

    def acknowledge(self, event: AnyEvent) -> None:
        """Record that the consumer has processed *event*."""
        self._tracked.acknowledge(event)
        if isinstance(event, JobLogEnded | JobLogFailed):
            self._followed.discard(event.job.id)

    def _follow(self, log: TrackedLog) -> None:
        job_id = log.job.id
        key = self._shard, job_id
        self._queue.remove(key)  # the log of another job that had this id before a reset
        self._followed.add(job_id)
        self._queue.add(key, partial(self._events, log, self._tracked.offset(job_id)))

    @property
    def is_following(self) -> bool:
        """Whether the end of any log is still to be acknowledged."""
        return bool(self._followed)

    def stop(self) -> None:
        """Follow no log any more; another process may follow them from the recorded offsets."""
        for job_id in self._followed:
            self._queue.remove((self._shard, job_id))
        self._followed.clear()

    async def _events(self, log: TrackedLog, offset: int) -> PollSource[AnyEvent]:
        """Yield the lines of *log* from byte *offset* on, and then its end.

        Raises:
            AuthenticationError: the token is refused.
        """
        project, job = log.project, log.job
        # The id stays valid when the project moves; the path does not.
        where = job.project_id or project
        # A rate limit pauses all logs, and says nothing about this one.
        options = FollowOptions(
            self._polls.policy, max_denials=_MAX_DENIALS, outlasts_rate_limits=True
        )
        trace = JobLog(self._transport, self._capabilities, where, job.id, self._polls, options)
        key = f"{log.stem or f'job/{job.id}'}/log"
        is_new = log.is_new or offset > 0
        async with aclosing(tail_items(trace, offset=offset)) as items:
            async for item in items:
                match item:
                    case TailedLine(line=line):
                        line_key = _line_key(key, line)
                        yield JobLogLine(
                            key=line_key, is_new=is_new, project=project, job=job, line=line
                        )
                    case TailEnded():
                        yield JobLogEnded(key=f"{key}/ended", project=project, job=job)
                    case TailFailed(error=error):
                        await self._check_token(error, endpoints.get_job(where, job.id))
                        reason = str(error)
                        yield JobLogFailed(
                            key=f"{key}/failed", project=project, job=job, reason=reason
                        )
                    case _:
                        is_new = True  # a wait: later lines were written after the first poll
                        yield item

    async def _check_token(self, error: GitLabError, request: Request) -> None:
        """Raise *error* if it shows that the token is refused."""
        if isinstance(error, AuthenticationError) and await self._token.is_refused(request):
            raise error


def _line_key(key: str, line: LogLine) -> str:
    # The offset alone is not unique: lines of two streams may have the same one.
    text = f"{line.at}{line.raw}".encode(errors="replace")
    return f"{key}/{line.end}/{crc32(text):08x}"
