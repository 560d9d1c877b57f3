"""Which pipelines' bridges to ask for, and where they lead: no job listing has them.

A pipeline without bridges is asked once. One with bridges is asked again when GitLab says that it
changed, and while one of them is open or has yet to make its pipeline: ever more rarely, and for
ten minutes only where the pipeline stands still, as one does that waits for somebody.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Self, TypeVar

from attrs import define, field, frozen

from gitlab_jobs_async.api import endpoints
from gitlab_jobs_async.api.parameters import ProjectId
from gitlab_jobs_async.models.jobs import Bridge, Pipeline
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.monitor.targets import PipelineTarget
from gitlab_jobs_async.monitor.watch.job_tracker import TrackedJob, stood_since
from gitlab_jobs_async.monitor.watch.queries import (
    DownstreamPipeline,
    Query,
    QueryKind,
    with_page_size,
)

_AGAIN = 10.0
_LATEST = 600.0
_MOST_AT_ONCE = 100
_AT_FIRST = 20
_OVERLAP = timedelta(seconds=120)
_REMEMBERED = 2000
_NEVER = datetime(1970, 1, 2, tzinfo=UTC)

_STILL = frozenset({JobStatus.MANUAL, JobStatus.SCHEDULED})

T = TypeVar("T")


def leads_nowhere_yet(bridge: Bridge) -> bool:
    """Whether *bridge* may still make a pipeline, or change."""
    makes = bridge.status == JobStatus.SUCCESS and bridge.downstream_pipeline is None
    return not bridge.status.is_finished or makes


def _asked_again_after(bridge: Bridge, now: float) -> float | None:
    """Seconds until *bridge* may have changed without its pipeline's saying so, if it may."""
    if not leads_nowhere_yet(bridge):
        return None
    stood = now - stood_since(bridge, now)
    status = None if bridge.pipeline is None else bridge.pipeline.status
    is_still = status is not None and (status.is_finished or status in _STILL)
    if is_still and stood > _LATEST:
        return None
    return min(_LATEST, max(_AGAIN, stood / 10))


@frozen
class DownstreamState:
    """Which pipelines a restart must ask for, and which it need not.

    The bridges of the pipelines *touched* are still to be asked for, those of the *live* ones at
    the time beside the id. Of each pipeline *heard* of last: when it changed, and whether it has
    bridges.
    """

    touched: tuple[int, ...] = ()
    live: tuple[tuple[int, float], ...] = ()
    heard: tuple[tuple[int, datetime, bool], ...] = ()


