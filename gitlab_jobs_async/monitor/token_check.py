"""Whether a 401 means that the token is refused, or only that one request was.

Proxies and single sign-on in front of GitLab answer 401 for one project, and a server that is
being restarted may do so for a moment. So a 401 ends nothing before other requests are refused too.
"""

import asyncio
from collections.abc import Iterator

from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.clock import jitter
from gitlab_jobs_async.errors import AuthenticationError, GitLabError
from gitlab_jobs_async.http.transport import Transport
from gitlab_jobs_async.ratelimit.fair_queue import Priority, RequestClass

_WAITS = (0.0, 2.0, 4.0)
"""Seconds before each round of asking, for a token that has been good before."""

_RECENT = 60.0
_MOST_PROOFS = 8
_VERSION = Request("GET", "/version")
"""What any token may ask: the proof while nothing else has worked."""


class TokenCheck:
    """Tells a refused token from a refused request; for one monitor."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._proofs: dict[str, Request] = {}
        self._worked_at = -float("inf")
        self._is_refused = False
        self._lock = asyncio.Lock()

    def worked(self, request: Request) -> None:
        """Remember that *request* has been answered: another time it may prove the token."""
        project = RequestClass.of(request, Priority.BACKGROUND).project
        self._proofs.pop(project, None)
        self._proofs[project] = request
        if len(self._proofs) > _MOST_PROOFS:
            del self._proofs[next(iter(self._proofs))]
        self._worked_at = self._transport.clock.now()

    def is_proven(self) -> bool:
        """Whether the token has been good within the last minute."""
        return self._transport.clock.now() - self._worked_at <= _RECENT

    async def pause(self) -> None:
        """Wait for a second or so, before what got a 401 is asked again."""
        await self._transport.clock.sleep(0.5 + jitter())

    async def is_refused(self, request: Request) -> bool:
        """Whether the token is refused, now that *request* got a 401 twice.

        It is not if another request gets any other answer than a 401. If there is none that tells,
        the next 401 asks anew.
        """
        async with self._lock:
            if self._is_refused:
                return True
            for wait in _WAITS if self._proofs else _WAITS[:1]:
                await self._transport.clock.sleep(wait)
                for proof in self._proofs_beside(request):
                    if not await self._is_denied(proof):
                        return False
            self._is_refused = True
            return True

    def _proofs_beside(self, request: Request) -> Iterator[Request]:
        """What has worked last for another project, and *request* itself."""
        own = RequestClass.of(request, Priority.BACKGROUND).project
        others = [proof for project, proof in self._proofs.items() if project != own]
        yield others[-1] if others else _VERSION
        yield request

    async def _is_denied(self, request: Request) -> bool:
        try:
            await self._transport.send(request, Priority.BACKGROUND)
        except AuthenticationError:
            return True
        except GitLabError:
            return False
        self.worked(request)
        return False
