"""Limits of a client as its server has shown them, and what each request counts against.

A request in flight, or lost on the way, counts as seen by the server. Follows
https://docs.gitlab.com/administration/settings/user_and_ip_rate_limits/.
"""

from math import inf

from attrs import define, field, frozen

from gitlab_jobs_async.api.responses import Response, retry_after
from gitlab_jobs_async.ratelimit.fair_queue import Priority
from gitlab_jobs_async.ratelimit.headers import (
    DEFAULT_WAIT,
    StatedWindow,
    is_endpoint_limit,
    seconds_to_window_end,
    stated_window,
)
from gitlab_jobs_async.ratelimit.limits import ALL, LimitGroup, LimitGroups, poll_spacing
from gitlab_jobs_async.ratelimit.pauses import Pauses, PauseState
from gitlab_jobs_async.ratelimit.windows import FixedWindow, FixedWindows, reserve


@frozen(eq=False, repr=False)
class Sent:
    """One request in flight: its kind, the groups that count it, and the pauses that it probes.

    Its grant of a shared budget *expires* at a unix time.
    """

    kind: str
    groups: tuple[LimitGroup, ...]
    probes: tuple[str, ...] = ()
    expires: float = inf


@define(eq=False, repr=False)
class LimitTracker:
    """Decides when requests may go, and learns from the heads of responses."""

    _groups: LimitGroups = field(init=False, repr=False)
    _windows: FixedWindows = field(init=False, factory=FixedWindows, repr=False)
    _pauses: Pauses = field(init=False, factory=Pauses, repr=False)
    _last_seen: float = field(init=False, default=0.0, repr=False)

    def bucket_of(self, kind: str) -> str:
        """Return *kind* if it has a limit of its own, else ""."""
        return self._groups.bucket_of(kind)

    def available_at(self, priority: Priority, now: float, kind: str = ALL) -> float:
        """Return when the next request may go, or *now*; infinity if a response must come first.

        Applies the own limits of *kind*; without it all other limits.
        """
        self._last_seen = now
        background = priority is not Priority.DIRECT
        group = self._groups.get(kind)
        if group is None:
            return now
        if (pause := self._probed(priority, now, kind)) is not None:
            probe_at = min(pause.available_at(now), now + self.blocked_for(priority, now, kind))
            return max(probe_at, group.cap_available_at(now, background=background))
        at = group.available_at(now, background=background)
        if not kind:
            for window in self._windows.active(now):
                if self._left(window) - (reserve(window.most) if background else 0) < 1:
                    at = max(at, window.ends)
        return at

    def min_poll_spacing(self, kind: str, wanted: int, now: float) -> float:
        """Return the seconds between two polls of *kind*; 0 if *wanted* polls may go now."""
        groups = [self._groups.all, self._groups.get(kind) or self._groups.all]
        spacings = [group.min_poll_spacing(now, wanted) for group in groups]
        stated = self._windows.limit
        if stated and any(self._left(window) < wanted for window in self._windows.active(now)):
            spacings.append(poll_spacing(stated))
        return max(spacings)

    def poll_rate(self, kind: str = ALL) -> float:
        """Return the requests a second that polls of *kind* may use in the long run, or infinity.

        The foreground's reserve is left out.
        """
        group = self._groups.get(kind) or self._groups.all
        limits = group.limits + ([self._windows.limit] if self._windows.limit and not kind else [])
        return 1 / poll_spacing(min(limits)) if limits else inf

    def blocked_for(self, priority: Priority, now: float, kind: str = ALL) -> float:
        """Return the seconds left of the server's pause for *priority*, or of *kind*.

        Queueing time does not count. Without a pause it is 0 or less.
        """
        if kind:
            group = self._groups.get(kind)
            return group.blocked_until - now if group is not None else 0.0
        ends = [self._groups.all.blocked_until]
        for window in self._windows.active(now):
            reserved = 0 if priority is Priority.DIRECT else reserve(window.most)
            if window.remaining <= reserved:
                ends.append(window.ends)
        return max(ends) - now

    def sent(self, kind: str, priority: Priority = Priority.DIRECT) -> Sent:
        """Count a request that goes now; settle it by `answered`, `lost` or `cancelled`."""
        groups = self._groups.counting(kind)
        expires = min([group.sent() for group in groups])
        # During a probed pause, the next request that goes is the probe.
        probes = [
            scope
            for scope in self._groups.scopes(kind)
            if self._probed(priority, self._last_seen, scope) is not None
        ]
        self._pauses.probe_sent(probes)
        return Sent(kind, groups, tuple(probes), expires)

    def renewed(self, kind: str, now: float) -> float | None:
        """Use another grant for a request in flight; return when it expires, `None` without one."""
        groups = self._groups.counting(kind)
        if any(group.cap_available_at(now, background=False) > now for group in groups):
            return None
        return min([group.granted() for group in groups])

    def cancelled(self, sent: Sent) -> None:
        """Settle a request that was certainly never sent."""
        for group in sent.groups:
            group.cancelled()
        self._pauses.cancelled(sent.probes)

    def lost(self, sent: Sent, now: float) -> None:
        """Settle a request without a response."""
        self._last_seen = now
        for group in sent.groups:
            group.lost(now)
        self._windows.count_lost()
        self._pauses.lost(sent.probes, now)

    def answered(self, sent: Sent, response: Response, now: float, jitter: float = 0.0) -> None:
        """Settle a request by the head of its response.

        *jitter*, from 0 to 1 seconds, spreads the return of many clients after a window's end.
        """
        self._last_seen = now
        is_refusal = response.status == 429
        stated = stated_window(response.headers, now)
        if not is_refusal:
            self._end_tested_pauses(sent, now)
        if self._windows.update(stated, now, is_refusal=is_refusal) and not is_refusal:
            # RateLimit-Remaining is more exact than any limit inferred from 429s.
            self._groups.all.adaptive.forget_limit()
        for group in sent.groups:
            if is_refusal:
                group.refused(now)
            else:
                group.succeeded(now)
        if is_refusal:
            self._refused(sent, response, stated, now, jitter)
        source = f"HTTP {response.status}" + ("" if is_refusal else " with RateLimit-Remaining")
        for scope in self._groups.scopes(sent.kind):
            left = self.blocked_for(Priority.BACKGROUND, now, scope)
            self._pauses.record(scope, now, left, source)

    def _refused(
        self, sent: Sent, response: Response, stated: StatedWindow | None, now: float, jitter: float
    ) -> None:
        wait = retry_after(response.headers, now)
        limit = window_end = None
        if is_endpoint_limit(response.headers):
            scope, adaptive = sent.kind, self._groups.add(sent.kind, now).adaptive
            self._pauses.keep({ALL, *self._groups.kinds})
            end = seconds_to_window_end(response.headers, now)
            window_end = None if end is None else end + jitter
            if ALL in sent.probes:
                self._end_pause(ALL, now)  # it has passed the limiter of all requests
        else:
            scope, adaptive = ALL, self._groups.all.adaptive
            if stated is not None:
                # Rack::Attack states both: a window may end sooner than a ban.
                wait, limit = max(stated.ends - now, wait or 0.0), stated.limit
            self._pauses.lost([probed for probed in sent.probes if probed != ALL], now)
        # A probe tests a pause; its 429 must not extend it.
        if scope in sent.probes:
            self._pauses.refused(scope, now)
            if adaptive.blocked_until > now:
                adaptive.probe_refused(now, wait)
                return
        elif adaptive.blocked_until <= now:
            self._pauses.refused(scope, now)  # the stated end of the pause was wrong
        wait = DEFAULT_WAIT if wait is None else wait
        adaptive.refused(now, wait, limit, window_end=window_end)

    def _end_tested_pauses(self, sent: Sent, now: float) -> None:
        """End the pauses that a successful request has tested."""
        for scope in self._groups.scopes(sent.kind):
            if scope in sent.probes:
                self._end_pause(scope, now)
            elif scope in self._pauses and self.blocked_for(Priority.BACKGROUND, now, scope) <= 0:
                self._pauses.ended(scope)

    def _end_pause(self, scope: str, now: float) -> None:
        self._pauses.ended(scope)
        group = self._groups.get(scope)
        if group is not None:
            group.adaptive.release(now)
        if scope == ALL:
            self._windows.distrust_exhausted()

    def _probed(self, priority: Priority, now: float, scope: str) -> PauseState | None:
        """Return the pause that blocks *priority* now, if it is probed."""
        state = self._pauses.probed(scope)
        return state if state is not None and self.blocked_for(priority, now, scope) > 0 else None

    def _left(self, window: FixedWindow) -> int:
        return window.remaining - self._groups.all.in_flight
