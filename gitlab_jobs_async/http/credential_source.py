"""The credentials of a client: given ones, or those that a function of the caller returns."""

import asyncio
from contextvars import ContextVar
from functools import reduce
from inspect import isawaitable

import aiohttp
from attrs import frozen

from gitlab_jobs_async.api.credentials import (
    EXPECTED,
    Credentials,
    CredentialsFunction,
    JobToken,
    credentials_from,
    redactor,
)
from gitlab_jobs_async.errors import CredentialsError
from gitlab_jobs_async.http.attempts import Deadline
from gitlab_jobs_async.http.error_mapping import clear_locals
from gitlab_jobs_async.ratelimit.limiter import CLOSED

# Late responses may echo a token that was replaced meanwhile.
_MAX_REDACTED = 4

_RECURSIVE = "the function used the client that waits for it: use another GitLab in it"
# The call that runs in this task, or that started it.
_calling: ContextVar[Deadline | None] = ContextVar("_calling", default=None)


@frozen(eq=False)
class Issued:
    """Credentials, and how often the function had been called by then."""

    credentials: Credentials | None
    calls: int = 0


class CredentialSource:
    """Has the current credentials, and calls the function again when they are refused."""

    def __init__(self, auth: Credentials | CredentialsFunction | None, timeout: float) -> None:
        self._function = auth if callable(auth) else None
        self._timeout = timeout
        self.current = Issued(None if callable(auth) else auth)
        self.redact = redactor(self.current.credentials)
        """Function that removes the tokens from a server's text; another one after each call."""
        self._redactors = [self.redact]
        self.open()

    @property
    def has_job_token(self) -> bool:
        """Whether the token is known to be a job token, which few endpoints accept."""
        return isinstance(self.current.credentials, JobToken)

    def open(self) -> None:
        """Prepare for use in another loop."""
        self._lock = asyncio.Lock()
        self._deadline: Deadline | None = None
        self._is_closed = False

    def close(self) -> None:
        """End a pending call of the function, and those that wait for it, with `RuntimeError`."""
        self._is_closed = True
        if self._deadline is not None:
            self._deadline.expire()

    async def load(self) -> None:
        """Call the function for the first credentials.

        Raises:
            CredentialsError: it failed.
        """
        if self._function is not None and self.current.credentials is None:
            await self._call_after(self.current)

    async def renew(self, refused: Issued | None) -> bool:
        """Call the function again after a 401; return whether the credentials differ.

        Raises:
            CredentialsError: it failed.
        """
        if self._function is None or refused is None:
            return False
        await self._call_after(refused)
        return self.current.credentials != refused.credentials

    async def _call_after(self, known: Issued) -> None:
        """Call the function, unless that was done since *known*."""
        # It would wait for its own end. Tasks that it starts and leaves running may use the client.
        if self._deadline is not None and _calling.get() is self._deadline:
            raise CredentialsError(_RECURSIVE)
        # Many requests get a 401 at once: the first one calls for all, or the next if cancelled.
        async with self._lock:
            if self._is_closed:
                raise RuntimeError(CLOSED)
            if self._function is None or self.current.calls != known.calls:
                return
            self._deadline = Deadline(self._timeout)
            try:
                self._take(await _called(self._function, self._deadline))
            except CredentialsError:
                if self._is_closed:
                    raise RuntimeError(CLOSED) from None
                raise
            finally:
                self._deadline = None

    def _take(self, credentials: Credentials) -> None:
        if credentials != self.current.credentials:
            redactors = [redactor(credentials), *self._redactors][:_MAX_REDACTED]
            self._redactors = redactors
            self.redact = lambda text: reduce(lambda left, hide: hide(left), redactors, text)
        self.current = Issued(credentials, self.current.calls + 1)


async def _called(function: CredentialsFunction, deadline: Deadline) -> Credentials:
    """Return the credentials that *function* returns within *deadline*.

    Raises:
        CredentialsError: it did not.
    """
    given: object = None
    credentials, cause = None, None
    outer = _calling.set(deadline)
    try:
        async with deadline.timeout:
            given = function()
            if isawaitable(given):
                given = await given
        credentials, reason = _checked(given)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        # Otherwise the end of a task of the function's own would end the caller's.
        reason = "the function was cancelled by itself"
    except CredentialsError as error:
        reason = error.reason
    except Exception as error:  # noqa: BLE001 - any error of the caller's function
        if deadline.timeout.expired():
            reason = f"the function did not return within {deadline.seconds:g} s"
        else:
            reason, cause = f"the function raised {type(error).__name__}", error
    finally:
        _calling.reset(outer)
        # Error reporters collect locals.
        given = None
    if credentials is not None:
        return credentials
    failure = CredentialsError(reason)
    if cause is not None:
        clear_locals(cause, everywhere=True)
        # An error of aiohttp may hold the request for the token.
        failure.__cause__ = None if isinstance(cause, aiohttp.ClientError) else cause
    raise failure


def _checked(given: object) -> tuple[Credentials | None, str]:
    """Return valid credentials, or None and what is wrong."""
    if not isinstance(given, Credentials | str):
        return None, f"the function returned a {type(given).__name__}: {EXPECTED}"
    try:
        return credentials_from(given), ""
    except ValueError as error:
        return None, str(error)
