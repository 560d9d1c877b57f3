"""Request budget of one client: its own limits, the server's, and how they stand."""

import math
from typing import Any

from attrs import Attribute, define, field, setters

from gitlab_jobs_async import store
from gitlab_jobs_async.api.parameters import positive_id
from gitlab_jobs_async.ratelimit.fair_queue import Priority
from gitlab_jobs_async.ratelimit.grants import GrantPool
from gitlab_jobs_async.ratelimit.headers import utc
from gitlab_jobs_async.ratelimit.limits import (
    ALL,
    JOBS_INDEX,
    JOBS_INDEX_PER_MINUTE,
    LimitGroup,
    LimitGroups,
)
from gitlab_jobs_async.ratelimit.pauses import Pause
from gitlab_jobs_async.ratelimit.snapshot import BudgetSnapshot
from gitlab_jobs_async.ratelimit.tracker import LimitTracker
from gitlab_jobs_async.retry.backoff import LONGEST_PAUSE


@define(eq=False, repr=False)
class Slots:
    """Slots in use, and requests that wait for one."""

    in_use: int = 0
    waiting: int = 0


@define(eq=False, repr=False)
class Usage:
    """Slots of whole responses and of open streams."""

    responses: Slots = field(factory=Slots)
    streams: Slots = field(factory=Slots)


def _limit(_budget: object, attribute: "Attribute[Any]", value: Any) -> None:
    if value is not None:
        positive_id(attribute.name, value)


