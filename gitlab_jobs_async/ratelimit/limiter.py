"""The door that every request passes: it goes when there is a place and the budget lets it.

Who waits holds nothing. At most one task is here, the alarm: it is there only while somebody waits
for a time, and `close` waits for its end.
"""

import asyncio
import logging
import math
from collections.abc import Callable

from attrs import define, field, frozen

from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.api.responses import Response
from gitlab_jobs_async.clock import Clock, jitter
from gitlab_jobs_async.errors import RateLimitedError
from gitlab_jobs_async.ratelimit.budget import RequestBudget, Sent, not_before
from gitlab_jobs_async.ratelimit.fair_queue import FairQueue, Priority, RequestClass, Waiter

_log = logging.getLogger("gitlab_jobs_async")

CLOSED = "this GitLab was closed meanwhile: use it inside 'async with GitLab(...) as gitlab:'"


@define(eq=False)
class Slots:
    """So many at once."""

    free: int
    waiting: int = field(init=False, default=0)


@frozen
class Bucket:
    """What those of one queue wait for: a place, and the limit of one kind, if it has one."""

    places: Slots
    kind: str


@define(eq=False)
class _Waiter(Waiter[Bucket]):
    """Who waits; `called` is done once there is an `admitted` or an `error`.

    `refusals` are those known when it was admitted: if one comes before it wakes, it waits again.
    """

    request: Request = field(kw_only=True)
    called: asyncio.Future[None] | None = field(init=False, default=None)
    admitted: "Permit | None" = field(init=False, default=None)
    refusals: int = field(init=False, default=0)
    error: BaseException | None = field(init=False, default=None)

    def turn_or_error(self) -> "Permit | None":
        """What it has waited for, if it is there, or the error that is there instead."""
        if self.error is not None:
            raise self.error
        return self.admitted

    def call(self) -> None:
        """Wake the one who waits, if it has gone to sleep."""
        if self.called is not None and not self.called.done():
            self.called.set_result(None)


