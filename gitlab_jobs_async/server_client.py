"""Settings and lifetime of a client; `GitLab` inherits all of it."""

import os
from collections.abc import Mapping
from ssl import SSLContext
from types import TracebackType
from typing import Any, Final, Self, TypedDict, Unpack

import aiohttp

from gitlab_jobs_async import http
from gitlab_jobs_async.api.capabilities import ServerCapabilities
from gitlab_jobs_async.api.credentials import (
    Auth,
    checked_auth,
    from_environment,
)
from gitlab_jobs_async.api.environment import GITLAB_COM
from gitlab_jobs_async.api.parameters import (
    positive_id,
    products,
    seconds,
)
from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.api.responses import Response
from gitlab_jobs_async.api.urls import ServerUrl
from gitlab_jobs_async.clock import Clock, SystemClock
from gitlab_jobs_async.http.body_limits import Limits
from gitlab_jobs_async.http.error_mapping import clear_locals
from gitlab_jobs_async.http.tls_config import TLSConfig
from gitlab_jobs_async.http.tls_context import tls_contexts
from gitlab_jobs_async.http.transport import Transport
from gitlab_jobs_async.monitor.schedule.shared import SharedSchedule
from gitlab_jobs_async.polling.policy import PollPolicy, poll_policy
from gitlab_jobs_async.polling.polls import Polls
from gitlab_jobs_async.ratelimit.budget import RequestBudget
from gitlab_jobs_async.retry.policy import RetryPolicy

_MAX_COMPLEXITY: Final = 250
"""GitLab's limit with a token; 200 without one, 300 for an administrator."""


class Overrides(TypedDict, total=False):
    """Arguments of `GitLab.from_env`: those of `GitLab`."""

    url: str
    auth: Auth
    session: aiohttp.ClientSession | None
    ssl: SSLContext | TLSConfig | bool | None
    concurrency: int
    timeout: float
    retry: RetryPolicy
    polling: PollPolicy
    budget: RequestBudget | None
    limits: Limits
    user_agent: str | None
    hooks: "http.RequestHooks | None"
    clock: Clock | None


class ServerClient:
    """Settings, lifetime and `send` of a client, without the methods of the API."""

    def __init__(  # noqa: PLR0913 - the settings of a client
        self,
        url: str = GITLAB_COM,
        *,
        auth: Auth = None,
        session: aiohttp.ClientSession | None = None,
        ssl: SSLContext | TLSConfig | bool | None = None,
        concurrency: int = 16,
        timeout: float = 30.0,
        retry: RetryPolicy = RetryPolicy(),
        polling: PollPolicy = PollPolicy(),
        budget: RequestBudget | None = None,
        limits: Limits = Limits(),
        user_agent: str | None = None,
        hooks: "http.RequestHooks | None" = None,
        clock: Clock | None = None,
    ) -> None:
        # No local may hold a rejected token: error reporters collect locals.
        auth, given = None, auth
        try:
            checked = checked_auth(given)
        except (TypeError, ValueError) as error:
            clear_locals(error)
            raise
        finally:
            del given
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
            checked,
            user_agent="" if user_agent is None else products("user_agent", user_agent),
            session=session,
            concurrency=positive_id("concurrency", concurrency),
            timeout=seconds("timeout", timeout),
            retry=retry,
            # Not a default argument: a budget serves one open client at a time.
            budget=RequestBudget() if budget is None else budget,
            limits=limits,
            tls=tls_contexts(server, os.environ, given=ssl, has_session=session is not None),
            clock=clock or SystemClock(),
            hooks=None if hooks is None else http.request_hooks(hooks),
        )
        self._capabilities = ServerCapabilities()
        # All monitors of a client share its concurrency.
        self._schedule = SharedSchedule(self._transport.concurrency)
        policy = poll_policy(polling, PollPolicy())
        self._polls = Polls.of(
            policy, self._transport, self._capabilities, lambda: self._schedule.demand
        )

    @classmethod
    def from_env(cls, **overrides: Unpack[Overrides]) -> Self:
        """Return a client for the server and token that environment variables name.

        Server: `GITLAB_URL`, `GITLAB_HOST`, `GL_HOST`, `GITLAB_URI`, `GITLAB_BASE_URL` or
        `GITLAB_API_URL`, a URL or a host; else the CI job's (`CI_SERVER_URL`, `CI_API_V4_URL`,
        `CI_SERVER_FQDN`, `CI_SERVER_HOST`), else https://gitlab.com. Token: `GITLAB_TOKEN` or
        `GITLAB_PRIVATE_TOKEN`, else `GITLAB_OAUTH_TOKEN`, else `CI_JOB_TOKEN`. A token is sent to
        its own server only. *overrides* are arguments of `GitLab`.

        Raises:
            ValueError: no token was found; or variables name different servers; or a variable that
                is not read names a server other than gitlab.com.
        """
        try:
            # A server is never guessed: it would receive the token.
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
            del overrides  # it may hold a token

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
        return f"{type(self).__name__}({self.url!r})"

    @property
    def url(self) -> str:
        """URL of the server, with its relative path if it has one."""
        server = self._transport.server
        return server.origin + server.prefix

    @property
    def budget(self) -> RequestBudget:
        """Rate limits of this client; `budget.snapshot()` shows their state."""
        return self._transport.budget

    async def send(self, request: Request) -> Response:
        """Send any request of GitLab's REST API and return the whole response.

        `Request("GET", "/version")` is relative to `/api/v4`. Credentials, retries and redirects
        apply as everywhere.

        Raises:
            ResponseError: the status is an error.
            ResponseTooLargeError: the response exceeds `Limits.page`.
        """
        return await self._transport.send(request)

    async def graphql(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        *,
        max_complexity: int | None = _MAX_COMPLEXITY,
    ) -> dict[str, Any]:
        """Send a GraphQL query and return the `data` of the answer.

        See https://docs.gitlab.com/api/graphql/. Credentials, budget and size limits apply as
        everywhere. A query is retried as a GET is, a mutation as an action is.

        Args:
            query: at most 10,000 characters, with one operation.
            variables: values of its variables, as JSON.
            max_complexity: most points of `estimate_complexity`; `None` for any. GitLab's own
                limit is 250 with a token.

        Raises:
            ValueError, TypeError: *query* or *variables* are invalid, the estimate exceeds
                *max_complexity*, or the client has a job token; raised before any request.
            GraphQLError: the answer has errors; `data` is what came with them.
            ResponseTooLargeError: the answer exceeds `Limits.page`.
        """
        most = None if max_complexity is None else positive_id("max_complexity", max_complexity)
        return await http.query_graphql(self._transport, query, variables, most)
