"""Ask the shared store for grants, one question at a time, while requests wait for them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from math import inf

from attrs import define, evolve, field

from gitlab_jobs_async import store
from gitlab_jobs_async.clock import Clock
from gitlab_jobs_async.concurrency import task_pool
from gitlab_jobs_async.errors import StoreError
from gitlab_jobs_async.ratelimit.grants import GrantPool
from gitlab_jobs_async.store.grant_values import Grants, LastAnswer, Refusal
from gitlab_jobs_async.store.schema import GRANT_SECONDS

_RETRY_SECONDS = 1.0
_LONGEST_WAIT = 2.0
"""Seconds between two questions: time passes in the store by them, and a process may be killed."""

_CLOSING_SECONDS = 1.0
_MOST_LATE = 3
"""Answers in a row that come after their grants have expired, before the log says so."""

_log = logging.getLogger("gitlab_jobs_async")


@define(eq=False, repr=False)
class SharedGrants:
    """Fills *pools* from *store*, and calls *answered* with the pauses of other processes.

    Where the store fails by another error than its own, *failed* gets it.
    """

    _store: "store.Store"
    _pools: Mapping[str, GrantPool]
    _clock: Clock
    _answered: Callable[[Grants], None]
    _failed: Callable[[Exception], None]
    _wanted: Mapping[str, tuple[int, bool]] = field(factory=dict[str, tuple[int, bool]], init=False)
    _last: LastAnswer | None = field(default=None, init=False)
    _asked_at: float = field(default=0.0, init=False)
    _answered_at: float = field(default=0.0, init=False)
    _task: asyncio.Task[None] | None = field(default=None, init=False)
    _shared: set[asyncio.Task[None]] = field(factory=set[asyncio.Task[None]], init=False)
    _is_away: bool = field(default=False, init=False)
    _late: int = field(default=0, init=False)
    _has_new: asyncio.Event = field(factory=asyncio.Event, init=False)

    def want(self, wanted: Mapping[str, tuple[int, bool]]) -> None:
        """Ask for as many requests of each kind; the flag says whether all are background."""
        self._wanted = wanted
        if wanted and self._task is None:
            self._task = asyncio.create_task(self._run())
        now = self._clock.now()
        if not all(self._pools[k].is_refused(now, background=b) for k, (_, b) in wanted.items()):
            self._has_new.set()

    def refuse(self, kind: str, seconds: float) -> None:
        """Share a pause that the server has asked for."""
        self._share(self._store.refuse(Refusal(kind, seconds)))

    def resume(self, kind: str) -> None:
        """Share that the server has ended its pause."""
        self._share(self._store.resume(kind))

    async def close(self) -> None:
        """Share the last pauses, and end the question in flight."""
        if self._shared:
            await asyncio.wait(self._shared, timeout=_CLOSING_SECONDS)
        tasks = [task for task in (self._task, *self._shared) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _run(self) -> None:
        try:
            while self._wanted:
                self._has_new.clear()
                wait = await self._ask()
                if wait > 0 and self._wanted:
                    await self._wait(min(wait, _LONGEST_WAIT))
        except Exception as error:  # noqa: BLE001 - raised to those that wait
            self._wanted = {}
            self._failed(error)
        finally:
            self._task = None

    async def _wait(self, seconds: float) -> None:
        """Wait *seconds*, or until something is wanted that was not refused."""
        if self._is_away:
            await self._clock.sleep(seconds)
            return
        async with task_pool() as waits:
            waits.start("time", self._clock.sleep(seconds))
            waits.start("new", self._has_new.wait())
            await waits.next_done()

    async def _ask(self) -> float:
        """Ask once; return the seconds until the next question."""
        wanted = self._wanted
        requests = [
            self._pools[kind].request(kind, count, background=background)
            for kind, (count, background) in wanted.items()
        ]
        # A grant ends by the clock of the store, which began it after this.
        began = self._clock.now()
        try:
            grants = await self._store.grant([r for r in requests if r], self._known(began))
        except StoreError as error:
            if not self._is_away:
                _log.warning("%s; no request is sent until it answers", error)
            self._is_away = True
            return _RETRY_SECONDS
        self._is_away = False
        self._last, self._asked_at, self._answered_at = grants.answer, began, self._clock.now()
        self._note_delay(began)
        self._wanted = {}
        for kind, (count, background) in wanted.items():
            pool, granted = self._pools[kind], grants.counts.get(kind, inf)
            pool.add(granted, began + GRANT_SECONDS)
            if granted < count:
                retry_at = self._clock.now() + (grants.retry_after or 0.0)
                pool.refuse(retry_at, background=background)
        # It asks again for what still waits.
        self._answered(grants)
        return 0.0 if any(grants.counts.values()) else (grants.retry_after or 0.0)

    def _note_delay(self, began: float) -> None:
        """Warn of a store that is too slow, or whose clock is much slower than the client's."""
        delay = self._answered_at - began
        self._late = self._late + 1 if delay >= GRANT_SECONDS else 0
        if self._late == _MOST_LATE:
            _log.warning(
                "store %s: answers after %.1f s of the client's clock; no request is sent until it"
                " takes less than %g s",
                self._store.name,
                delay,
                GRANT_SECONDS,
            )

    def _known(self, now: float) -> LastAnswer | None:
        if self._last is None:
            return None
        return evolve(self._last, shortest=now - self._answered_at, longest=now - self._asked_at)

    def _share(self, change: Awaitable[None]) -> None:
        task = asyncio.create_task(self._until_shared(change))
        self._shared.add(task)
        task.add_done_callback(self._shared.discard)

    async def _until_shared(self, change: Awaitable[None]) -> None:
        try:
            await change
        except StoreError:
            pass  # the question that follows reports it
        except Exception as error:  # noqa: BLE001 - a store of the caller's
            _log.warning("store %s: pause not shared: %r", self._store.name, error)
