"""May a request go now, and if not, when: what the caller allows and what the server has said.

A request that is in flight, or was lost on the way, counts as one that the server has seen.
Follows https://docs.gitlab.com/administration/settings/user_and_ip_rate_limits/.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from attrs import Attribute, define, field, frozen, setters

from gitlab_jobs_async.sansio.arguments import positive_id
from gitlab_jobs_async.sansio.limits import JOBS_INDEX_PER_MINUTE, Allowance, Window, apart, reserve
from gitlab_jobs_async.sansio.responses import Response, http_date, retry_after
from gitlab_jobs_async.sansio.turns import Lane

JOBS_INDEX = "GET /projects/:id/jobs"
"""What has a limit of its own, per user and over all projects, that no header ever tells."""

_UNSAID_WAIT = 60.0
"""Seconds to wait after a 429 that says nothing: the window of every limit known."""

_LONGEST_WINDOW = 86_400.0
_MOST_KINDS = 100
_MOST_NAMES = 10
_NUMBER = re.compile(r"\d{1,10}", re.ASCII)


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
    """

    limit: int | None
    used: int
    remaining: int | None
    reset: float | None
    waiting: int


@frozen
class Sent:
    """One request in flight: its kind, and what it counts against."""

    kind: str
    allowances: tuple[Allowance, ...]


