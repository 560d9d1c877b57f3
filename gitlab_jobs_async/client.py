"""Client of one GitLab server."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from os import PathLike
from typing import Any, Literal, overload

from attrs import evolve

from gitlab_jobs_async import logs, models
from gitlab_jobs_async import monitor as monitors
from gitlab_jobs_async import store as stores
from gitlab_jobs_async.api import endpoints
from gitlab_jobs_async.api.decode_warnings import log_ignored_value
from gitlab_jobs_async.api.decoding import decode
from gitlab_jobs_async.api.parameters import (
    integer,
    positive_id,
)
from gitlab_jobs_async.http.calls import report_calls
from gitlab_jobs_async.jobs_client import JobsClient
from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.polling.policy import PollPolicy, poll_policy


@report_calls
class GitLab(JobsClient):
    """Client of a GitLab server: `async with GitLab(url, auth=token) as gitlab:`.

    Args:
        url: URL of the server, with its relative path if it has one.
        auth: `PrivateToken`, `BearerToken` or `JobToken`; a string is a private token. Or a
            function without arguments, plain or async, that returns one of these: it is called
            before the first request and after a 401, and has *timeout* seconds.
        session: an open `aiohttp.ClientSession` to use; it is never changed or closed.
        ssl: `TLSConfig`, `ssl.SSLContext`, or `False` to accept any certificate. `None` reads the
            variables that `TLSConfig` lists, or leaves TLS to *session*. Hosts that the server
            redirects to are verified in the same way, and never get a client certificate.
        concurrency: maximum number of requests in flight, and separately of open streams.
        timeout: seconds for one attempt of a request, and between two pieces of a stream. Half of
            it for the connection.
        retry: when a failed request is sent again.
        polling: how often jobs, logs and pipelines are polled; the default of *polling* of calls.
        budget: rate limits, and the fair share of all requests in them.
        limits: maximum sizes of responses.
        user_agent: products that precede ours in `User-Agent`, such as "my-bot/1.2".
        hooks: functions that are called before and after each HTTP request.
        clock: source of time for all waiting.

    Proxies come from `https_proxy`, `http_proxy`, `all_proxy` and `no_proxy`, as in curl
    (https://curl.se/docs/manpage.html#ENVIRONMENT). A *session* uses its own, and these with
    `trust_env`. netrc is never used.

    Raises:
        ValueError, TypeError: an argument is invalid; the message says what is expected.
    """

    async def get_token_job(self) -> Job:
        """Return the job of the client's `JobToken`.

        See https://docs.gitlab.com/api/jobs/#get-job-tokens-job.
        """
        answer = await self._transport.send(endpoints.get_token_job())
        return decode(answer, Job, log_ignored_value)

    async def get_allowed_agents(self) -> "models.AllowedAgents":
        """Return the Kubernetes agents that the `JobToken`'s job may use.

        See https://docs.gitlab.com/api/jobs/#get-gitlab-agent-by-ci_job_token.
        """
        answer = await self._transport.send(endpoints.get_allowed_agents())
        return decode(answer, models.AllowedAgents, log_ignored_value)

    def tail_jobs(
        self,
        jobs: Iterable["logs.TailTarget"],
        *,
        lines: int | None = None,
        matching: Callable[["logs.TailedLine"], bool] | None = None,
        offsets: Mapping["logs.JobKey", int] | None = None,
        follow: bool = True,
        follow_retries: bool = False,
        polling: PollPolicy | None = None,
    ) -> AbstractAsyncContextManager["logs.JobLines"]:
        """Merge many logs: `async with … as lines: async for item in lines`.

        *jobs* are pairs of project and job id, or values of `Job`, with a `project_id`; 1 and
        "group/app" are two projects here. The status of an unfinished `Job` counts as just polled.
        *offsets* maps pairs to the byte to begin at, as *offset* of `Project.tail`; the other logs
        begin at 0. `lines.add(project, job_id)` and `lines.remove(project, job_id)` change the jobs
        during the iteration. With *matching*, a function, only each `TailedLine` for which it
        returns true is emitted, and counted as *lines*.

        An item is a `TailedLine`, or once for each log a `TailEnded`, which has the finished job,
        or a `TailFailed`, which has the error and does not stop the other logs. The iteration ends
        when all logs have ended. No log is read ahead of the consumer: a slow consumer causes fewer
        polls. At most *concurrency* logs are polled at once, the longest due first; a waiting log
        costs a few KB. One listing shows the statuses of all jobs of a project. With
        *follow_retries*, items of a next attempt have its `job_id`, and each attempt its own
        `TailEnded`; `remove` takes the id that was added. Other options are those of
        `Project.tail`.

        Raises:
            TypeError, ValueError: an argument is invalid; raised before any request.
        """
        options = logs.FollowOptions(poll_policy(polling, self._polls.policy))
        return logs.tail_logs(
            self._transport,
            self._capabilities,
            self._polls,
            logs.log_starts(
                jobs, offsets or {}, None if lines is None else integer("lines", lines)
            ),
            matching=matching,
            follow=follow,
            follow_retries=logs.check_follow_retries(follow_retries=follow_retries, follow=follow),
            options=options,
        )

    @overload
    def monitor(
        self,
        targets: Iterable["monitors.Target"],
        *,
        logs: bool = ...,
        downstream: Literal[False] = ...,
        checkpoint: "stores.Store | str | PathLike[str] | None" = ...,
        complete: bool = ...,
        shards: int = ...,
        polling: PollPolicy | None = ...,
    ) -> AbstractAsyncContextManager["monitors.Monitor[Job]"]: ...

    @overload
    def monitor(
        self,
        targets: Iterable["monitors.Target"],
        *,
        logs: bool = ...,
        downstream: bool,
        checkpoint: "stores.Store | str | PathLike[str] | None" = ...,
        complete: bool = ...,
        shards: int = ...,
        polling: PollPolicy | None = ...,
    ) -> AbstractAsyncContextManager["monitors.Monitor[Job | Bridge]"]: ...

    def monitor(
        self,
        targets: Iterable["monitors.Target"],
        *,
        logs: bool = False,
        downstream: bool = False,
        checkpoint: "stores.Store | str | PathLike[str] | None" = None,
        complete: bool = False,
        shards: int = 1,
        polling: PollPolicy | None = None,
    ) -> AbstractAsyncContextManager["monitors.Monitor[Any]"]:
        """Emit events of many projects: `async with ... as events: async for event in events`.

        Events (`gitlab_jobs_async.events`) begin with the unfinished jobs, then report each change
        once. Active projects are polled every few seconds, idle ones at growing intervals of up to
        3 minutes, all within the client's `budget`. From 10 projects on, GraphQL is asked about
        many at once. If there are more than 10 projects for each request a minute, jobs may come
        from there, with `is_partial` set: see `Job`.

        Args:
            targets: projects by id or path, `PipelineTarget`, `JobTarget`, `Pipeline` and `Job`,
                and `GroupTarget`, whose projects are kept up to date by a listing every 5 minutes;
                `events.add` and `events.remove` change them during the iteration.
            logs: also emit the log lines of running jobs.
            downstream: also emit bridges, and follow them into pipelines of other projects; no job
                is partial.
            checkpoint: path of a file, "postgresql://…" or a `Store`. The next monitor with it
                resumes where this one ended: an event is acknowledged by requesting the next one,
                and emitted at least once, under the same `key`. Where several processes run the
                same monitor, one is active and the others take over when it ends.
            complete: poll a project by REST before any event that a question by GraphQL has shown,
                so that no job is partial. It costs a request for each project and burst of changes.
            shards: parts of the targets, which processes with one store divide among them; the
                same number in each.
            polling: how often single pipelines, single jobs and logs are polled while the budget
                has room; the client's policy by default.

        Raises:
            AuthenticationError: while iterating, if the token is invalid or revoked.
            StoreError: the store is unusable, or about another server.
            TypeError, ValueError: a target, `checkpoint` or `shards` is invalid.
        """
        if positive_id("shards", shards) > 1 and checkpoint is None:
            raise ValueError(f"invalid shards {shards}: expected a checkpoint, which they share")
        how = monitors.MonitorOptions(
            logs,
            downstream,
            None if checkpoint is None else stores.store_named(checkpoint),
            complete,
            shards,
        )
        policy = poll_policy(polling, self._polls.policy)
        return monitors.monitored(
            self._transport,
            self._capabilities,
            self._schedule,
            evolve(self._polls, policy=policy),
            monitors.normalize_targets(targets),
            how,
        )
