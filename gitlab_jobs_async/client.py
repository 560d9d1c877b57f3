"""One GitLab server: one connection pool for all that is done with it."""

import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, suppress
from os import PathLike
from ssl import SSLContext
from types import TracebackType
from typing import Self, TypedDict, Unpack

import aiohttp

from gitlab_jobs_async.api import endpoints
from gitlab_jobs_async.api.capabilities import ServerCapabilities
from gitlab_jobs_async.api.credentials import (
    Credentials,
    credentials_from,
    from_environment,
)
from gitlab_jobs_async.api.decode_warnings import log_ignored_value
from gitlab_jobs_async.api.decoding import UndecodedRow, decode
from gitlab_jobs_async.api.environment import GITLAB_COM
from gitlab_jobs_async.api.parameters import (
    ProjectId,
    Scope,
    positive_id,
    project_path,
    seconds,
    whole_number,
)
from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.api.responses import Response
from gitlab_jobs_async.api.urls import ServerUrl
from gitlab_jobs_async.clock import Clock, SystemClock
from gitlab_jobs_async.concurrency import task_pool
from gitlab_jobs_async.http.body_limits import Limits
from gitlab_jobs_async.http.error_mapping import clear_locals
from gitlab_jobs_async.http.tls_config import TLSConfig
from gitlab_jobs_async.http.tls_context import tls_contexts
from gitlab_jobs_async.http.transport import Transport
from gitlab_jobs_async.intervals import PollIntervals
from gitlab_jobs_async.listing.fetch import by_keyset, filter_ref, iter_pages, newest_first
from gitlab_jobs_async.listing.strategy import PageStrategy
from gitlab_jobs_async.logs.follower import FollowOptions
from gitlab_jobs_async.logs.merge import JobKey, JobLines, TailTarget, jobs_with_offsets, tail_logs
from gitlab_jobs_async.models.agents import AllowedAgents
from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.monitor.checkpoint.protocol import Checkpoint
from gitlab_jobs_async.monitor.monitor import Monitor, MonitorOptions, checkpoint_of, monitored
from gitlab_jobs_async.monitor.schedule.shared import SharedSchedule
from gitlab_jobs_async.monitor.watch.factory import Target, normalize_targets
from gitlab_jobs_async.project import Project
from gitlab_jobs_async.ratelimit.budget import RequestBudget
from gitlab_jobs_async.retry.policy import RetryPolicy


class Overrides(TypedDict, total=False):
    """What `GitLab.from_env` takes beside the environment: everything that `GitLab` does."""

    url: str
    auth: Credentials | str | None
    session: aiohttp.ClientSession | None
    ssl: SSLContext | TLSConfig | bool | None
    concurrency: int
    timeout: float
    retry: RetryPolicy
    budget: RequestBudget | None
    limits: Limits
    clock: Clock | None


