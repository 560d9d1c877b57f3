"""Decide whether an answer shows a change of a project that REST polls rarely."""

from math import inf

from attrs import define

from gitlab_jobs_async.monitor.hints.snapshots import ProjectSnapshot

SETTLING = 120.0
"""Seconds after a change until a poll by REST has surely seen it, as in `watch.watermark`."""

CLOCK_SKEW = 900.0
"""Seconds by which the clock of a process before this one may differ."""


@define(eq=False, repr=False)
class CoveredProject:
    """A project that was last polled at *polled_at*, and what the last answer showed of it.

    An answer has shown a change at *changed_at*.
    """

    project_id: int
    polled_at: float
    changed_at: float = -inf
    _shown: int | None = None

    @property
    def settled_at(self) -> float:
        """The time from which a poll has surely seen the last change."""
        return self.changed_at + SETTLING

    def show(self, snapshot: ProjectSnapshot, now: float, lag: float) -> bool:
        """Take what an answer shows *now*; return whether the project has changed since before.

        The server's clock is *lag* seconds behind the client's.
        """
        before, self._shown = self._shown, _fingerprint(snapshot)
        if before is not None:
            has_changed = before != self._shown
        else:
            # The first answer after a poll: only what changed around it may be unknown. That is
            # compared by the server's clock; the client's may have been set back since.
            since = min(self.polled_at, now) - lag - CLOCK_SKEW
            has_changed = any(
                p.updated_at is None or p.updated_at.timestamp() >= since
                for p in snapshot.pipelines
            )
        if has_changed:
            self.changed_at = now
        return has_changed


def _fingerprint(snapshot: ProjectSnapshot) -> int:
    """Return a hash that changes whenever a pipeline is created or changes its status."""
    # A hash, because a monitor may keep ten thousand of them.
    return hash(tuple((p.id, p.status, p.updated_at) for p in snapshot.pipelines))
