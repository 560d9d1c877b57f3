"""The ids that a server has given to jobs: one given again later means that it was restored.

GitLab takes ids from one sequence, so that of two jobs the one with the higher id was created
later, and ids that are deleted are never given again. A server restored from a backup goes on from
a lower id: its next job has an id that was reached before, and yet was created after everything.
Deleting the newest jobs, as erasing a pipeline does, never looks like that.
"""

from bisect import bisect_left
from collections.abc import Iterable
from operator import attrgetter

from attrs import define, evolve, field, frozen

from gitlab_jobs_async.models.jobs import Bridge, Job

IDS = "ids of jobs"
"""The name under which a checkpoint has them."""

CLOCKS_APART = 5
"""Seconds by which the clocks of a server's nodes may differ."""

_RANGE = 33
"""Ids share a sequence if they agree above so many bits: cells of GitLab.com have far ranges."""

FUTURE = 3600
"""Seconds: a job created later than that from now has a wrong time."""
_MOST_CLOSED = 16
_MOST_STEPS = 64


def created(job: Job | Bridge) -> int:
    """Return when *job* was created, in whole unix seconds; 0 where it does not say."""
    at = job.created_at
    return 0 if at is None else max(0, int(at.timestamp()))


@frozen
class IdSteps:
    """The highest ids of one range as they were reached, and when each was *created*: rising.

    *closed_at*, in unix milliseconds, is when a reset was noticed: ids begin anew from there.
    """

    range: int
    ids: tuple[int, ...]
    created: tuple[int, ...]
    closed_at: int = 0

    def grown(self, job_id: int, at: int) -> "IdSteps":
        """Add a step, and leave out every other one of the older half when there are many."""
        ids, created = (*self.ids, job_id), (*self.created, max(at, 0, *self.created[-1:]))
        if len(ids) > _MOST_STEPS:
            half = len(ids) // 2
            ids, created = ids[1:half:2] + ids[half:], created[1:half:2] + created[half:]
        return IdSteps(self.range, ids, created)

    def shows_reset(self, job_id: int, at: int) -> bool:
        """Whether an id at or above *job_id* was there before *at*."""
        place = bisect_left(self.ids, job_id)
        return place < len(self.ids) and at > self.created[place] + CLOCKS_APART


@frozen
class IdState:
    """What a restart needs of `IdHistory`."""

    steps: tuple[IdSteps, ...]


@define
class IdHistory:
    """The ids that the targets of one server have seen; *has_changed* until `state` is taken."""

    has_changed: bool = field(default=False, init=False)
    _open: dict[int, IdSteps] = field(factory=dict[int, IdSteps], init=False)
    _closed: list[IdSteps] = field(factory=list[IdSteps], init=False)

    @classmethod
    def restored(cls, state: IdState) -> "IdHistory":
        """Go on from an earlier monitor's."""
        history = cls()
        history._open = {steps.range: steps for steps in state.steps if not steps.closed_at}
        history._closed = [steps for steps in state.steps if steps.closed_at][-_MOST_CLOSED:]
        return history

    def state(self) -> IdState:
        """Return what `restored` goes on from."""
        self.has_changed = False
        return IdState((*self._closed, *self._open.values()))

    def learn(self, jobs: Iterable[Job | Bridge], now: float) -> None:
        """Take note of *jobs*; one that claims to come from the future counts for nothing."""
        highest = max(jobs, key=attrgetter("id"), default=None)
        at = 0 if highest is None else created(highest)
        if highest is None or not at or at > now + FUTURE:
            return
        number = highest.id >> _RANGE
        known = self._open.get(number) or IdSteps(number, (), ())
        if highest.id > max(known.ids[-1:], default=0):
            self._open[number] = known.grown(highest.id, at)
            self.has_changed = True

    def is_given_again(self, job: Job | Bridge, epoch: int) -> bool:
        """Whether another job may have had this id before.

        *epoch* is when whoever asks began anew, in unix milliseconds: what came before is known.
        """
        number, at = job.id >> _RANGE, created(job)
        steps = [one for one in self._closed if one.closed_at > epoch and one.range == number]
        if number in self._open:
            steps.append(self._open[number])
        return at > 0 and any(one.shows_reset(job.id, at) for one in steps)

    def close(self, job_id: int, epoch: int) -> None:
        """Let ids begin anew in the range of *job_id*: a reset was noticed."""
        known = self._open.pop(job_id >> _RANGE, None)
        if known is not None:
            self._closed.append(evolve(known, closed_at=epoch))
            del self._closed[:-_MOST_CLOSED]
            self.has_changed = True
