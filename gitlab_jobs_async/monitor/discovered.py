"""Watch each downstream pipeline that bridges trigger, once."""

from collections import deque
from collections.abc import Container, Iterable, Iterator

from attrs import define, field

from gitlab_jobs_async.errors import StoreError
from gitlab_jobs_async.monitor.recorder import StateRecorder
from gitlab_jobs_async.monitor.target_index import TargetIndex
from gitlab_jobs_async.monitor.targets import PipelineTarget
from gitlab_jobs_async.monitor.watch.base import TargetState
from gitlab_jobs_async.monitor.watch.factory import NormalizedTarget, normalize_target, target_name
from gitlab_jobs_async.monitor.watch.queries import DownstreamPipeline

PREFIX = "found: "
"""Start of the names of discovered targets in a checkpoint."""

_MAX_REMEMBERED = 10_000
"""Finished pipelines that are remembered, so that they are not watched again."""


@define
class DiscoveredPipelines:
    """The pipelines that bridges have triggered, under names with a prefix."""

    _recorder: StateRecorder
    _index: TargetIndex
    _targets: TargetIndex
    _finished: deque[str] = field(factory=deque[str], init=False)

    def recorded(self) -> Iterator[tuple[NormalizedTarget, str]]:
        """Yield the pipelines that an earlier monitor discovered, with their names.

        Raises:
            StoreError: a name is not that of a pipeline.
        """
        for name in self._recorder.names(PREFIX):
            try:
                project, pipeline_id = map(int, name.removeprefix(PREFIX).split(" "))
                yield normalize_target(PipelineTarget(project, pipeline_id)), name
            except ValueError as error:
                raise StoreError(self._recorder.store_name, f"{name!r} is not a target") from error

    def start(
        self, pipelines: Iterable[DownstreamPipeline], watched: Container[str], found_by: str
    ) -> Iterator[tuple[NormalizedTarget, str]]:
        """Record and yield the *pipelines* that are not and were not *watched*.

        Each belongs to the shard of the target that it was *found_by*.
        """
        for pipeline in pipelines:
            target = pipeline.target
            name = f"{PREFIX}{target.project} {target.pipeline_id}"
            is_watched = name in watched or target_name(target) in watched
            if is_watched or self._is_covered(pipeline) or not self._is_new(name, pipeline):
                continue
            state = TargetState((), is_known=pipeline.is_new, epoch=pipeline.epoch)
            self._recorder.keep_with(name, found_by)
            self._recorder.start(name, state)
            yield target, name

    def finished(self, name: str) -> None:
        """Remember that *name* is over, and forget the oldest ones."""
        if not name.startswith(PREFIX):
            return
        self._finished.append(name)
        while len(self._finished) > _MAX_REMEMBERED:
            self._recorder.forget(self._finished.popleft())

    def _is_covered(self, pipeline: DownstreamPipeline) -> bool:
        """Return whether another target, of any shard, has the events of *pipeline*."""
        target, path = pipeline.target, pipeline.project_path
        # Only the process that polls a target given by its path knows its id.
        if self._index.covers(target, path) or self._targets.covers(target, path):
            return True
        # What a group of this shard has is in the index; of another one only the path is known.
        return any(self._recorder.is_elsewhere(group) for group in self._targets.groups_at(path))

    def _is_new(self, name: str, pipeline: DownstreamPipeline) -> bool:
        """Return whether *pipeline* was not watched, or its id was reused after a reset."""
        # After a reset the server gives the same ids to other pipelines.
        known = self._recorder.state(name, TargetState)
        return known is None or known.epoch < pipeline.epoch