class GitLab:
    """A GitLab server, to be used as `async with GitLab(url, auth=token) as gitlab:`.

    *auth* is a private token as a string, a `PrivateToken`, `BearerToken` or `JobToken`, or `None`.
    At most *concurrency* requests are in flight at once, and as many streams open beside them: the
    next one waits until a block ends. *timeout* is seconds for one try of a request (half of it for
    making the connection), or between two pieces of a stream; *retry* is when it is tried again. A
    *session* of the caller's own is used as it is, never closed and never changed. *budget* is what
    all requests share: how often the caller or the server lets them go, and who goes first.
    *limits* bound what an answer may hold. Waiting goes through *clock*.

    *ssl* says which certificates are trusted and shown: a `TLSConfig`, an `ssl.SSLContext`, `False`
    for no verification, or `None` for what `SSL_CERT_FILE`, `SSL_CERT_DIR`, `REQUESTS_CA_BUNDLE`,
    `CURL_CA_BUNDLE` and `CI_SERVER_TLS_CA_FILE`, `_CERT_FILE` and `_KEY_FILE` name (with *session*:
    for what that was made with). Places to which the server redirects are held to the same trust
    and are shown no client certificate; of a context of the caller's, only authorities loaded from
    files or memory count there.

    Proxies are those of `https_proxy`, `http_proxy`, `all_proxy` and `no_proxy`, as curl reads
    them; a *session* has its own, and those of the environment if it was made with `trust_env`.
    netrc is never used.

    Raises:
        ValueError, TypeError: an argument cannot be right; the message says what is allowed.
    """

    def __init__(
        self,
        url: str = GITLAB_COM,
        *,
        auth: Credentials | str | None = None,
        session: aiohttp.ClientSession | None = None,
        ssl: SSLContext | TLSConfig | bool | None = None,
        concurrency: int = 16,
        timeout: float = 30.0,
        retry: RetryPolicy = RetryPolicy(),
        budget: RequestBudget | None = None,
        limits: Limits = Limits(),
        clock: Clock | None = None,
    ) -> None:
        auth, given = None, auth
        try:
            auth = credentials_from(given)
        except (TypeError, ValueError) as error:
            clear_locals(error)
            raise
        finally:
            del given  # error reporters collect locals
        if session is not None and not isinstance(session, aiohttp.ClientSession):
            raise TypeError(f"session must be an aiohttp.ClientSession, not {session!r}")
        if not isinstance(retry, RetryPolicy):
            raise TypeError(f"retry must be a RetryPolicy, not {retry!r}")
        if budget is not None and not isinstance(budget, RequestBudget):
            raise TypeError(f"budget must be a RequestBudget, not {budget!r}")
        if not isinstance(limits, Limits):
            raise TypeError(f"limits must be Limits, not {limits!r}")
        server = ServerUrl.parse(url)
        self._transport = Transport(
            server,
            auth,
            session=session,
            concurrency=positive_id("concurrency", concurrency),
            timeout=seconds("timeout", timeout),
            retry=retry,
            budget=RequestBudget() if budget is None else budget,
            limits=limits,
            tls=tls_contexts(server, os.environ, given=ssl, has_session=session is not None),
            clock=clock or SystemClock(),
        )
        self._capabilities = ServerCapabilities()
        self._schedule = SharedSchedule(self._transport.concurrency)

    @classmethod
    def from_env(cls, **overrides: Unpack[Overrides]) -> Self:
        """A client for the server and token that environment variables name.

        The server is that of `GITLAB_URL`, `GITLAB_HOST`, `GL_HOST`, `GITLAB_URI`,
        `GITLAB_BASE_URL`, `GITLAB_API_URL` or another name that a tool has for it, a URL or a
        host; else that of the CI job (`CI_SERVER_URL`, `CI_API_V4_URL`, `CI_SERVER_FQDN`,
        `CI_SERVER_HOST`), else https://gitlab.com. The token is `GITLAB_TOKEN` or
        `GITLAB_PRIVATE_TOKEN`, else `GITLAB_OAUTH_TOKEN`, else `CI_JOB_TOKEN`; each is taken only
        for its own server. *overrides* are arguments of `GitLab`.

        Raises:
            ValueError: there is no token, neither in the environment nor as *auth*; or variables
                name different servers, or another server than gitlab.com under a name that is not
                read: a token goes to no server that was guessed.
        """
        try:
            if not {"url", "auth"} <= overrides.keys():
                needs_token = "auth" not in overrides
                url, credentials = from_environment(
                    os.environ, overrides.get("url"), needs_token=needs_token
                )
                overrides = {"url": url, "auth": credentials, **overrides}
            return cls(**overrides)
        except (TypeError, ValueError) as error:
            clear_locals(error)
            raise
        finally:
            del overrides  # a token given as auth= may stand in it

    async def __aenter__(self) -> Self:
        await self._transport.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._transport.close()

    def __repr__(self) -> str:
        server = self._transport.server
        return f"{type(self).__name__}({server.origin + server.prefix!r})"

    @property
    def budget(self) -> RequestBudget:
        """What this client may ask of its server; `budget.snapshot()` says how things stand."""
        return self._transport.budget

    def project(self, project: ProjectId) -> Project:
        """The project with this numeric id or full path, such as 17 or "group/app"; no request."""
        project_path(project)
        return Project(project, self._transport, self._capabilities)

    async def get_token_job(self) -> Job:
        """The job that the client's `JobToken` belongs to.

        See https://docs.gitlab.com/api/jobs/#get-job-tokens-job.
        """
        return decode(await self.send(endpoints.get_token_job()), Job, log_ignored_value)

    async def get_allowed_agents(self) -> AllowedAgents:
        """The agents for Kubernetes that the `JobToken`'s job may use.

        See https://docs.gitlab.com/api/jobs/#get-gitlab-agent-by-ci_job_token.
        """
        answer = await self.send(endpoints.get_allowed_agents())
        return decode(answer, AllowedAgents, log_ignored_value)

    async def list_jobs(
        self, projects: Iterable[ProjectId], *, scope: Scope = (), ref: str | None = None
    ) -> dict[ProjectId, list[Job]]:
        """All jobs of several projects, fetched side by side; keys are as given, in that order.

        The first project that fails ends the call with its error; to have the others all the same,
        call `Project.list_jobs` for each and catch what each raises.
        """
        walks = self._job_walks(projects, scope, ref)
        listed: dict[ProjectId, list[Job]] = {project: [] for project, _ in walks}
        async with task_pool() as flight:
            async for project, page in iter_pages(flight, self._transport, walks, Job):
                listed[project] += filter_ref(page, ref)
        return {project: newest_first(jobs) for project, jobs in listed.items()}

    @asynccontextmanager
    async def stream_jobs(
        self, projects: Iterable[ProjectId], *, scope: Scope = (), ref: str | None = None
    ) -> AsyncIterator[AsyncIterator[tuple[ProjectId, Job]]]:
        """The same jobs as they arrive, each with its project as it was given.

        `async with … as jobs: async for project, job in jobs`. A few pages are in memory: the next
        ones are asked for only as these are consumed. Leaving the block ends what is under way.
        """
        walks = self._job_walks(projects, scope, ref)
        async with task_pool() as flight:
            pages = iter_pages(flight, self._transport, walks, Job)
            jobs = _one_by_one(pages, ref)
            try:
                yield jobs
            finally:
                await flight.close()
                # Another task that still reads has just been told; it closes them itself.
                with suppress(RuntimeError):
                    await jobs.aclose()

    def _job_walks(
        self, projects: Iterable[ProjectId], scope: Scope, ref: str | None
    ) -> list[tuple[ProjectId, PageStrategy[UndecodedRow]]]:
        """A walk for each project once; all are checked before any is taken."""
        if isinstance(projects, str | bytes | int):
            raise TypeError(f"projects must be several ids or paths, not {projects!r}")
        requests = [
            (project, endpoints.list_jobs(project, scope=scope, ref=ref)) for project in projects
        ]
        return [
            (project, by_keyset(self._transport, self._capabilities, request))
            for project, request in dict(requests).items()
        ]

    def tail_jobs(
        self,
        jobs: Iterable[TailTarget],
        *,
        lines: int | None = None,
        offsets: Mapping[JobKey, int] | None = None,
        follow: bool = True,
        min_interval: float = 3.0,
        max_interval: float = 60.0,
        outage_timeout: float = 300.0,
    ) -> AbstractAsyncContextManager[JobLines]:
        """Merge many logs: `async with … as lines: async for item in lines`.

        *jobs* are pairs of project and job id, or `Job`s, which stand for their `project_id`; 1 and
        "group/app" are two projects here. *offsets* has the byte to begin at by such a pair, as
        *offset* of `Project.tail`; the other logs begin at 0. `lines.add(project, job_id)` and
        `lines.remove(project, job_id)` change the jobs meanwhile.

        An item is a `TailedLine`; or, once a log, a `TailEnded` or a `TailFailed`, which has the
        error and does not stop the other logs. The iteration ends when all logs have ended. No log
        is read ahead of the consumer: a slow one causes fewer polls. At most *concurrency* logs are
        polled at once, the longest due first; a waiting log costs a few KB. Everything else is as
        with `Project.tail`.

        Raises:
            TypeError, ValueError: an argument is invalid; raised before any request.
        """
        options = FollowOptions(PollIntervals(min_interval, max_interval), outage_timeout)
        return tail_logs(
            self._transport,
            self._capabilities,
            jobs_with_offsets(jobs, offsets or {}),
            last=None if lines is None else whole_number("lines", lines),
            follow=follow,
            options=options,
        )

    def monitor(
        self,
        targets: Iterable[Target],
        *,
        logs: bool = False,
        downstream: bool = False,
        checkpoint: Checkpoint | str | PathLike[str] | None = None,
    ) -> AbstractAsyncContextManager[Monitor]:
        """What happens in many projects: `async with … as events: async for event in events`.

        *targets* are projects by id or path, and `PipelineTarget`s, `JobTarget`s, `Pipeline`s and
        `Job`s; `events.add` and `events.remove` change them meanwhile. The events are those of
        `monitor.events`: first what goes on already, then whatever changes, all of it
        once. Projects where something happens are looked at every few seconds, idle ones ever more
        rarely, down to every 3 minutes, and all within the client's `budget`.

        With *logs* the lines of jobs that run are told, too; with *downstream* the bridges, and
        pipelines in other projects that they lead to. With *checkpoint*, the path of a file, one
        that is begun anew goes on where this one was: an event counts as told when the next one is
        asked for, and each is told at least once, under the same `key`.

        Raises:
            AuthenticationError: from the iteration: the token is not good, or no longer.
            CheckpointError: the checkpoint is in use by another monitor, or cannot be used.
            TypeError, ValueError: one of *targets* is nothing that can be watched.
        """
        how = MonitorOptions(logs, downstream, checkpoint_of(checkpoint))
        return monitored(
            self._transport, self._capabilities, self._schedule, normalize_targets(targets), how
        )

    async def send(self, request: Request) -> Response:
        """The whole answer to any request of GitLab's REST API: the way to what has no method.

        `Request("GET", "/version")` stands below `/api/v4`; credentials, retries and redirects are
        as everywhere. An error status is raised as `ResponseError`, an answer beyond `Limits.page`
        as `ResponseTooLargeError`.
        """
        return await self._transport.send(request)


async def _one_by_one(
    pages: AsyncGenerator[tuple[ProjectId, Sequence[Job]], None], ref: str | None
) -> AsyncGenerator[tuple[ProjectId, Job], None]:
    async with aclosing(pages):
        async for project, page in pages:
            for job in filter_ref(page, ref):
                yield project, job