@frozen
class _Told:
    """What the `RateLimit-*` headers of an answer say, on the client's clock."""

    name: str
    limit: int | None
    remaining: int
    reset: int
    ends: float


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
    _all: Allowance = field(init=False, repr=False)
    _kinds: dict[str, Allowance] = field(init=False, repr=False)
    _windows: dict[str, Window] = field(init=False, factory=dict[str, Window], repr=False)
    _stated: int | None = field(init=False, default=None, repr=False)
    _last: float = field(init=False, default=0.0, repr=False)
    _is_used: bool = field(init=False, default=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._all = Allowance(self.per_minute)
        self._kinds = {JOBS_INDEX: Allowance(self.jobs_index_per_minute)}

    # What a caller asks

    def snapshot(self, now: float | None = None) -> BudgetSnapshot:
        """What is known as of the last request or answer, or of *now* on the client's clock."""
        now = self._last if now is None else now
        limits = [self.per_minute, self._all.throttle.limit, self._stated]
        room = min([self._all.room(now, spare=False), *(self._left(w) for w in self._open(now))])
        ends = [self._all.throttle.until]
        ends += [window.ends for window in self._windows.values() if window.is_news]
        if self.per_minute is not None:
            ends.append(self._all.minute.next_expiry())
        coming = [end for end in ends if now < end < math.inf]
        return BudgetSnapshot(
            limit=min((limit for limit in limits if limit is not None), default=None),
            used=self._all.minute.count(now) + self._all.in_flight,
            remaining=None if math.isinf(room) else max(0, int(room)),
            reset=min(coming, default=None),
            waiting=self.waiting,
        )

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
        self._is_used, self.waiting = False, 0

    def queue_of(self, kind: str) -> str:
        """The name under which requests of *kind* are limited apart; empty if they are not."""
        return kind if kind in self._kinds else ""

    def opens(self, lane: Lane, now: float, kind: str = "") -> float:
        """When the next request of *lane* may go; *now* if it may, infinity after an answer.

        With *kind*, as far as that kind's own limits say; without, as far as all others do.
        """
        self._last = now
        spare = lane is not Lane.DIRECT
        if kind:
            return self._kinds[kind].opens(now, spare=spare) if kind in self._kinds else now
        opens = self._all.opens(now, spare=spare)
        for window in self._open(now):
            if self._left(window) - (reserve(window.most) if spare else 0) < 1:
                opens = max(opens, window.ends)
        return opens

    def gap(self, kind: str, wanted: int, now: float) -> float:
        """Seconds to leave between two polls of *kind*; none where *wanted* of them may go now."""
        gaps = [known.gap(now, wanted) for known in (self._all, self._kinds.get(kind, self._all))]
        if self._stated and any(self._left(window) < wanted for window in self._open(now)):
            gaps.append(apart(self._stated))
        return max(gaps)

    def pause(self, lane: Lane, now: float, kind: str = "") -> float:
        """Seconds for which the server lets nothing of *lane* (or of *kind*) through, as it said.

        Waiting for one's turn is none.
        """
        if kind:
            return self._kinds[kind].throttle.until - now if kind in self._kinds else 0.0
        ends = [self._all.throttle.until]
        for window in self._open(now):
            kept = 0 if lane is Lane.DIRECT else reserve(window.most)
            if window.remaining <= kept:
                ends.append(window.ends)
        return max(ends) - now

    def sent(self, kind: str) -> Sent:
        """A request goes; each of these is answered, lost or withdrawn in the end."""
        known = self._kinds.get(kind)
        allowances = (self._all,) if known is None else (self._all, known)
        for allowance in allowances:
            allowance.in_flight += 1
        return Sent(kind, allowances)

    def withdrawn(self, sent: Sent) -> None:
        """It surely never left."""
        for allowance in sent.allowances:
            allowance.in_flight -= 1

    def lost(self, sent: Sent, now: float) -> None:
        """It has no answer."""
        self._last = now
        for allowance in sent.allowances:
            allowance.lost(now)
        for window in self._windows.values():
            window.lost()

    def answered(self, sent: Sent, answer: Response, now: float) -> None:
        """It has an answer, of which only the head matters."""
        self._last = now
        told = _told(answer.headers, now)
        self._hear(told, is_refusal=answer.status == 429)
        if answer.status != 429:
            for allowance in sent.allowances:
                allowance.succeeded(now)
            return
        for allowance in sent.allowances:
            allowance.refused(now)
        wait = retry_after(answer.headers, now)
        if _is_of_one_kind(answer.headers):
            self._kind(sent.kind, now).throttle.refused(now, _or_a_minute(wait), None)
            return
        if told is not None:
            wait = max(told.ends - now, wait or 0.0)
        limit = None if told is None else told.limit
        self._all.throttle.refused(now, _or_a_minute(wait), limit)

    def _hear(self, told: _Told | None, *, is_refusal: bool) -> None:
        for name, window in self._windows.items():
            if told is not None and told.name == name:
                window.told(told.reset, told.ends, told.remaining)
            elif told is None or told.remaining <= window.remaining:
                # An answer names the narrowest limit: a wider one says that this one did not count.
                window.unsaid()
        if told is None:
            return
        self._stated = told.limit
        if not is_refusal:
            self._all.throttle.forget_limit()
            if told.name not in self._windows and len(self._windows) < _MOST_NAMES:
                self._windows[told.name] = Window(told.reset, told.ends, told.remaining)

    def _kind(self, kind: str, now: float) -> Allowance:
        if kind not in self._kinds and len(self._kinds) >= _MOST_KINDS:
            self._kinds = {
                name: known
                for name, known in self._kinds.items()
                if name == JOBS_INDEX or known.in_flight or known.throttle.until > now
            }
        return self._kinds.setdefault(kind, Allowance())

    def _open(self, now: float) -> list[Window]:
        """The windows of which something is known."""
        over = [name for name, window in self._windows.items() if window.is_over(now)]
        for name in over:
            del self._windows[name]
        return list(self._windows.values())

    def _left(self, window: Window) -> int:
        return window.remaining - self._all.in_flight


def not_before(pause: float, now: float) -> str:
    """What to say to a request that is not sent, since nothing goes for *pause* seconds."""
    at = datetime.fromtimestamp(now + pause, UTC)
    return f"not sent: the rate limit is used up until {at:%Y-%m-%d %H:%M:%S} UTC"


def _or_a_minute(wait: float | None) -> float:
    return _UNSAID_WAIT if wait is None else wait


def _told(headers: Mapping[str, str], now: float) -> _Told | None:
    """What the headers say; `Date` tells how far the server's clock is from ours."""
    limit, remaining, reset = (
        _number(headers.get(f"ratelimit-{name}", "")) for name in ("limit", "remaining", "reset")
    )
    if remaining is None or reset is None:
        return None
    answered = http_date(headers.get("date", ""))
    left = reset - (now if answered is None else answered)
    if not 0 < left <= _LONGEST_WINDOW:
        return None
    return _Told(headers.get("ratelimit-name", ""), limit or None, remaining, reset, now + left)


def _number(text: str) -> int | None:
    return int(text) if _NUMBER.fullmatch(text) else None


def _is_of_one_kind(headers: Mapping[str, str]) -> bool:
    """Whether a 429 is that of GitLab's limiter of single endpoints: it alone speaks JSON.

    See lib/api/helpers.rb (`too_many_requests!`); Rack::Attack and most proxies send text. The head
    must do, since others would go while the body is read.
    """
    return headers.get("content-type", "").lower().startswith("application/json")
