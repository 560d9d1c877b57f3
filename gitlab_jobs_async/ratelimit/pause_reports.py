"""Report pauses of the server to the log, and wake who waits for them."""

import asyncio
import logging

from gitlab_jobs_async.ratelimit.budget import RequestBudget

_log = logging.getLogger("gitlab_jobs_async")


class PauseReports:
    """Logs pauses of *budget*; `watchers` are set whenever one begins, is probed or ends."""

    def __init__(self, budget: RequestBudget) -> None:
        self.watchers: set[asyncio.Event] = set()
        self._budget = budget
        self._warned: dict[str, float] = {}
        self._seen_changes = budget.pause_changes

    def update(self, now: float) -> None:
        """Report changes since the last call."""
        for pause in self._budget.pauses(now):
            if self._warned.get(pause.kind) != pause.began:
                self._warned[pause.kind] = pause.began
                _log.warning("requests paused by the server: %s", pause.reason)
        for kind in [kind for kind in self._warned if not self._budget.is_paused(kind)]:
            del self._warned[kind]
            _log.info("requests allowed again%s", f" to {kind}" if kind else "")
        if self._seen_changes != self._budget.pause_changes:
            self._seen_changes = self._budget.pause_changes
            for watcher in self.watchers:
                watcher.set()
