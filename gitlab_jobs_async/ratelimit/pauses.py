"""Long pauses that the server asks for, and the probes that test whether they still hold.

No single response silences a client. A pause of more than an hour is probed: first after a minute,
then after twice as long each time, and at least once an hour.
"""

import math
from collections.abc import Callable, Collection, Iterable

from attrs import define, field, frozen

from gitlab_jobs_async.ratelimit.headers import utc
from gitlab_jobs_async.retry.backoff import LONGEST_PAUSE, PROBES

# Seconds: shorter pauses are normal, since limits reset each minute.
_REPORTED = 120.0


@frozen
class Pause:
    """Pause of more than two minutes that the server has asked for; times are unix seconds.

    Attributes:
        kind: the requests it holds back, such as "GET /projects/:id/jobs"; "" for all.
        began: when the server asked for it.
        until: when it ends, as far as the server has said.
        next_probe: when one request may test it; `None` if it is an hour or shorter.
        reason: what the server said.
    """

    kind: str
    began: float = field(kw_only=True)
    until: float = field(kw_only=True)
    next_probe: float | None = field(kw_only=True)
    reason: str = field(kw_only=True)


@define(eq=False, repr=False)
class PauseState:
    """One pause, from its first refusal until a request gets through.

    It outlives its own end, so that another refusal continues the backoff of its probes.
    """

    began: float
    reason: str
    is_probed: bool = field(init=False, default=False)
    next_probe: float = field(init=False, default=math.inf)
    is_probe_in_flight: bool = field(init=False, default=False)
    refusals: int = field(init=False, default=0)

    def start_probing(self, now: float) -> None:
        """Schedule the first probe, unless probing has started."""
        if not self.is_probed:
            self.is_probed = True
            self._schedule(now)

    def available_at(self, now: float) -> float:
        """Return when a probe may go, or *now*; infinity while one is in flight."""
        return math.inf if self.is_probe_in_flight else max(now, self.next_probe)

    def refused(self, now: float) -> None:
        """Record a refused probe: the next one waits twice as long."""
        self.refusals += 1
        self.lost(now)

    def lost(self, now: float) -> None:
        """Record a probe without a response: the next one waits as long again."""
        self.is_probe_in_flight = False
        self._schedule(now)

    def cancelled(self) -> None:
        """Record a probe that was never sent: another one may go at once."""
        self.is_probe_in_flight = False

    def _schedule(self, now: float) -> None:
        self.next_probe = now + PROBES.delay(self.refusals)


@define(eq=False, repr=False)
class Pauses:
    """Pauses of more than two minutes by scope: a kind, or "" for all requests.

    `changes` grows whenever a pause begins, is probed or ends.
    """

    changes: int = field(init=False, default=0)
    _states: dict[str, PauseState] = field(init=False, factory=dict[str, PauseState])

    def __contains__(self, scope: object) -> bool:
        return scope in self._states

    def active(self, now: float, left_of: Callable[[str], float]) -> list[Pause]:
        """Return the pauses in force; *left_of* returns the seconds left of a scope."""
        pauses = []
        for kind, state in sorted(self._states.items()):
            left = left_of(kind)
            if left > 0:
                until = now + left
                probe = min(state.next_probe, until) if state.is_probed else None
                pauses.append(
                    Pause(
                        kind, began=state.began, until=until, next_probe=probe, reason=state.reason
                    )
                )
        return pauses

    def record(self, scope: str, now: float, left: float, source: str) -> None:
        """Record a pause that *source* asked for, if more than two minutes are *left*."""
        if left <= _REPORTED:
            return
        # A renewed pause keeps its state, so that watchers hear of it once.
        if scope not in self._states:
            target = f" to {scope}" if scope else ""
            reason = f"{source}{target}: no requests allowed until {utc(now + left)}"
            self._states[scope] = PauseState(now, reason)
            self.changes += 1
        if left > LONGEST_PAUSE:
            self._states[scope].start_probing(now)

    def probed(self, scope: str) -> PauseState | None:
        """Return the pause of *scope* if it is probed."""
        state = self._states.get(scope)
        return state if state is not None and state.is_probed else None

    def is_probing(self, scope: str) -> bool:
        """Return whether a probe of *scope* is in flight."""
        return scope in self._states and self._states[scope].is_probe_in_flight

    def probe_sent(self, scopes: Iterable[str]) -> None:
        """Count a request as the probe of each of *scopes*."""
        for scope in scopes:
            self._states[scope].is_probe_in_flight = True

    def cancelled(self, scopes: Iterable[str]) -> None:
        """Record that the probe of *scopes* was never sent."""
        for state in self._known(scopes):
            state.cancelled()

    def lost(self, scopes: Iterable[str], now: float) -> None:
        """Record that the probe of *scopes* has no response that concerns them."""
        for state in self._known(scopes):
            state.lost(now)
            self.changes += 1

    def refused(self, scope: str, now: float) -> None:
        """Record that the probe of *scope* was refused."""
        for state in self._known([scope]):
            state.refused(now)
            self.changes += 1

    def ended(self, scope: str) -> None:
        """Drop the pause of *scope*: a request got through."""
        if self._states.pop(scope, None) is not None:
            self.changes += 1

    def client_closed(self, now: float) -> None:
        """Count probes in flight as lost."""
        for state in self._states.values():
            if state.is_probe_in_flight:
                state.lost(now)

    def keep(self, scopes: Collection[str]) -> None:
        """Drop the pauses of all scopes but *scopes*."""
        self._states = {name: state for name, state in self._states.items() if name in scopes}

    def _known(self, scopes: Iterable[str]) -> list[PauseState]:
        return [self._states[scope] for scope in scopes if scope in self._states]
