"""Report pauses of the whole monitor: by the server's rate limit, or because it refuses all."""

from collections.abc import Collection
from datetime import UTC, datetime

from attrs import define, field

from gitlab_jobs_async.errors import ResponseError
from gitlab_jobs_async.events import AllTargetsUnreachable, MonitorPaused, MonitorResumed
from gitlab_jobs_async.monitor.checkpoint.outbox import Outbox
from gitlab_jobs_async.monitor.schedule.availability import TargetAvailability
from gitlab_jobs_async.ratelimit.budget import RequestBudget
from gitlab_jobs_async.ratelimit.pauses import Pause

_MAX_TIME = datetime.max.replace(tzinfo=UTC)


@define(eq=False, repr=False)
class Announcer:
    """Emit each pause once, and one event when all targets are refused."""

    _budget: RequestBudget
    _outbox: Outbox
    # The kind of a pause of all requests is the empty string.
    _kinds: set[str] = field(init=False, factory=lambda: {""})
    _paused: dict[str, Pause] = field(init=False, factory=dict[str, Pause])
    _seen_changes: int = field(init=False, default=-1)
    _refusals: dict[str, ResponseError | None] = field(
        init=False, factory=dict[str, ResponseError | None]
    )
    _is_cut_off: bool = field(init=False, default=False)

    @property
    def paused(self) -> Collection[str]:
        """Kinds of requests whose pause was announced, and has not ended."""
        return self._paused.keys()

    def concern(self, kind: str) -> None:
        """Report pauses of requests of *kind*, which this monitor has sent."""
        self._kinds.add(kind)
        # A pause of this kind may have started before the monitor sent such a request.
        self._seen_changes = -1

    def announce_pauses(self, now: float) -> None:
        """Emit an event for each pause that has started or ended since the last call."""
        # Called after each response, so it must be cheap if nothing has changed.
        if self._seen_changes == self._budget.pause_changes:
            return
        self._seen_changes = self._budget.pause_changes
        for kind in [kind for kind in self._paused if not self._budget.is_paused(kind)]:
            key = _key("resumed", self._paused.pop(kind))
            self._outbox.announce(MonitorResumed(key=key, kind=kind))
        for pause in self._budget.pauses(now):
            if pause.kind in self._kinds and pause.kind not in self._paused:
                self._paused[pause.kind] = pause
                self._outbox.announce(_paused(pause))

    def polled(self, name: str, availability: TargetAvailability) -> None:
        """Note whether the target *name* is refused after a poll."""
        if availability.is_refused:
            self._refusals[name] = availability.refusal
        else:
            self.drop(name)

    def drop(self, name: str) -> None:
        """Forget the target *name*."""
        self._refusals.pop(name, None)

    def announce_targets(self, targets: int, now: float) -> None:
        """Emit an event when all *targets* are refused, once until that changes."""
        was_cut_off, self._is_cut_off = self._is_cut_off, 0 < targets <= len(self._refusals)
        refusal = next(iter(self._refusals.values()), None)
        if self._is_cut_off and not was_cut_off and refusal is not None:
            key, status = f"monitor/{now:.3f}/all_unreachable", refusal.status
            self._outbox.announce(
                AllTargetsUnreachable(key=key, targets=targets, reason=str(refusal), status=status)
            )


def _paused(pause: Pause) -> MonitorPaused:
    return MonitorPaused(
        key=_key("paused", pause),
        kind=pause.kind,
        until=_time(pause.until),
        next_probe=None if pause.next_probe is None else _time(pause.next_probe),
        reason=pause.reason,
    )


def _key(what: str, pause: Pause) -> str:
    return f"monitor/{pause.began:.3f}/{what}/{pause.kind or 'all'}"


def _time(at: float) -> datetime:
    try:
        return datetime.fromtimestamp(at, UTC)
    except (ValueError, OverflowError, OSError):
        # A Retry-After may lie beyond the years of `datetime`.
        return _MAX_TIME
