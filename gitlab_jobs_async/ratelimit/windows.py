"""The fixed windows that a server states by name in `RateLimit-*` headers: what is left in each."""

from attrs import define, field

from gitlab_jobs_async.ratelimit.headers import StatedWindow
from gitlab_jobs_async.ratelimit.limits import FixedWindow, reserve
from gitlab_jobs_async.retry.backoff import LONGEST_PAUSE

_MOST_NAMES = 10


@define(eq=False)
class FixedWindows:
    """The windows by name; `limit` is how many requests a minute the server last stated."""

    limit: int | None = field(init=False, default=None)
    _by_name: dict[str, FixedWindow] = field(init=False, factory=dict[str, FixedWindow])
    _doubted: set[str] = field(init=False, factory=set[str])

    def hear(self, stated: StatedWindow | None, now: float, *, is_refusal: bool) -> bool:
        """Take in what an answer states, `None` if nothing; whether it is believed."""
        if stated is not None and not is_refusal and self._is_doubtful(stated, now):
            stated = None
        for name, window in self._by_name.items():
            if stated is not None and stated.name == name:
                window.told(stated.reset, stated.ends, stated.remaining)
            elif stated is None or stated.remaining <= window.remaining:
                # An answer names the narrowest limit: a wider one says that this one did not count.
                window.unsaid()
        if stated is None:
            return False
        self.limit = stated.limit
        is_new = stated.name not in self._by_name and len(self._by_name) < _MOST_NAMES
        if is_new and not is_refusal:
            self._by_name[stated.name] = FixedWindow(stated.reset, stated.ends, stated.remaining)
        return True

    def known(self, now: float) -> list[FixedWindow]:
        """Return the windows of which something is known."""
        over = [name for name, window in self._by_name.items() if window.is_over(now)]
        for name in over:
            del self._by_name[name]
        return list(self._by_name.values())

    def next_ends(self) -> list[float]:
        """Return when each window ends of which an answer has told."""
        return [window.ends for window in self._by_name.values() if window.is_news]

    def lost(self) -> None:
        """A request has no answer, and may have been counted."""
        for window in self._by_name.values():
            window.lost()

    def doubt(self) -> None:
        """A request got through although nothing was left: forget the windows that said so."""
        for name, window in tuple(self._by_name.items()):
            if window.remaining <= reserve(window.most):
                self._doubted.add(name)
                del self._by_name[name]

    def _is_doubtful(self, stated: StatedWindow, now: float) -> bool:
        """Whether it says again what a probe has shown to be wrong: nothing left, for hours."""
        if stated.name not in self._doubted:
            return False
        if stated.remaining == 0 and stated.ends - now > LONGEST_PAUSE:
            return True
        self._doubted.discard(stated.name)
        return False