@define
class DownstreamTracker:
    """The bridges of one project's pipelines; *updated_to* is the last change it has heard of.

    The bridges of all that has changed up to *settled_to* were asked for: a restart goes on there.
    """

    updated_to: datetime | None = None
    settled_to: datetime | None = None
    _changed_at: dict[int, datetime] = field(factory=dict[int, datetime], init=False)
    _has_bridges: dict[int, bool] = field(factory=dict[int, bool], init=False)
    _live: dict[int, float] = field(factory=dict[int, float], init=False)
    _touched: dict[int, None] = field(factory=dict[int, None], init=False)
    _led: dict[int, None] = field(factory=dict[int, None], init=False)
    _found: list[DownstreamPipeline] = field(factory=list[DownstreamPipeline], init=False)
    _refused: set[int] = field(factory=set[int], init=False)
    _left: int = field(default=_MOST_AT_ONCE, init=False)

    @classmethod
    def restored(
        cls,
        settled_to: datetime | None,
        bridges: Iterable[TrackedJob],
        state: DownstreamState | None = None,
    ) -> Self:
        """Those that go on from what was told: *bridges* were, and the open ones are asked for.

        They are asked for when *state* says so, or at once where there is none.
        """
        bridging = cls(settled_to, settled_to)
        for told in bridges:
            bridging._has_bridges[told.pipeline_id] = True
            if told.is_open and state is None:
                bridging._touched[told.pipeline_id] = None
        if state is not None:
            bridging._touched.update(dict.fromkeys(state.touched))
            bridging._live.update(state.live)
            for pipeline_id, changed, has_bridges in state.heard:
                bridging._changed_at[pipeline_id] = changed
                bridging._has_bridges.setdefault(pipeline_id, has_bridges)
        return bridging

    def state(self) -> DownstreamState:
        """Return what `restored` goes on from, but for the bridges that were told."""
        since = (self.updated_to or _NEVER) - _OVERLAP
        heard = (
            (pipeline_id, changed, self._has_bridges.get(pipeline_id))
            for pipeline_id, changed in self._changed_at.items()
            if changed >= since
        )
        return DownstreamState(
            tuple(self._touched),
            tuple(self._live.items()),
            tuple((i, changed, has) for i, changed, has in heard if has is not None),
        )

    def changed_pipelines(self, project: ProjectId) -> Query:
        """What to ask at each look first: which pipelines have changed since the last one."""
        self._left = _MOST_AT_ONCE
        if self.updated_to is None:
            first = with_page_size(endpoints.list_pipelines(project, {}), _AT_FIRST)
            return Query(QueryKind.PIPELINES, first)
        since = self.updated_to - _OVERLAP
        wanted = endpoints.list_pipelines(project, {"updated_after": since})
        return Query(QueryKind.PIPELINES, wanted, all_pages=True)

    def take_pipelines(self, pipelines: Iterable[Pipeline]) -> None:
        """These have changed, those of the time before among them; at first, only what goes on."""
        known = self.updated_to
        self.updated_to = known or _NEVER
        asked_for = []
        for pipeline in pipelines:
            changed = pipeline.updated_at or pipeline.created_at or _NEVER
            if known is not None or not pipeline.status.is_finished:
                # Not by which is later: what was changed before may show up after it.
                self.touch(pipeline.id, changed=self._changed_at.get(pipeline.id) != changed)
                self._changed_at[pipeline.id] = changed
                _bound(self._changed_at)
                asked_for.append(changed)
            self.updated_to = max(changed, self.updated_to)
        if known is None:
            self.settled_to = min(asked_for, default=self.updated_to)

    def touch(self, pipeline_id: int, *, changed: bool = False) -> None:
        """The pipeline is there; with *changed*, ask again if it has bridges."""
        has_bridges = self._has_bridges.get(pipeline_id)
        if pipeline_id and (has_bridges is None or (has_bridges and changed)):
            self._touched[pipeline_id] = None

    def queries(self, project: ProjectId, began: float) -> list[Query]:
        """The pipelines whose bridges are still to be asked for in the look that *began* then.

        Each look asks for so many at most, and leaves the others to the next one: or pipelines that
        lead to ever more would keep a project's jobs from being looked at.
        """
        due = [*self._touched, *(number for number, at in self._live.items() if at <= began)]
        if not due:
            self.settled_to = self.updated_to
        asked = list(dict.fromkeys(due))[: self._left]
        self._left -= len(asked)
        return [
            Query(
                QueryKind.BRIDGES, endpoints.list_bridges(project, number), number, all_pages=True
            )
            for number in asked
        ]

    def take_bridges(
        self,
        pipeline_id: int,
        bridges: Sequence[Bridge],
        home: int | None,
        now: float,
        is_new: Callable[[int], bool],
        epoch: int = 0,
    ) -> None:
        """The bridges of one pipeline; *home* is the project whose jobs are seen anyhow.

        *is_new* says of the id of a bridge whether what it leads to was made meanwhile.
        """
        self._touched.pop(pipeline_id, None)
        self._refused.discard(pipeline_id)
        self._has_bridges[pipeline_id] = bool(bridges)
        _bound(self._has_bridges)
        # Those asked last are put last, so that each has its turn.
        self._live.pop(pipeline_id, None)
        waits = [_asked_again_after(bridge, now) for bridge in bridges]
        if due := [wait for wait in waits if wait is not None]:
            self._live[pipeline_id] = now + min(due)
        for bridge in bridges:
            below = bridge.downstream_pipeline
            if below is None:
                continue
            if below.project_id == home:
                self.touch(below.id)
            elif below.project_id is not None and below.id not in self._led:
                self._led[below.id] = None
                _bound(self._led)
                target = PipelineTarget(below.project_id, below.id)
                self._found.append(DownstreamPipeline(target, is_new(bridge.id), epoch))

    def is_live(self, pipeline_id: int) -> bool:
        """Whether the bridges of this pipeline may be asked for again."""
        return self._has_bridges.get(pipeline_id, False)

    def refused(self, pipeline_id: int, now: float) -> bool:
        """The bridges are not to be had; whether that holds, having been said in two looks.

        Once is not enough: it may be the project that could not be seen just then.
        """
        self._touched.pop(pipeline_id, None)
        if pipeline_id not in self._refused:
            self._refused.add(pipeline_id)
            self._live[pipeline_id] = now + _AGAIN
            return False
        self._refused.discard(pipeline_id)
        self._has_bridges[pipeline_id] = False
        self._live.pop(pipeline_id, None)
        return True

    def take_discovered(self) -> list[DownstreamPipeline]:
        """Where bridges have led, each once."""
        found, self._found = self._found, []
        return found


def _bound(known: dict[int, T]) -> None:
    while len(known) > _REMEMBERED:
        del known[next(iter(known))]
