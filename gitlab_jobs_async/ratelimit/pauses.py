"""Long pauses that the server asks for, and when one request may test whether they still hold.

No single answer silences a client: a pause longer than an hour is probed, first after a minute,
then after twice as long each time, and at least once an hour.
"""

import math
from collections.abc import Callable, Collection, Iterable

from attrs import define, field, frozen

from gitlab_jobs_async.ratelimit.headers import utc
from gitlab_jobs_async.retry.backoff import LONGEST_PAUSE, PROBES

_WORTH_TELLING = 120.0
"""Seconds: shorter pauses are the usual course of limits that open each minute."""


@frozen
class Pause:
    """A pause that the server has asked for, of more than two minutes; times are unix seconds.

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


@define(eq=False)
class PauseState:
    """One pause from its first refusal until a request gets through.

    It outlives its own end: if the next request is refused again, its probes do not begin anew.
    """

    began: float
    reason: str
    is_probed: bool = field(init=False, default=False)
    next_probe: float = field(init=False, default=math.inf)
    is_probe_out: bool = field(init=False, default=False)
    refusals: int = field(init=False, default=0)

    def probe_from_now(self, now: float) -> None:
        """Begin to probe, unless it is probed already: the pause has become longer than an hour."""
        if not self.is_probed:
            self.is_probed = True
            self._plan(now)

    def opens(self, now: float) -> float:
        """When a probe may go; *now* if it may, infinity while one is out or none is wanted."""
        return math.inf if self.is_probe_out else max(now, self.next_probe)

    def refused(self, now: float) -> None:
        """The probe was refused: the next one comes after twice as long."""
        self.refusals += 1
        self.lost(now)

    def lost(self, now: float) -> None:
        """The probe has no answer: the next one comes after as long as this one."""
        self.is_probe_out = False
        self._plan(now)

    def withdrawn(self) -> None:
        """The probe never left: another one may go at once."""
        self.is_probe_out = False

    def _plan(self, now: float) -> None:
        self.next_probe = now + PROBES.delay(self.refusals)


@define(eq=False)
class Pauses:
    """The pauses of more than two minutes, by what they hold back: a kind, or "" for all.

    `changes` grows with each that begins, is probed or ends.
    """

    changes: int = field(init=False, default=0)
    _states: dict[str, PauseState] = field(init=False, factory=dict[str, PauseState])

    def __contains__(self, scope: object) -> bool:
        return scope in self._states

    def listed(self, now: float, left_of: Callable[[str], float]) -> list[Pause]:
        """Return those that go on; *left_of* says for how many seconds more."""
        held = []
        for kind, state in sorted(self._states.items()):
            left = left_of(kind)
            if left > 0:
                probe = min(state.next_probe, now + left) if state.is_probed else None
                until = now + left
                held.append(
                    Pause(
                        kind, began=state.began, until=until, next_probe=probe, reason=state.reason
                    )
                )
        return held

    def note(self, scope: str, now: float, left: float, said: str) -> None:
        """Keep what is known of a pause of *left* seconds more, if that is worth telling."""
        if left <= _WORTH_TELLING:
            return
        if scope not in self._states:
            what = f" to {scope}" if scope else ""
            reason = f"{said}{what}: no requests allowed until {utc(now + left)}"
            self._states[scope] = PauseState(now, reason)
            self.changes += 1
        if left > LONGEST_PAUSE:
            self._states[scope].probe_from_now(now)

    def probed(self, scope: str) -> PauseState | None:
        """Return the pause of *scope* if it is one to be tested."""
        state = self._states.get(scope)
        return state if state is not None and state.is_probed else None

    def is_probing(self, scope: str) -> bool:
        """Whether a request is out that tests it: its answer is worth a wait."""
        return scope in self._states and self._states[scope].is_probe_out

    def began_probing(self, scopes: Iterable[str]) -> None:
        """Count a request as the probe of each of *scopes*."""
        for scope in scopes:
            self._states[scope].is_probe_out = True

    def withdrawn(self, scopes: Iterable[str]) -> None:
        """The probe of *scopes* never left."""
        for state in self._known(scopes):
            state.withdrawn()

    def lost(self, scopes: Iterable[str], now: float) -> None:
        """The probe of *scopes* has no answer, or none that is about them."""
        for state in self._known(scopes):
            state.lost(now)
            self.changes += 1

    def refused(self, scope: str, now: float) -> None:
        """The probe of *scope* was refused."""
        for state in self._known([scope]):
            state.refused(now)
            self.changes += 1

    def ended(self, scope: str) -> None:
        """A request got through."""
        if self._states.pop(scope, None) is not None:
            self.changes += 1

    def client_closed(self, now: float) -> None:
        """Whatever probe is out, nobody waits for its answer any more."""
        for state in self._states.values():
            if state.is_probe_out:
                state.lost(now)

    def keep(self, scopes: Collection[str]) -> None:
        """Forget the pauses of all kinds but *scopes*."""
        self._states = {name: state for name, state in self._states.items() if name in scopes}

    def _known(self, scopes: Iterable[str]) -> list[PauseState]:
        return [self._states[scope] for scope in scopes if scope in self._states]
