"""The critical path of a pipeline: the phases that made it take as long as it did."""

from collections.abc import Mapping, Sequence

from attrs import define, field

from gitlab_jobs_async.models.timelines import PhaseKind, TimelinePhase
from gitlab_jobs_async.pipelines.predecessors import Attempt, Predecessors

_Phases = Mapping[int, Sequence[TimelinePhase]]
"""The phases of each attempt by its id."""


def critical_path(
    attempts: Sequence[Attempt], phases: _Phases, before: Predecessors, begin: float
) -> list[TimelinePhase]:
    """Return phases that follow each other without gaps from *begin* to the end of the pipeline.

    From the attempt that ended last the path leads to what that one waited for. An attempt that
    only waits for others counts as the last one only if all do.
    """
    shown = [one for one in attempts if phases[one.job.id]]
    last = max(shown, key=_lateness, default=None)
    if last is None:
        return []
    path = _Path(max(begin, phases[last.job.id][-1].end))
    seen: set[int] = set()
    one: Attempt | None = last
    # Odd times could lead in a circle.
    while one is not None and one.job.id not in seen:
        seen.add(one.job.id)
        for phase in reversed(phases[one.job.id]):
            if phase.kind != "waiting":
                path.add(phase.kind, max(begin, phase.start), one.job.id)
        earlier = before.find(one)
        if earlier is not None and phases[earlier.job.id]:
            end = max(begin, phases[earlier.job.id][-1].end)
            path.add("held" if one.previous is None else "retry", end, one.job.id)
        one = earlier
    path.add("held", begin, 0)
    return path.phases[::-1]


def _lateness(one: Attempt) -> tuple[bool, float, float, int]:
    has_begun = one.times.was_started or one.job.status.is_active
    # Of those that run at present, the one that has been there for longest.
    return has_begun, one.times.ended, -one.times.queued, one.job.id


@define(eq=False, repr=False)
class _Path:
    """A path under construction, from its end to its begin."""

    start: float
    phases: list[TimelinePhase] = field(factory=list[TimelinePhase])

    def add(self, kind: PhaseKind, start: float, job_id: int) -> None:
        """Add a phase from *start* to what was added before; nothing if that began earlier."""
        if start < self.start:
            self.phases.append(TimelinePhase(kind=kind, start=start, end=self.start, job_id=job_id))
            self.start = start