@define(eq=False, on_setattr=setters.NO_OP)
class RequestBudget(LimitTracker):
    """Request limits of one client: `GitLab(budget=RequestBudget(per_minute=300))`.

    Never more than a limit are sent in any 60 seconds. A tenth of each limit is reserved for
    foreground calls, so that listings and polls cannot use it up. One budget serves one open
    `GitLab` at a time; what it has learned is kept for the next.

    Attributes:
        per_minute: limit of all requests a minute; `None` follows the server's responses.
        jobs_index_per_minute: limit of job listings a minute. GitLab limits them to 600 for each
            user over all projects by default; `None` follows the server's responses.
        shared: a `Store`, such as `SqliteStore("budget.db")`. All processes that share it keep to
            these limits together, in any 60 seconds. It costs about 5 % of each limit. Pauses that
            one process meets hold for all, without a limit, too. While the store does not answer,
            nothing is sent. Where the clock of the machine or database is set, requests wait for
            at most 63 seconds, and the limits hold. So they do after a restart of the machine, and
            for a new process with PostgreSQL while the limit was used up when the last one ended.

    Raises:
        ValueError, TypeError: a limit is not a whole number above 0.
    """

    per_minute: int | None = field(default=None, validator=_limit, kw_only=True)
    jobs_index_per_minute: int | None = field(
        default=JOBS_INDEX_PER_MINUTE, validator=_limit, kw_only=True
    )
    shared: "store.Store | None" = field(default=None, kw_only=True, repr=False)
    usage: Usage = field(init=False, factory=Usage, repr=False)
    _is_attached: bool = field(init=False, default=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if self.shared is not None and not isinstance(self.shared, store.Store):
            raise TypeError(f"invalid shared {self.shared!r}: expected a Store")
        jobs_index = self._group(self.jobs_index_per_minute)
        self._groups = LimitGroups(self._group(self.per_minute), {JOBS_INDEX: jobs_index})

    def _group(self, limit: int | None) -> LimitGroup:
        return LimitGroup(limit, None if self.shared is None else GrantPool(limit))

    @property
    def pools(self) -> dict[str, GrantPool]:
        """The grants of a shared budget by kind; empty without a store."""
        groups = {kind: self._groups.get(kind) for kind in (ALL, *self._groups.kinds)}
        return {
            kind: group.grants
            for kind, group in groups.items()
            if group is not None and group.grants is not None
        }

    def paused_elsewhere(self, kind: str, now: float, seconds: float) -> None:
        """Note a pause that another process has met."""
        group = self._groups.all if kind == ALL else self._groups.add(kind, now)
        if group.blocked_until < now + seconds:
            group.adaptive.refused(now, seconds, None)
            # Also probed by this process: the other one may have ended.
            self._pauses.record(kind, now, seconds, "HTTP 429 of another process")

    def snapshot(self, now: float | None = None) -> BudgetSnapshot:
        """Return the state as of the last request or response, or of *now* on the client's clock.

        *now* is in unix seconds.
        """
        now = self._last_seen if now is None else now
        total = self._groups.all
        limits = [*total.limits, *([self._windows.limit] if self._windows.limit else [])]
        available = min(
            [
                total.available(now, background=False),
                *(self._left(window) for window in self._windows.active(now)),
            ]
        )
        resets = [total.blocked_until, *self._windows.stated_ends()]
        if self.per_minute is not None:
            resets.append(total.next_expiry())
        pause = next(iter(self.pauses(now)), None)
        return BudgetSnapshot(
            limit=min(limits, default=None),
            used=total.used(now),
            remaining=None if math.isinf(available) else max(0, int(available)),
            reset=min((at for at in resets if now < at < math.inf), default=None),
            waiting=self.usage.responses.waiting + self.usage.streams.waiting,
            in_flight=self.usage.responses.in_use,
            streams=self.usage.streams.in_use,
            paused_until=None if pause is None else pause.until,
            next_probe=None if pause is None else pause.next_probe,
            pause_reason=None if pause is None else pause.reason,
        )

    def pauses(self, now: float) -> list[Pause]:
        """Return the server's pauses of more than two minutes: of all requests, then of kinds."""
        return self._pauses.active(
            now, lambda kind: self.blocked_for(Priority.BACKGROUND, now, kind)
        )

    @property
    def is_attached(self) -> bool:
        """Whether an open client uses it."""
        return self._is_attached

    @property
    def pause_changes(self) -> int:
        """Counter of pauses started, probed or ended."""
        return self._pauses.changes

    def is_paused(self, kind: str) -> bool:
        """Return whether no request of *kind* has got through since the server's pause."""
        return kind in self._pauses

    def attach(self) -> None:
        """Reserve the budget for one client.

        Raises:
            RuntimeError: another client uses it.
        """
        if self._is_attached:
            raise RuntimeError(
                "this RequestBudget is in use by another open GitLab; give each one its own, "
                "or use one GitLab for all"
            )
        self._is_attached, self.usage = True, Usage()

    def detach(self, now: float) -> None:
        """Release the budget; requests in flight count as lost."""
        for group in self._groups:
            while group.in_flight:
                group.lost(now)
        self._pauses.client_closed(now)
        self._is_attached, self.usage = False, Usage()

    def is_probing(self, kind: str = ALL) -> bool:
        """Return whether a probe of the pause of *kind* is in flight."""
        return self._pauses.is_probing(kind)

    def probe_at(self, priority: Priority, now: float, kind: str = ALL) -> float | None:
        """Return when one request may probe the pause of *priority*; `None` if none may."""
        state = self._probed(priority, now, kind)
        if state is None:
            return None
        return min(state.next_probe, now + self.blocked_for(priority, now, kind))

    def is_refused_probe(self, priority: Priority, now: float, kind: str) -> bool:
        """Return whether a request of *kind* was refused as a probe of a pause still long."""
        for scope in self._groups.scopes(kind):
            state = self._probed(priority, now, scope)
            is_long = self.blocked_for(priority, now, scope) > LONGEST_PAUSE
            if state is not None and state.refusals > 0 and is_long:
                return True
        return False


def not_sent_reason(pause: float, now: float, next_probe: float | None = None) -> str:
    """Return the error text of a request that is not sent, with *pause* seconds of a pause left."""
    reason = f"not sent: the rate limit is used up until {utc(now + pause)}"
    return reason if next_probe is None else f"{reason}; next try at {utc(next_probe)}"
