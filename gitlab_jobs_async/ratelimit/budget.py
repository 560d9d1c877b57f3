"""May a request go now, and if not, when: what the caller allows and what the server has said.

A request that is in flight, or was lost on the way, counts as one that the server has seen.
Follows https://docs.gitlab.com/administration/settings/user_and_ip_rate_limits/.
"""

import math
from typing import Any

from attrs import Attribute, define, field, frozen, setters

from gitlab_jobs_async.api.parameters import positive_id
from gitlab_jobs_async.api.responses import Response, retry_after
from gitlab_jobs_async.ratelimit.fair_queue import Priority
from gitlab_jobs_async.ratelimit.headers import (
    UNSAID_WAIT,
    StatedWindow,
    is_of_one_kind,
    next_whole_minute,
    stated_window,
    utc,
)
from gitlab_jobs_async.ratelimit.limits import (
    JOBS_INDEX_PER_MINUTE,
    FixedWindow,
    LimitGroup,
    apart,
    reserve,
)
from gitlab_jobs_async.ratelimit.pauses import Pause, Pauses, PauseState
from gitlab_jobs_async.ratelimit.windows import FixedWindows
from gitlab_jobs_async.retry.backoff import LONGEST_PAUSE

JOBS_INDEX = "GET /projects/:id/jobs"
"""What has a limit of its own, per user and over all projects, that no header ever tells."""

_MOST_KINDS = 100
_ALL = ""
"""The name under which all requests are limited together."""


@frozen(kw_only=True)
class BudgetSnapshot:
    """What a `RequestBudget` knows; `None` where nothing is known.

    Attributes:
        limit: requests a minute: the caller's own limit or the server's, whichever is lower. (A
            server tells a limit of an hour as so many a minute.)
        used: requests of this client in the last minute, those in flight included.
        remaining: requests that may go now, as far as is known.
        reset: unix seconds when a pause or the server's window ends, so that more may go.
        waiting: requests that wait, for their turn or for a place.
        paused_until: unix seconds until which the server has asked to send nothing, or nothing of
            one kind, if that was more than two minutes.
        next_probe: unix seconds when one request may test that pause; only one longer than an hour
            is tested.
        pause_reason: what the server said to ask for it, and what it holds back.
    """

    limit: int | None
    used: int
    remaining: int | None
    reset: float | None
    waiting: int
    paused_until: float | None = None
    next_probe: float | None = None
    pause_reason: str | None = None


@frozen
class Sent:
    """One request in flight: its kind, what it counts against, and the pauses that it probes."""

    kind: str
    allowances: tuple[LimitGroup, ...]
    probes: tuple[str, ...] = ()


def _limit(_budget: object, attribute: "Attribute[Any]", value: Any) -> None:
    if value is not None:
        positive_id(attribute.name, value)