class RequestLimiter:
    """Lets requests in, by lane, turn, place and budget; for one loop, until it is closed.

    Whole answers and open streams each have places of their own, so that a request made while
    streams are open waits for none of them.
    """

    def __init__(
        self,
        budget: RequestBudget,
        clock: Clock,
        *,
        concurrency: int,
        longest_retry_after: float,
        shown: Callable[[Request], str],
    ) -> None:
        budget.begin()
        self.is_open = True
        self.refusals = 0
        self.answers = Slots(concurrency)
        self.streams = Slots(concurrency)
        self.budget = budget
        self._clock = clock
        self._longest_retry_after = longest_retry_after
        self._shown = shown
        self._queue = FairQueue[_Waiter]()
        self._alarm: asyncio.Task[None] | None = None
        self._rings_at = math.inf
        self._alarms: set[asyncio.Task[None]] = set()
        self._warned: dict[str, float] = {}
        self._seen_changes = budget.pause_changes
        self.pause_watchers: set[asyncio.Event] = set()
        """Set whenever a long pause of the server's begins, is probed or ends."""

    async def enter(self, request: Request, lane: Priority, places: Slots) -> "Permit":
        """One of *places* for *request*, once its turn has come.

        Raises:
            RateLimitedError: the server lets nothing through for longer than the caller allows.
            RuntimeError: the client was closed meanwhile.
        """
        claim = RequestClass.of(request, lane)
        need = Bucket(places, self.budget.queue_of(claim.kind))
        waiter = _Waiter(claim, need, request=request)
        self._line_up(waiter)
        while (turn := waiter.turn_or_error()) is None:
            waiter.called = asyncio.get_running_loop().create_future()
            try:
                await waiter.called
            except asyncio.CancelledError:
                self._give_up(waiter)
                raise
            self._check_again(waiter)
        return turn

    def idle_places(self) -> int:
        """Places for whole answers that are free while nobody waits for one."""
        return 0 if self.answers.waiting else self.answers.free

    def is_paused(self, request: Request, lane: Priority) -> bool:
        """Whether *request* would be held back now, as the server has asked."""
        claim, now = RequestClass.of(request, lane), self.now()
        kind = self.budget.queue_of(claim.kind)
        return max(self.budget.pause(lane, now), self.budget.pause(lane, now, kind)) > 0

    def is_refused_probe(self, request: Request, lane: Priority) -> bool:
        """Whether *request* was one that only tests a pause, so that it is no try of its own."""
        return self.budget.is_refused_probe(lane, self.now(), RequestClass.of(request, lane).kind)

    def lets_through_at(self, lane: Priority) -> float:
        """When requests of *lane* are no longer refused for a long pause; *now* if they are not.

        Infinity while one is out that tests the pause.
        """
        now = self.now()
        if self.budget.pause(lane, now) <= self._longest_retry_after:
            return now
        return self.budget.opens(lane, now)

    async def close(self) -> None:
        """Send all away who wait, and wait for the alarm's end."""
        for waiter in tuple(self._queue):
            self._send_away(waiter, RuntimeError(CLOSED))
        self._stop_alarm()
        self.is_open = False
        self.budget.end(self.now())
        if self._alarms:
            await asyncio.wait(self._alarms)

    def now(self) -> float:
        """Unix seconds of the client's clock."""
        return self._clock.now()

    def heard(self, sent: Sent, answer: Response) -> None:
        """Take in an answer, and let in those who may go by that."""
        self.budget.answered(sent, answer, self.now(), jitter())
        self.tell_of_pauses()
        self.admit()

    def tell_of_pauses(self) -> None:
        """Warn of each long pause once, and wake those who want to know of them."""
        for pause in self.budget.pauses(self.now()):
            if self._warned.get(pause.kind) != pause.began:
                self._warned[pause.kind] = pause.began
                _log.warning("requests paused by the server: %s", pause.reason)
        for kind in [kind for kind in self._warned if not self.budget.holds_back(kind)]:
            del self._warned[kind]
            _log.info("requests allowed again%s", f" to {kind}" if kind else "")
        if self._seen_changes != self.budget.pause_changes:
            self._seen_changes = self.budget.pause_changes
            for watcher in self.pause_watchers:
                watcher.set()

    def admit(self) -> None:
        """Let in all who may go now, and set the alarm for when to look again."""
        if self.is_open and self._queue:
            now = self.now()
            lanes = [lane for lane in Priority if self._queue.waits_in(lane)]
            self._set_alarm(min([self._admit_from(lane, now) for lane in lanes]), now)
        if not self._queue:
            self._stop_alarm()

    def _admit_from(self, lane: Priority, now: float) -> float:
        """Let in those of one lane who may go now; when to look again at the others."""
        closed: dict[str, float] = {}

        def may_go(waiter: _Waiter) -> bool:
            kind = waiter.need.kind
            opens = self.budget.opens(lane, now, kind) if kind else now
            if opens > now:
                closed[kind] = opens
            return opens <= now and waiter.need.places.free > 0

        while self._queue.waits_in(lane):
            opens = self.budget.opens(lane, now)
            if opens > now:
                self._refuse_if_long(lane, now)
                return opens
            waiter = self._queue.next(lane, may_go)
            if waiter is None:
                for kind in closed:
                    self._refuse_if_long(lane, now, kind)
                return min(closed.values(), default=math.inf)
            self._let_in(waiter)
        return math.inf

    def _check_again(self, waiter: _Waiter) -> None:
        """Have one wait again who was called before a 429 came; it would get another."""
        if waiter.admitted is not None and waiter.refusals != self.refusals:
            waiter.admitted.take_back()
            self._line_up(waiter)

    def _line_up(self, waiter: _Waiter) -> None:
        waiter.admitted = None
        if not self.is_open:
            raise RuntimeError(CLOSED)
        self._queue.put(waiter)
        self._count(waiter, 1)
        self.admit()

    def _let_in(self, waiter: _Waiter) -> None:
        """Let in who is next; or have it wait apart, if its kind has got a limit meanwhile."""
        places, kind = waiter.need.places, self.budget.queue_of(waiter.claim.kind)
        if kind != waiter.need.kind:
            self._queue.move(waiter, Bucket(places, kind))
            return
        self._queue.take(waiter)
        self._count(waiter, -1)
        places.free -= 1
        waiter.refusals = self.refusals
        waiter.admitted = Permit(
            self, places, self.budget.sent(waiter.claim.kind, waiter.claim.lane)
        )
        waiter.call()

    def _refuse_if_long(self, lane: Priority, now: float, kind: str = "") -> None:
        """Send away those of *lane* (or of *kind*) if the server shuts them out for too long."""
        pause = self.budget.pause(lane, now, kind)
        is_short = pause <= self._longest_retry_after
        if is_short or self.budget.is_probing(kind):
            return
        reason = not_before(pause, now, self.budget.probe_at(lane, now, kind))
        for waiter in tuple(self._queue):
            if waiter.claim.lane is lane and kind in {"", waiter.need.kind}:
                method, shown = waiter.request.method, self._shown(waiter.request)
                self._send_away(waiter, RateLimitedError(429, reason, method, shown, pause))

    def _send_away(self, waiter: _Waiter, error: BaseException) -> None:
        self._queue.drop(waiter)
        self._count(waiter, -1)
        waiter.error = error
        waiter.call()

    def _give_up(self, waiter: _Waiter) -> None:
        """The one who waits is cancelled; if its turn has come already, it is passed on."""
        if waiter.admitted is not None:
            waiter.admitted.take_back()
            self.admit()
        elif waiter.error is None:
            self._queue.drop(waiter)
            self._count(waiter, -1)
            self.admit()

    def _count(self, waiter: _Waiter, change: int) -> None:
        waiter.need.places.waiting += change
        self.budget.waiting += change

    def _set_alarm(self, rings_at: float, now: float) -> None:
        if self._alarm is not None and rings_at < self._rings_at:
            self._stop_alarm()
        if self._alarm is None and rings_at < math.inf:
            self._rings_at = rings_at
            self._alarm = asyncio.create_task(self._clock.sleep(rings_at - now))
            self._alarms.add(self._alarm)
            self._alarm.add_done_callback(self._rung)

    def _stop_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _rung(self, alarm: asyncio.Task[None]) -> None:
        self._alarms.discard(alarm)
        if alarm is not self._alarm:
            return
        self._alarm = None
        error = asyncio.CancelledError() if alarm.cancelled() else alarm.exception()
        if error is None:
            self.admit()
            return
        for waiter in tuple(self._queue):
            self._send_away(waiter, error)


@define(eq=False)
class Permit:
    """A place, held until `leave`; and at first a request in flight.

    The request is `answered` or `withdrawn`; if neither is said until the end, it was lost.
    """

    _admission: RequestLimiter
    _places: Slots
    _sent: Sent | None

    def answered(self, answer: Response) -> None:
        """The head of the answer has come."""
        if (sent := self._settled()) is not None:
            self._admission.refusals += answer.status == 429
            self._admission.heard(sent, answer)

    def withdrawn(self) -> None:
        """The request surely never left."""
        if (sent := self._settled()) is not None:
            self._admission.budget.withdrawn(sent)

    def take_back(self) -> None:
        """Leave without having sent anything, and let nobody in yet."""
        self.withdrawn()
        self._places.free += 1

    def leave(self) -> None:
        """Give the place to the next one."""
        if (sent := self._settled()) is not None:
            self._admission.budget.lost(sent, self._admission.now())
            self._admission.tell_of_pauses()
        self._places.free += 1
        self._admission.admit()

    def _settled(self) -> Sent | None:
        sent, self._sent = self._sent, None
        return sent if self._admission.is_open else None
