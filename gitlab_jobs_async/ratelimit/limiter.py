"""Request limiter: a request proceeds when a slot is free and the budget allows it.

Waiters hold no resources. At most one task runs here, the timer: only while a request waits for a
time. `close` waits for its end.
"""

import asyncio
import math
from collections.abc import Callable
from itertools import chain

from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.api.responses import Response
from gitlab_jobs_async.clock import Clock, Timer, jitter
from gitlab_jobs_async.errors import RateLimitedError
from gitlab_jobs_async.ratelimit.budget import RequestBudget, Slots, not_sent_reason
from gitlab_jobs_async.ratelimit.fair_queue import (
    Bucket,
    FairQueue,
    Priority,
    RequestClass,
    Waiter,
)
from gitlab_jobs_async.ratelimit.grants import ungranted
from gitlab_jobs_async.ratelimit.limits import ALL
from gitlab_jobs_async.ratelimit.pause_reports import PauseReports
from gitlab_jobs_async.ratelimit.permits import Permit
from gitlab_jobs_async.ratelimit.renewals import Renewals
from gitlab_jobs_async.ratelimit.shared_grants import SharedGrants
from gitlab_jobs_async.ratelimit.tracker import Sent
from gitlab_jobs_async.store.grant_values import Grants
from gitlab_jobs_async.store.schema import CONNECTING_SECONDS

CLOSED = "this GitLab was closed meanwhile: use it inside 'async with GitLab(...) as gitlab:'"