@define(eq=False, on_setattr=setters.NO_OP)
class RequestBudget:
    """How many requests a client may send: at most what it is given, and what the server allows.

    *per_minute* is for all requests, *jobs_index_per_minute* for those to list a project's jobs,
    which GitLab limits to 600 per user over all projects unless its administrator says otherwise;
    `None` leaves it to the server's answers. Never more than that are sent in any 60 seconds. A
    tenth is kept for calls of the caller's own, so that pages of listings and polls of logs cannot
    use it up.

    One budget belongs to one open `GitLab`; what it has learned stays for the next one.

    Raises:
        ValueError, TypeError: a limit is no whole number above 0.
    """

    per_minute: int | None = field(default=None, validator=_limit, kw_only=True)
    jobs_index_per_minute: int | None = field(
        default=JOBS_INDEX_PER_MINUTE, validator=_limit, kw_only=True
    )
    waiting: int = field(init=False, default=0, repr=False)
    _all: LimitGroup = field(init=False, repr=False)
    _kinds: dict[str, LimitGroup] = field(init=False, repr=False)
    _windows: FixedWindows = field(init=False, factory=FixedWindows, repr=False)
    _pauses: Pauses = field(init=False, factory=Pauses, repr=False)
    _last: float = field(init=False, default=0.0, repr=False)
    _is_used: bool = field(init=False, default=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._all = LimitGroup(self.per_minute)
        self._kinds = {JOBS_INDEX: LimitGroup(self.jobs_index_per_minute)}

    # What a caller asks

    def snapshot(self, now: float | None = None) -> BudgetSnapshot:
        """What is known as of the last request or answer, or of *now* on the client's clock."""
        now = self._last if now is None else now
        limits = [self.per_minute, self._all.throttle.limit, self._windows.limit]
        room = min(
            [self._all.room(now, spare=False), *(self._left(w) for w in self._windows.known(now))]
        )
        ends = [self._all.throttle.until]
        ends += self._windows.next_ends()
        if self.per_minute is not None:
            ends.append(self._all.minute.next_expiry())
        coming = [end for end in ends if now < end < math.inf]
        pause = next(iter(self.pauses(now)), None)
        return BudgetSnapshot(
            limit=min((limit for limit in limits if limit is not None), default=None),
            used=self._all.minute.count(now) + self._all.in_flight,
            remaining=None if math.isinf(room) else max(0, int(room)),
            reset=min(coming, default=None),
            waiting=self.waiting,
            paused_until=None if pause is None else pause.until,
            next_probe=None if pause is None else pause.next_probe,
            pause_reason=None if pause is None else pause.reason,
        )

    def pauses(self, now: float) -> list[Pause]:
        """Return what the server holds back for more than two minutes: all requests, then kinds."""
        return self._pauses.listed(now, lambda kind: self.pause(Priority.BACKGROUND, now, kind))

    @property
    def pause_changes(self) -> int:
        """A number that grows with each pause that begins, is probed or ends."""
        return self._pauses.changes

    def holds_back(self, kind: str) -> bool:
        """Whether no request of *kind* has got through since the server asked for a pause."""
        return kind in self._pauses

    # What the client asks and tells

    def begin(self) -> None:
        """Let one client use it.

        Raises:
            RuntimeError: another one does.
        """
        if self._is_used:
            raise RuntimeError(
                "this RequestBudget is in use by another open GitLab; give each one its own, "
                "or use one GitLab for all"
            )
        self._is_used = True

    def end(self, now: float) -> None:
        """The client is closed; what was in flight may have been seen."""
        for allowance in (self._all, *self._kinds.values()):
            while allowance.in_flight:
                allowance.lost(now)
        self._pauses.client_closed(now)
        self._is_used, self.waiting = False, 0

    def queue_of(self, kind: str) -> str:
        """The name under which requests of *kind* are limited apart; empty if they are not."""
        return kind if kind in self._kinds else ""

    def opens(self, lane: Priority, now: float, kind: str = "") -> float:
        """When the next request of *lane* may go; *now* if it may, infinity after an answer.

        With *kind*, as far as that kind's own limits say; without, as far as all others do.
        """
        self._last = now
        spare = lane is not Priority.DIRECT
        allowance = self._kinds.get(kind) if kind else self._all
        if allowance is None:
            return now
        if (paused := self._probed(lane, now, kind)) is not None:
            opens = min(paused.opens(now), now + self.pause(lane, now, kind))
            return max(opens, allowance.opens_below_cap(now, spare=spare))
        if kind:
            return allowance.opens(now, spare=spare)
        opens = allowance.opens(now, spare=spare)
        for window in self._windows.known(now):
            if self._left(window) - (reserve(window.most) if spare else 0) < 1:
                opens = max(opens, window.ends)
        return opens

    def gap(self, kind: str, wanted: int, now: float) -> float:
        """Seconds to leave between two polls of *kind*; none where *wanted* of them may go now."""
        gaps = [known.gap(now, wanted) for known in (self._all, self._kinds.get(kind, self._all))]
        stated = self._windows.limit
        if stated and any(self._left(window) < wanted for window in self._windows.known(now)):
            gaps.append(apart(stated))
        return max(gaps)

    def pause(self, lane: Priority, now: float, kind: str = "") -> float:
        """Seconds for which the server lets nothing of *lane* (or of *kind*) through, as it said.

        Waiting for one's turn is none.
        """
        if kind:
            return self._kinds[kind].throttle.until - now if kind in self._kinds else 0.0
        ends = [self._all.throttle.until]
        for window in self._windows.known(now):
            kept = 0 if lane is Priority.DIRECT else reserve(window.most)
            if window.remaining <= kept:
                ends.append(window.ends)
        return max(ends) - now

    def is_probing(self, kind: str = _ALL) -> bool:
        """Whether a request is out that tests the pause of *kind*: its answer is worth a wait."""
        return self._pauses.is_probing(kind)

    def probe_at(self, lane: Priority, now: float, kind: str = _ALL) -> float | None:
        """When one request may test the pause that holds back *lane* now; `None` if none may."""
        state = self._probed(lane, now, kind)
        return None if state is None else min(state.next_probe, now + self.pause(lane, now, kind))

    def is_refused_probe(self, lane: Priority, now: float, kind: str) -> bool:
        """Whether a request of *kind* has been refused as a probe of a pause that is still long."""
        for scope in self._scopes(kind):
            state = self._probed(lane, now, scope)
            is_long = self.pause(lane, now, scope) > LONGEST_PAUSE
            if state is not None and state.refusals > 0 and is_long:
                return True
        return False

    def sent(self, kind: str, lane: Priority = Priority.DIRECT) -> Sent:
        """A request goes; each of these is answered, lost or withdrawn in the end."""
        known = self._kinds.get(kind)
        allowances = (self._all,) if known is None else (self._all, known)
        for allowance in allowances:
            allowance.in_flight += 1
        probes = [
            scope
            for scope in self._scopes(kind)
            if self._probed(lane, self._last, scope) is not None
        ]
        self._pauses.began_probing(probes)
        return Sent(kind, allowances, tuple(probes))

    def withdrawn(self, sent: Sent) -> None:
        """It surely never left."""
        for allowance in sent.allowances:
            allowance.in_flight -= 1
        self._pauses.withdrawn(sent.probes)

    def lost(self, sent: Sent, now: float) -> None:
        """It has no answer."""
        self._last = now
        for allowance in sent.allowances:
            allowance.lost(now)
        self._windows.lost()
        self._pauses.lost(sent.probes, now)

    def answered(self, sent: Sent, answer: Response, now: float, jitter: float = 0.0) -> None:
        """It has an answer, of which only the head matters.

        *jitter*, from 0 to 1, keeps clients from coming back in one moment.
        """
        self._last = now
        is_refusal = answer.status == 429
        stated = stated_window(answer.headers, now)
        if not is_refusal:
            self._got_through(sent, now)
        if self._windows.hear(stated, now, is_refusal=is_refusal) and not is_refusal:
            # What remains is more exact than any limit a minute.
            self._all.throttle.forget_limit()
        if is_refusal:
            for allowance in sent.allowances:
                allowance.refused(now)
            self._refused(sent, answer, stated, now, jitter)
        else:
            for allowance in sent.allowances:
                allowance.succeeded(now)
        said = "HTTP 429" if is_refusal else f"HTTP {answer.status} with RateLimit-Remaining"
        for scope in self._scopes(sent.kind):
            self._pauses.note(scope, now, self.pause(Priority.BACKGROUND, now, scope), said)

    def _refused(
        self,
        sent: Sent,
        answer: Response,
        stated: StatedWindow | None,
        now: float,
        jitter: float,
    ) -> None:
        wait = retry_after(answer.headers, now)
        is_of_kind = is_of_one_kind(answer.headers)
        scope = sent.kind if is_of_kind else _ALL
        throttle = self._kind(scope, now).throttle if is_of_kind else self._all.throttle
        if not is_of_kind and stated is not None:
            wait = max(stated.ends - now, wait or 0.0)
        if is_of_kind and _ALL in sent.probes:
            self._end_pause(_ALL, now)  # it has passed the limiter of all requests
        if not is_of_kind:
            self._pauses.lost([probed for probed in sent.probes if probed != _ALL], now)
        if scope in sent.probes:
            self._pauses.refused(scope, now)
            if throttle.until > now:
                throttle.probe_refused(now, wait)
                return
        elif throttle.until <= now:
            self._pauses.refused(scope, now)  # its end has come, and was none
        limit = None if stated is None or is_of_kind else stated.limit
        sooner = next_whole_minute(answer.headers, now) if is_of_kind else None
        throttle.refused(
            now,
            UNSAID_WAIT if wait is None else wait,
            limit,
            sooner=None if sooner is None else sooner + jitter,
        )

    def _got_through(self, sent: Sent, now: float) -> None:
        """End the pauses that it has tested, and doubt what they had been asked for by."""
        for scope in self._scopes(sent.kind):
            if scope in sent.probes:
                self._end_pause(scope, now)
            elif scope in self._pauses and self.pause(Priority.BACKGROUND, now, scope) <= 0:
                self._pauses.ended(scope)

    def _end_pause(self, scope: str, now: float) -> None:
        self._pauses.ended(scope)
        if scope != _ALL:
            self._kinds[scope].throttle.release(now)
            return
        self._all.throttle.release(now)
        self._windows.doubt()

    def _scopes(self, kind: str) -> tuple[str, ...]:
        """The names under which requests of *kind* are limited."""
        return (_ALL, kind) if kind in self._kinds else (_ALL,)

    def _probed(self, lane: Priority, now: float, scope: str) -> PauseState | None:
        """The pause that holds back *lane* now, if it is one to be tested."""
        state = self._pauses.probed(scope)
        return state if state is not None and self.pause(lane, now, scope) > 0 else None

    def _kind(self, kind: str, now: float) -> LimitGroup:
        if kind not in self._kinds and len(self._kinds) >= _MOST_KINDS:
            self._kinds = {
                name: known
                for name, known in self._kinds.items()
                if name == JOBS_INDEX or known.in_flight or known.throttle.until > now
            }
            self._pauses.keep({_ALL, *self._kinds})
        return self._kinds.setdefault(kind, LimitGroup())

    def _left(self, window: FixedWindow) -> int:
        return window.remaining - self._all.in_flight


def not_before(pause: float, now: float, next_probe: float | None = None) -> str:
    """What to say to a request that is not sent, since nothing goes for *pause* seconds."""
    said = f"not sent: the rate limit is used up until {utc(now + pause)}"
    return said if next_probe is None else f"{said}; next try at {utc(next_probe)}"
