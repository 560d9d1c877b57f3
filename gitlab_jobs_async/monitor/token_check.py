"""Find out whether a 401 refuses the token or a single request.

A proxy or single sign-on in front of GitLab may answer 401 for one project, and a restarting server
for a moment. So the token counts as refused only when other requests get a 401, too.
"""

import asyncio
from collections.abc import Iterator

from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.clock import jitter
from gitlab_jobs_async.errors import AuthenticationError, GitLabError
from gitlab_jobs_async.http.transport import Transport
from gitlab_jobs_async.ratelimit.fair_queue import Priority, RequestClass

_DELAYS = (0.0, 2.0, 4.0)
"""Seconds before each check of a token that has worked before."""

_RECENT = 60.0
_MAX_PROOFS = 8
_VERSION = Request("GET", "/version")
"""A request that every token may send, for a token that has not worked yet."""


class TokenCheck:
    """The requests that have worked for one monitor, to check its token with."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._clock = transport.clock
        self._proofs: dict[str, Request] = {}
        self._worked_at = -float("inf")
        self._is_refused = False
        self._lock = asyncio.Lock()

    def worked(self, request: Request) -> None:
        """Remember *request*, which was answered, for later checks."""
        project = RequestClass.of(request, Priority.BACKGROUND).project
        self._proofs.pop(project, None)  # so that the newest proof comes last
        self._proofs[project] = request
        if len(self._proofs) > _MAX_PROOFS:
            del self._proofs[next(iter(self._proofs))]
        self._worked_at = self._clock.now()

    def is_proven(self) -> bool:
        """Return whether the token has worked within the last minute."""
        return self._clock.now() - self._worked_at <= _RECENT

    async def pause(self) -> None:
        """Wait about a second before a request is retried after a 401."""
        await self._clock.sleep(0.5 + jitter())

    async def is_refused(self, request: Request) -> bool:
        """Return whether the token is refused, after *request* got a 401 twice.

        It is not if another request gets any response but a 401.
        """
        # Many polls fail at once when a token is revoked: one of them checks for all.
        async with self._lock:
            if self._is_refused:
                return True
            for delay in _DELAYS if self._proofs else _DELAYS[:1]:
                await self._clock.sleep(delay)
                for proof in self._proofs_for(request):
                    if not await self._is_denied(proof):
                        return False
            self._is_refused = True
            return True

    def _proofs_for(self, request: Request) -> Iterator[Request]:
        """Yield the last request that worked for another project, then *request* itself."""
        own = RequestClass.of(request, Priority.BACKGROUND).project
        others = [proof for project, proof in self._proofs.items() if project != own]
        yield others[-1] if others else _VERSION
        yield request

    async def _is_denied(self, request: Request) -> bool:
        try:
            await self._transport.send(request, Priority.BACKGROUND)
        except AuthenticationError:
            return True
        # Only a 401 says something about the token.
        except GitLabError:
            return False
        self.worked(request)
        return False
