"""Discover downstream pipelines through the bridges of a project's pipelines.

No job listing has bridges. A pipeline without bridges is polled once. One with bridges is polled
again when GitLab reports a change, and while a bridge is open or has yet to trigger its pipeline:
ever less often, and for ten minutes only where the pipeline waits for a manual action.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Self, TypeVar

from attrs import define, field, frozen

from gitlab_jobs_async.intervals import PollIntervals
from gitlab_jobs_async.models.jobs import Bridge
from gitlab_jobs_async.models.pipelines import PipelineBasic
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.monitor.checkpoint.serialization import stored_as
from gitlab_jobs_async.monitor.watch.queries import DownstreamPipeline
from gitlab_jobs_async.monitor.watch.tracked_job import TrackedJob, unchanged_since

_INTERVALS = PollIntervals(10.0, 600.0)
# GitLab sets `updated_at` before it commits, so that a change may show up late.
_OVERLAP = timedelta(seconds=120)
# Bounds memory; a dropped pipeline costs one more request for its bridges.
_MAX_REMEMBERED = 2000
_NEVER = datetime(1970, 1, 2, tzinfo=UTC)

_WAITING = frozenset({JobStatus.MANUAL, JobStatus.SCHEDULED})

T = TypeVar("T")


def may_trigger(bridge: Bridge) -> bool:
    """Return whether *bridge* may still trigger a pipeline, or change."""
    is_pending = bridge.status == JobStatus.SUCCESS and bridge.downstream_pipeline is None
    return not bridge.status.is_finished or is_pending


def _repoll_after(bridge: Bridge, now: float) -> float | None:
    """Return the seconds until *bridge* may have changed without its pipeline, or `None`."""
    if not may_trigger(bridge):
        return None
    age = now - unchanged_since(bridge, now)
    status = bridge.pipeline.status
    is_waiting = status.is_finished or status in _WAITING
    # An action that continues the pipeline also updates it, which marks it as dirty.
    if is_waiting and age > _INTERVALS.longest:
        return None
    return _INTERVALS.for_age(age, 1 / 10)


@frozen
class DownstreamState:
    """The pipelines to poll after a restart.

    The bridges of *dirty* pipelines are still to be polled, those of *repolled* ones at a time. Of
    each recently *changed* pipeline: the time of its change, and whether it has bridges.
    """

    dirty: tuple[int, ...] = field(default=(), metadata=stored_as("touched"))
    repolled: tuple[tuple[int, float], ...] = field(default=(), metadata=stored_as("live"))
    changed: tuple[tuple[int, datetime, bool], ...] = field(default=(), metadata=stored_as("heard"))


@define
class DownstreamTracker:
    """The bridges of one project's pipelines; *updated_to* is the last known pipeline change.

    The bridges of all changes up to *settled_to* were polled: a restart continues from there.
    """

    updated_to: datetime | None = None
    settled_to: datetime | None = None
    _changed_at: dict[int, datetime] = field(factory=dict[int, datetime], init=False)
    _has_bridges: dict[int, bool] = field(factory=dict[int, bool], init=False)
    _repoll_at: dict[int, float] = field(factory=dict[int, float], init=False)
    _dirty: dict[int, None] = field(factory=dict[int, None], init=False)
    _emitted: dict[int, None] = field(factory=dict[int, None], init=False)
    _discovered: list[DownstreamPipeline] = field(factory=list[DownstreamPipeline], init=False)
    _refused: set[int] = field(factory=set[int], init=False)

    @classmethod
    def restored(
        cls,
        settled_to: datetime | None,
        bridges: Iterable[TrackedJob],
        state: DownstreamState | None = None,
        now: float = inf,
    ) -> Self:
        """Continue from a checkpoint at *now*; without a *state*, poll open *bridges* at once."""
        tracker = cls(settled_to, settled_to)
        for bridge in bridges:
            tracker._has_bridges[bridge.pipeline_id] = True
            if bridge.is_open and state is None:
                tracker._dirty[bridge.pipeline_id] = None
        if state is not None:
            tracker._dirty.update(dict.fromkeys(state.dirty))
            # The clock of the process that has written it may have been ahead.
            latest = now + _INTERVALS.longest
            tracker._repoll_at.update((i, min(at, latest)) for i, at in state.repolled)
            for pipeline_id, changed, has_bridges in state.changed:
                tracker._changed_at[pipeline_id] = changed
                tracker._has_bridges.setdefault(pipeline_id, has_bridges)
        return tracker

    def state(self) -> DownstreamState:
        """Return the state to resume from, without the tracked bridges."""
        # The next request does not return older changes.
        since = (self.updated_to or _NEVER) - _OVERLAP
        recent = (
            (pipeline_id, changed, self._has_bridges.get(pipeline_id))
            for pipeline_id, changed in self._changed_at.items()
            if changed >= since
        )
        return DownstreamState(
            tuple(self._dirty),
            tuple(self._repoll_at.items()),
            tuple((i, changed, has) for i, changed, has in recent if has is not None),
        )

    @property
    def updated_after(self) -> datetime | None:
        """Time of the pipeline changes to request, or `None` for the newest pipelines."""
        return None if self.updated_to is None else self.updated_to - _OVERLAP

    def on_pipelines(self, pipelines: Iterable[PipelineBasic]) -> None:
        """Mark changed pipelines as dirty; at first, only unfinished ones."""
        known = self.updated_to
        self.updated_to = known or _NEVER
        marked = []
        for pipeline in pipelines:
            changed = max(pipeline.updated_at, pipeline.created_at, _NEVER)
            if known is not None or not pipeline.status.is_finished:
                # Compared for equality: an earlier change may become visible after a later one.
                is_changed = self._changed_at.get(pipeline.id) != changed
                self.mark_dirty(pipeline.id, is_changed=is_changed)
                self._changed_at[pipeline.id] = changed
                _drop_oldest(self._changed_at)
                marked.append(changed)
            self.updated_to = max(changed, self.updated_to)
        if known is None:
            self.settled_to = min(marked, default=self.updated_to)

    def mark_dirty(self, pipeline_id: int, *, is_changed: bool = False) -> None:
        """Poll the bridges of a pipeline, again only if it *is_changed* and has any."""
        has_bridges = self._has_bridges.get(pipeline_id)
        if pipeline_id and (has_bridges is None or (has_bridges and is_changed)):
            self._dirty[pipeline_id] = None

    def due(self, now: float) -> list[int]:
        """Return the pipelines whose bridges are to be polled; with none, all is settled."""
        due = [*self._dirty, *(i for i, at in self._repoll_at.items() if at <= now)]
        if not due:
            self.settled_to = self.updated_to
        return list(dict.fromkeys(due))

    def on_bridges(self, pipeline_id: int, bridges: Sequence[Bridge], now: float) -> None:
        """Schedule the next poll of a pipeline by the state of its bridges."""
        self._dirty.pop(pipeline_id, None)
        self._refused.discard(pipeline_id)
        self._has_bridges[pipeline_id] = bool(bridges)
        _drop_oldest(self._has_bridges)
        # Moved to the end, so that pipelines are polled in rotation.
        self._repoll_at.pop(pipeline_id, None)
        waits = [_repoll_after(bridge, now) for bridge in bridges]
        if due := [wait for wait in waits if wait is not None]:
            self._repoll_at[pipeline_id] = now + min(due)

    def discover(
        self,
        bridges: Iterable[Bridge],
        project_id: int | None,
        is_new: Callable[[Bridge], bool],
        epoch: int = 0,
    ) -> None:
        """Collect the downstream pipelines of *bridges*, each once.

        Those of the project *project_id* itself are polled like its others.
        """
        for bridge in bridges:
            below = bridge.downstream_pipeline
            if below is None:
                continue
            if below.project_id == project_id:
                self.mark_dirty(below.id)
            elif below.project_id and below.id not in self._emitted:
                self._emitted[below.id] = None
                _drop_oldest(self._emitted)
                found = DownstreamPipeline.of(below, bridge, epoch, is_new=is_new(bridge))
                self._discovered.append(found)

    def take_discovered(self) -> list[DownstreamPipeline]:
        """Return and clear the discovered pipelines."""
        discovered, self._discovered = self._discovered, []
        return discovered

    def may_change(self, pipeline_id: int) -> bool:
        """Return whether the bridges of a pipeline may be polled again."""
        return self._has_bridges.get(pipeline_id, False)

    def refuse(self, pipeline_id: int, now: float) -> bool:
        """Record a refusal; return True after two in a row."""
        self._dirty.pop(pipeline_id, None)
        # Once is not enough: the project may have been invisible at that moment.
        if pipeline_id not in self._refused:
            self._refused.add(pipeline_id)
            self._repoll_at[pipeline_id] = now + _INTERVALS.shortest
            return False
        self._refused.discard(pipeline_id)
        self._has_bridges[pipeline_id] = False
        self._repoll_at.pop(pipeline_id, None)
        return True


def _drop_oldest(known: dict[int, T]) -> None:
    while len(known) > _MAX_REMEMBERED:
        del known[next(iter(known))]
