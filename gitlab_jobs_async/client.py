"""Client of one GitLab server."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, suppress
from datetime import datetime, timedelta
from os import PathLike
from typing import Any, Literal, TypeVar, overload

from attrs import evolve

from gitlab_jobs_async import failures, logs, models
from gitlab_jobs_async import monitor as monitors
from gitlab_jobs_async.api import endpoints
from gitlab_jobs_async.api.decode_warnings import log_ignored_value
from gitlab_jobs_async.api.decoding import decode
from gitlab_jobs_async.api.parameters import (
    GroupId,
    ProjectId,
    Scope,
    group_path,
    integer,
    project_path,
)
from gitlab_jobs_async.api.rows import UndecodedRow
from gitlab_jobs_async.concurrency import task_pool
from gitlab_jobs_async.group import Group
from gitlab_jobs_async.listing.fetch import by_keyset, filter_ref, iter_pages, newest_first
from gitlab_jobs_async.listing.strategy import PageStrategy
from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.monitor.targets import GroupTarget
from gitlab_jobs_async.polling.policy import PollPolicy, poll_policy
from gitlab_jobs_async.project import Project
from gitlab_jobs_async.server_client import ServerClient

T = TypeVar("T")


class GitLab(ServerClient):
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

    def project(self, project: ProjectId) -> Project:
        """Return a project by numeric id or full path, such as "group/app", without a request."""
        project_path(project)
        # Shared, so that all projects profit from one discovery about the server.
        return Project(project, self._transport, self._capabilities, self._polls)

    def group(self, group: GroupId) -> Group:
        """Return a group by numeric id or full path, such as "shop/web", without a request."""
        group_path(group)
        return Group(group, self._transport)

    async def get_token_job(self) -> Job:
        """Return the job of the client's `JobToken`.

        See https://docs.gitlab.com/api/jobs/#get-job-tokens-job.
        """
        return decode(await self.send(endpoints.get_token_job()), Job, log_ignored_value)

    async def get_allowed_agents(self) -> "models.AllowedAgents":
        """Return the Kubernetes agents that the `JobToken`'s job may use.

        See https://docs.gitlab.com/api/jobs/#get-gitlab-agent-by-ci_job_token.
        """
        answer = await self.send(endpoints.get_allowed_agents())
        return decode(answer, models.AllowedAgents, log_ignored_value)

    async def list_jobs(
        self,
        projects: "Iterable[ProjectId | monitors.GroupTarget]",
        *,
        scope: Scope = (),
        ref: str | None = None,
    ) -> dict[ProjectId, list[Job]]:
        """Return all jobs of several projects, by project in the given order.

        A `GroupTarget` stands for the projects of a group, archived ones aside; their keys are
        paths. Projects are fetched concurrently. The first one that fails ends the call with its
        error; call `Project.list_jobs` for each to handle errors one by one.
        """
        walks = self._job_walks(await self._expanded(projects, scope, ref), scope, ref)
        listed: dict[ProjectId, list[Job]] = {project: [] for project, _ in walks}
        async with task_pool() as flight:
            async for project, page in iter_pages(flight, self._transport, walks, Job):
                listed[project] += filter_ref(page, ref)
        # Concurrent pages arrive in any order.
        return {project: newest_first(jobs) for project, jobs in listed.items()}

    @asynccontextmanager
    async def stream_jobs(
        self,
        projects: "Iterable[ProjectId | monitors.GroupTarget]",
        *,
        scope: Scope = (),
        ref: str | None = None,
    ) -> AsyncIterator[AsyncIterator[tuple[ProjectId, Job]]]:
        """Yield the jobs of several projects as they arrive, each with its project as given.

        A `GroupTarget` stands for the projects of a group, by their paths.

        `async with gitlab.stream_jobs([1, 2]) as jobs: async for project, job in jobs`. Pages are
        requested as jobs are consumed; only a few are in memory. The end of the block cancels
        pending requests.
        """
        walks = self._job_walks(await self._expanded(projects, scope, ref), scope, ref)
        async with task_pool() as flight:
            pages = iter_pages(flight, self._transport, walks, Job)
            jobs = _one_by_one(pages, ref)
            try:
                yield jobs
            finally:
                await flight.close()
                # Another task may still iterate; it was just cancelled, and closes them itself.
                with suppress(RuntimeError):
                    await jobs.aclose()

    async def _expanded(
        self, projects: "Iterable[ProjectId | monitors.GroupTarget]", scope: Scope, ref: str | None
    ) -> list[ProjectId]:
        """Return the projects, with those of groups by their paths, after a check of all."""
        given = list(_several(projects))
        for one in given:
            if isinstance(one, GroupTarget):
                group_path(one.group)
                endpoints.list_jobs(1, scope=scope, ref=ref)
            else:
                endpoints.list_jobs(one, scope=scope, ref=ref)
        found: list[ProjectId] = []
        for one in given:
            if isinstance(one, GroupTarget):
                rows = await self.group(one.group).list_projects(
                    include_subgroups=one.include_subgroups, archived=False
                )
                found += [row.path_with_namespace for row in rows]
            else:
                found.append(one)
        return found

    def _job_walks(
        self, projects: Iterable[ProjectId], scope: Scope, ref: str | None
    ) -> list[tuple[ProjectId, PageStrategy[UndecodedRow]]]:
        """Return a page strategy for each distinct project."""
        requests = [
            (project, endpoints.list_jobs(project, scope=scope, ref=ref)) for project in projects
        ]
        return [
            (project, by_keyset(self._transport, self._capabilities, request))
            for project, request in dict(requests).items()
        ]

    async def list_failures(
        self,
        projects: "Iterable[ProjectId | monitors.GroupTarget]",
        *,
        since: datetime | timedelta,
        ref: str | None = None,
        lookback: timedelta = timedelta(days=1),
    ) -> "list[models.FailureGroup]":
        """Return the failed jobs of several projects by project, name and reason, most jobs first.

        A project is read up to its first job that was created more than *lookback* before *since*.
        So a job that waited for longer, such as a manual one, is missing. `flaky_ids` of a group
        are the jobs that passed on retry, as far as the retry has finished. Bridges are missing:
        GitLab does not list them with jobs.

        A project without failures costs one request; else one for each 100 failed jobs, and up to
        two more. The search for retries costs one for each 100 successful jobs since the oldest
        failure, but at most two for each pipeline with a failed job and up to 100 successful ones.

        Args:
            projects: ids, paths or groups; the first that fails ends the call with its error.
            since: the earliest end of the jobs: a time with its zone, or the time from then to now.
            ref: a branch or tag. Servers before GitLab 19 list all refs; only the result has one.
            lookback: how long before *since* a job may have been created.

        Raises:
            TypeError, ValueError: an argument is invalid; raised before any request.
        """
        period = failures.Period.of(since, lookback, self._transport.clock.now())
        endpoints.list_jobs(1, ref=ref)  # Raises now: the projects are read in tasks.
        given = await self._expanded(projects, (), ref)
        each = [self.project(project) for project in dict.fromkeys(given)]
        return await failures.read_failures(each, period, ref)

    def tail_jobs(
        self,
        jobs: Iterable["logs.TailTarget"],
        *,
        lines: int | None = None,
        offsets: Mapping["logs.JobKey", int] | None = None,
        follow: bool = True,
        follow_retries: bool = False,
        polling: PollPolicy | None = None,
    ) -> AbstractAsyncContextManager["logs.JobLines"]:
        """Merge many logs: `async with … as lines: async for item in lines`.

        *jobs* are pairs of project and job id, or `Job`s, which stand for their `project_id`; 1 and
        "group/app" are two projects here. The status of an unfinished `Job` counts as just polled.
        *offsets* maps pairs to the byte to begin at, as *offset* of `Project.tail`; the other logs
        begin at 0. `lines.add(project, job_id)` and `lines.remove(project, job_id)` change the jobs
        during the iteration.

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
            logs.log_starts(jobs, offsets or {}),
            last=None if lines is None else integer("lines", lines),
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
        checkpoint: "monitors.Checkpoint | str | PathLike[str] | None" = ...,
        complete: bool = ...,
        polling: PollPolicy | None = ...,
    ) -> AbstractAsyncContextManager["monitors.Monitor[Job]"]: ...

    @overload
    def monitor(
        self,
        targets: Iterable["monitors.Target"],
        *,
        logs: bool = ...,
        downstream: bool,
        checkpoint: "monitors.Checkpoint | str | PathLike[str] | None" = ...,
        complete: bool = ...,
        polling: PollPolicy | None = ...,
    ) -> AbstractAsyncContextManager["monitors.Monitor[Job | Bridge]"]: ...

    def monitor(
        self,
        targets: Iterable["monitors.Target"],
        *,
        logs: bool = False,
        downstream: bool = False,
        checkpoint: "monitors.Checkpoint | str | PathLike[str] | None" = None,
        complete: bool = False,
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
            checkpoint: path of a file. The next monitor with it resumes where this one ended:
                an event is acknowledged by requesting the next one, and emitted at least once,
                under the same `key`.
            complete: poll a project by REST before any event that a question by GraphQL has shown,
                so that no job is partial. It costs a request for each project and burst of changes.
            polling: how often single pipelines, single jobs and logs are polled while the budget
                has room; the client's policy by default.

        Raises:
            AuthenticationError: while iterating, if the token is invalid or revoked.
            CheckpointError: another monitor uses the checkpoint, or it is unusable.
            TypeError, ValueError: a target is invalid.
        """
        how = monitors.MonitorOptions(
            logs, downstream, monitors.checkpoint_of(checkpoint), complete
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


async def _one_by_one(
    pages: AsyncGenerator[tuple[ProjectId, Sequence[Job]], None], ref: str | None
) -> AsyncGenerator[tuple[ProjectId, Job], None]:
    async with aclosing(pages):
        async for project, page in pages:
            for job in filter_ref(page, ref):
                yield project, job


def _several(projects: Iterable[T]) -> Iterable[T]:
    # A string is iterable, too: its characters would be taken for projects.
    if isinstance(projects, str | bytes | int):
        raise TypeError(f"projects must be several ids or paths, not {projects!r}")
    return projects
