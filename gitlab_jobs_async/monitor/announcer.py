"""What a monitor tells of itself: that the server pauses it, and that no target can be reached."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from attrs import define, field

from gitlab_jobs_async.errors import ResponseError
from gitlab_jobs_async.events import AllTargetsUnreachable, MonitorPaused, MonitorResumed
from gitlab_jobs_async.ratelimit.pauses import Pause

_EVER = datetime.max.replace(tzinfo=UTC)


@define(eq=False)
class Announcer:
    """Tells each pause once, and once that all targets are refused; `kinds` are those it asks."""

    kinds: set[str] = field(factory=lambda: {""})
    _paused: dict[str, Pause] = field(init=False, factory=dict[str, Pause])
    _is_cut_off: bool = field(init=False, default=False)

    def of_pauses(
        self, pauses: Iterable[Pause], holds_back: Callable[[str], bool]
    ) -> list[MonitorPaused | MonitorResumed]:
        """Return what to tell, now that *pauses* are there."""
        events: list[MonitorPaused | MonitorResumed] = []
        for kind in [kind for kind in self._paused if not holds_back(kind)]:
            key = _key("resumed", self._paused.pop(kind))
            events.append(MonitorResumed(key=key, kind=kind))
        for pause in pauses:
            if pause.kind in self.kinds and pause.kind not in self._paused:
                self._paused[pause.kind] = pause
                events.append(
                    MonitorPaused(
                        key=_key("paused", pause),
                        kind=pause.kind,
                        until=_moment(pause.until),
                        next_probe=None if pause.next_probe is None else _moment(pause.next_probe),
                        reason=pause.reason,
                    )
                )
        return events

    def of_targets(
        self, targets: int, refused: int, last: ResponseError | None, now: float
    ) -> list[AllTargetsUnreachable]:
        """Return what to tell, now that of so many *targets* so many are *refused*."""
        was_cut_off, self._is_cut_off = self._is_cut_off, 0 < targets <= refused
        if was_cut_off or not self._is_cut_off or last is None:
            return []
        key = f"monitor/{now:.3f}/all_unreachable"
        return [
            AllTargetsUnreachable(key=key, targets=targets, reason=str(last), status=last.status)
        ]


def _key(what: str, pause: Pause) -> str:
    return f"monitor/{pause.began:.3f}/{what}/{pause.kind or 'all'}"


def _moment(at: float) -> datetime:
    try:
        return datetime.fromtimestamp(at, UTC)
    except (ValueError, OverflowError, OSError):
        return _EVER
