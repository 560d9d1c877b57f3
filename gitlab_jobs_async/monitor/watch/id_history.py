"""Ids that a server has assigned to jobs: one assigned again shows a restored server.

GitLab takes ids from one sequence: of two jobs, the one with the higher id was created later, and
ids of deleted jobs are never reused. A server restored from a backup continues from a lower id: its
next job has an id that was reached before, but a later time of creation. Deleting the newest jobs,
for example with their pipeline, never looks like that.
"""

from bisect import bisect_left
from collections.abc import Iterable
from operator import attrgetter
from typing import Self

from attrs import define, evolve, field, frozen

from gitlab_jobs_async.models.jobs import Bridge, Job

IDS = "ids of jobs"
"""Name of the history in a checkpoint."""

CLOCK_SKEW = 5
"""Seconds by which the clocks of a server's nodes may differ."""

_RANGE = 33
"""Ids share a sequence if they agree above these bits: cells of GitLab.com use distant ranges."""

MAX_FUTURE = 3600
"""Seconds; a job created later than that from now has a wrong time."""
_MAX_CLOSED = 16
_MAX_STEPS = 64


def created_at(job: Job | Bridge) -> int:
    """Return the creation of *job* in whole unix seconds, or 0."""
    seconds = int(job.created_at.timestamp())
    return seconds if seconds > 0 else 0  # called for every row; max is slower


@frozen
class IdSteps:
    """The highest ids of one range as they were reached, with the unix times of creation.

    *closed_at* is when a reset was detected, in unix milliseconds: ids restart from there.
    """

    range: int
    ids: tuple[int, ...]
    created: tuple[int, ...]
    closed_at: int = 0

    def extended(self, job_id: int, at: int) -> "IdSteps":
        """Return the steps with another one; beyond the maximum, thin out the older half."""
        # Clocks of a server differ: a later id may have an earlier time.
        ids, created = (*self.ids, job_id), (*self.created, max(at, 0, *self.created[-1:]))
        if len(ids) > _MAX_STEPS:
            # Most backups are recent, so that coarse steps suffice for old ids.
            half = len(ids) // 2
            ids, created = ids[1:half:2] + ids[half:], created[1:half:2] + created[half:]
        return IdSteps(self.range, ids, created)

    def shows_reset(self, job_id: int, at: int) -> bool:
        """Return whether *job_id*, created at *at*, was already passed before that time."""
        place = bisect_left(self.ids, job_id)
        return place < len(self.ids) and at > self.created[place] + CLOCK_SKEW


@frozen
class IdState:
    """The state of an `IdHistory` to resume from."""

    steps: tuple[IdSteps, ...]


@define
class IdHistory:
    """The ids seen by all targets of one server; *has_changed* since the last `state`."""

    has_changed: bool = field(default=False, init=False)
    _open: dict[int, IdSteps] = field(factory=dict[int, IdSteps], init=False)
    _closed: list[IdSteps] = field(factory=list[IdSteps], init=False)

    @classmethod
    def restored(cls, states: Iterable[IdState]) -> Self:
        """Continue the histories of earlier monitors: of each range the one that knows most."""
        history = cls()
        for steps in (steps for state in states for steps in state.steps):
            known = history._open.get(steps.range)
            if steps.closed_at:
                if steps not in history._closed:
                    history._closed.append(steps)
            elif known is None or known.ids[-1:] < steps.ids[-1:]:
                history._open[steps.range] = steps
        history._closed = sorted(history._closed, key=attrgetter("closed_at"))[-_MAX_CLOSED:]
        return history

    def state(self) -> IdState:
        """Return the state to resume from."""
        self.has_changed = False
        return IdState((*self._closed, *self._open.values()))

    def learn(self, jobs: Iterable[Job | Bridge], now: float) -> None:
        """Record the newest of *jobs*, unless its creation lies in the future."""
        highest = max(jobs, key=attrgetter("id"), default=None)
        at = 0 if highest is None else created_at(highest)
        # A time in the future would hide every reset until then.
        if highest is None or not at or at > now + MAX_FUTURE:
            return
        number = highest.id >> _RANGE
        known = self._open.get(number) or IdSteps(number, (), ())
        if highest.id > max(known.ids[-1:], default=0):
            self._open[number] = known.extended(highest.id, at)
            self.has_changed = True

    def is_reused(self, job: Job | Bridge, epoch: int) -> bool:
        """Return whether another job may have had this id, in or after *epoch* (milliseconds)."""
        number, at = job.id >> _RANGE, created_at(job)
        steps = [one for one in self._closed if one.closed_at > epoch and one.range == number]
        if number in self._open:
            steps.append(self._open[number])
        return at > 0 and any(one.shows_reset(job.id, at) for one in steps)

    def close(self, job_id: int, epoch: int) -> None:
        """Restart the ids in the range of *job_id* after a reset."""
        known = self._open.pop(job_id >> _RANGE, None)
        if known is not None:
            # Kept as closed: other targets still have to detect the reset.
            self._closed.append(evolve(known, closed_at=epoch))
            del self._closed[:-_MAX_CLOSED]
            self.has_changed = True