class RequestLimiter:
    """Grants permits by priority, round robin, slots and budget; for one loop, until closed."""

    def __init__(
        self,
        budget: RequestBudget,
        clock: Clock,
        *,
        concurrency: int,
        longest_retry_after: float,
        shown: Callable[[Request], str],
    ) -> None:
        budget.attach()
        self.is_open = True
        self.refusals = 0
        self.budget = budget
        self._usage = budget.usage
        self._clock = clock
        self._concurrency = concurrency
        self._longest_retry_after = longest_retry_after
        self._shown = shown
        self._queue = FairQueue()
        self._granted: dict[Waiter, asyncio.Future[Permit]] = {}
        self._timer = Timer(clock, self._on_timer)
        self._reports = PauseReports(budget)
        self._renewals = Renewals(budget)
        self._grants: SharedGrants | None = None
        if budget.shared is not None:
            self._grants = SharedGrants(
                budget.shared, budget.pools, clock, self._on_grants, self._fail
            )

    async def acquire(
        self, request: Request, priority: Priority, *, stream: bool = False
    ) -> Permit:
        """Wait for a slot and the budget, and return the permit to send *request*.

        Raises:
            RateLimitedError: the server's pause is longer than the caller allows.
            RuntimeError: the client was closed meanwhile.
        """
        group = RequestClass.of(request, priority)
        waiter = Waiter(request, group, Bucket(stream, self.budget.bucket_of(group.kind)))
        while True:
            granted = self._enqueue(waiter)
            if granted.done():
                return granted.result()
            try:
                permit = await granted
            except asyncio.CancelledError:
                self._abandon(waiter, granted)
                raise
            if permit.refusals == self.refusals:
                return permit
            # A 429 arrived after the permit was granted: this request would get another.
            permit.return_unused()

    async def renew(self, waiter: Waiter, *, is_probe: bool) -> float:
        """Wait for another grant of a request that has its slot; return when that expires.

        Raises:
            PausedError: the server has asked for a pause, which the request does not probe.
            RuntimeError: the client was closed meanwhile.
        """
        if not self.is_open:
            raise RuntimeError(CLOSED)
        renewed = self._renewals.add(waiter, is_probe=is_probe)
        try:
            self.dispatch()
            return await renewed
        finally:
            self._renewals.remove(waiter)

    def is_expired(self, until: float) -> bool:
        """Return whether a request may no longer be sent with a grant that was good *until*."""
        return self._clock.now() > until + CONNECTING_SECONDS

    def idle_slots(self) -> int:
        """Return the free slots for whole responses, or 0 if a request waits for one."""
        responses = self._usage.responses
        return 0 if responses.waiting else self._concurrency - responses.in_use

    def is_paused(self, request: Request, priority: Priority) -> bool:
        """Return whether a pause of the server would delay *request* now."""
        now, kind = self._clock.now(), RequestClass.of(request, priority).kind
        scopes = {"", self.budget.bucket_of(kind)}
        return any(self.budget.blocked_for(priority, now, scope) > 0 for scope in scopes)

    def is_refused_probe(self, request: Request, priority: Priority) -> bool:
        """Return whether *request* only probed a pause, so that it does not count as an attempt."""
        group = RequestClass.of(request, priority)
        return self.budget.is_refused_probe(priority, self._clock.now(), group.kind)

    def available_at(self, priority: Priority) -> float:
        """Return when no long pause blocks *priority*, or now; infinity while a probe is out."""
        now = self._clock.now()
        blocked = self.budget.blocked_for(priority, now)
        if blocked <= self._longest_retry_after:
            return now
        if self._grants is None:
            return self.budget.available_at(priority, now)
        # The grant for a probe is asked for once the request waits.
        probe_at = self.budget.probe_at(priority, now)
        if self.budget.is_probing():
            return math.inf
        return now + blocked if probe_at is None else max(now, probe_at)

    async def close(self) -> None:
        """Reject all waiters, and wait for the end of the timer."""
        for waiter in tuple(self._queue):
            self._reject(waiter, RuntimeError(CLOSED))
        # Rejected callers must find the limiter closed when they run.
        self._timer.stop()
        self.is_open = False
        self.budget.detach(self._clock.now())
        await self._timer.close()
        if self._grants is not None:
            await self._grants.close()

    @property
    def pause_watchers(self) -> set[asyncio.Event]:
        """Events that are set whenever a long pause of the server begins, is probed or ends."""
        return self._reports.watchers

    def on_response(self, sent: Sent, response: Response) -> None:
        """Learn from the head of a response, and grant the permits that it allows."""
        now = self._clock.now()
        self.refusals += response.status == 429
        self.budget.answered(sent, response, now, jitter())
        if response.status == 429 and self._grants is not None:
            kind = self.budget.bucket_of(sent.kind)
            for scope in {ALL, kind}:
                left = self.budget.blocked_for(Priority.BACKGROUND, now, scope)
                if left > 0:
                    self._grants.refuse(scope, left)
        elif self._grants is not None:
            for scope in sent.probes:
                self._grants.resume(scope)
        self._reports.update(now)
        self.dispatch()

    def on_lost(self, sent: Sent) -> None:
        """Record a request without a response."""
        now = self._clock.now()
        self.budget.lost(sent, now)
        self._reports.update(now)

    def dispatch(self) -> None:
        """Grant all permits that are possible now, and set the timer for the next."""
        self._renewals.grant(self._clock.now())
        if self.is_open and self._queue:
            now = self._clock.now()
            waiting = [priority for priority in Priority if self._queue.has_waiters(priority)]
            self._timer.set(min([self._dispatch(priority, now) for priority in waiting]), now)
        if not self._queue:
            self._timer.stop()
        if self._grants is not None and self.is_open:
            in_use = min(self._usage.responses.in_use, self._usage.streams.in_use)
            free, now = self._concurrency - in_use, self._clock.now()
            free, waiters = free + len(self._renewals), chain(self._renewals, self._queue)
            self._grants.want(ungranted(self.budget.pools, waiters, free, now))

    def _on_grants(self, grants: Grants) -> None:
        now = self._clock.now()
        for refusal in grants.refusals:
            self.budget.paused_elsewhere(refusal.kind, now, refusal.seconds)
        self.dispatch()

    def _slots(self, bucket: Bucket) -> Slots:
        # Streams have slots of their own: a request beside open streams must not wait for them.
        return self._usage.streams if bucket.is_stream else self._usage.responses

    def _dispatch(self, priority: Priority, now: float) -> float:
        """Grant the permits of one priority; return when the others may go."""
        blocked: dict[str, float] = {}

        def may_go(waiter: Waiter) -> bool:
            kind = waiter.bucket.kind
            at = self.budget.available_at(priority, now, kind) if kind else now
            if at > now:
                blocked[kind] = at
            return at <= now and self._slots(waiter.bucket).in_use < self._concurrency

        while self._queue.has_waiters(priority):
            at = self.budget.available_at(priority, now)
            if at > now:
                self._reject_blocked(priority, now)
                return at
            waiter = self._queue.peek(priority, may_go)
            if waiter is None:
                for kind in blocked:
                    self._reject_blocked(priority, now, kind)
                return min(blocked.values(), default=math.inf)
            self._grant(waiter)
        return math.inf

    def _enqueue(self, waiter: Waiter) -> asyncio.Future[Permit]:
        if not self.is_open:
            raise RuntimeError(CLOSED)
        granted = self._granted[waiter] = asyncio.get_running_loop().create_future()
        self._queue.push(waiter)
        self._slots(waiter.bucket).waiting += 1
        self.dispatch()
        return granted

    def _grant(self, waiter: Waiter) -> None:
        kind = self.budget.bucket_of(waiter.request_class.kind)
        if kind != waiter.bucket.kind:
            # A 429 has given this kind a limit of its own since the request was queued.
            self._queue.move(waiter, Bucket(waiter.bucket.is_stream, kind))
            return
        self._queue.pop(waiter)
        granted = self._dequeue(waiter)
        if granted.cancelled():
            return  # its task has not run yet, and will find nothing to return
        self._slots(waiter.bucket).in_use += 1
        sent = self.budget.sent(waiter.request_class.kind, waiter.request_class.priority)
        slots = self._slots(waiter.bucket)
        granted.set_result(Permit(self, waiter, slots, self.refusals, sent, sent.expires))

    def _reject_blocked(self, priority: Priority, now: float, kind: str = "") -> None:
        """Reject the waiters of *priority* (or of *kind*) if the pause is too long for callers."""
        pause = self.budget.blocked_for(priority, now, kind)
        # The response to a probe is worth a wait.
        if pause <= self._longest_retry_after or self.budget.is_probing(kind):
            return
        probe_at = self.budget.probe_at(priority, now, kind)
        if self._grants is not None and probe_at is not None and probe_at <= now:
            return  # the probe waits for its grant only
        reason = not_sent_reason(pause, now, probe_at)
        for waiter in tuple(self._queue):
            is_blocked = kind in {"", waiter.bucket.kind}
            if is_blocked and waiter.request_class.priority is priority:
                method, shown = waiter.request.method, self._shown(waiter.request)
                self._reject(waiter, RateLimitedError(429, reason, method, shown, pause))

    def _reject(self, waiter: Waiter, error: BaseException) -> None:
        self._queue.remove(waiter)
        granted = self._dequeue(waiter)
        if not granted.done():
            granted.set_exception(error)

    def _abandon(self, waiter: Waiter, granted: asyncio.Future[Permit]) -> None:
        # A permit granted just before the cancellation goes to the next waiter.
        if waiter in self._granted:
            self._queue.remove(waiter)
            self._dequeue(waiter)
        elif not granted.cancelled() and granted.exception() is None:
            granted.result().return_unused()
        self.dispatch()

    def _dequeue(self, waiter: Waiter) -> asyncio.Future[Permit]:
        self._slots(waiter.bucket).waiting -= 1
        return self._granted.pop(waiter)

    def _on_timer(self, error: BaseException | None) -> None:
        if error is not None:
            self._fail(error)
        self.dispatch()

    def _fail(self, error: BaseException) -> None:
        """Raise *error* in all calls that wait."""
        for waiter in tuple(self._queue):
            self._reject(waiter, error)
        self._renewals.fail(error)
