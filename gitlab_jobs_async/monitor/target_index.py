"""Find the targets of a webhook by project, pipeline or job, and those that have a pipeline."""

from collections.abc import Hashable
from typing import Self

from attrs import define, field, frozen

from gitlab_jobs_async.api.parameters import ProjectId
from gitlab_jobs_async.models.webhooks import JobHook, PipelineHook
from gitlab_jobs_async.monitor.targets import GroupTarget, JobTarget, PipelineTarget

_Key = tuple[str, Hashable]


@frozen
class HookTarget:
    """The subject of a webhook; *job_id* is None for an event of a pipeline."""

    project_id: int
    project_path: str
    pipeline_id: int
    job_id: int | None = None

    @classmethod
    def of(cls, hook: JobHook | PipelineHook) -> Self:
        """Return what *hook* is about."""
        job_id = hook.job_id if isinstance(hook, JobHook) else None
        return cls(hook.project_id, hook.project_path or "", hook.pipeline_id, job_id)


@define
class TargetIndex:
    """The names of targets by the ids and paths that a webhook contains.

    Which projects a group has is unknown here, but for its path.
    """

    # Tuples, since nearly every key has one name, and a monitor ten thousand keys.
    _names: dict[_Key, tuple[str, ...]] = field(factory=dict[_Key, tuple[str, ...]], init=False)
    _keys: dict[str, _Key] = field(factory=dict[str, _Key], init=False)
    _groups: dict[str, GroupTarget] = field(factory=dict[str, GroupTarget], init=False)
    _ending_early: set[str] = field(factory=set[str], init=False)

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, name: str, target: ProjectId | PipelineTarget | JobTarget | GroupTarget) -> None:
        """Index *target* under *name*."""
        match target:
            case GroupTarget():
                self._groups[name] = target
            case PipelineTarget(pipeline_id=number, until=until):
                self._put(name, ("pipeline", number))
                if until != "finished":
                    self._ending_early.add(name)
            case JobTarget(job_id=number):
                self._put(name, ("job", number))
            case int():
                self._put(name, ("project", target))
            case str():
                # GitLab's paths ignore case.
                self._put(name, ("path", target.strip("/").casefold()))

    def learn_id(self, name: str, project_id: int) -> None:
        """Index the project *name* by its id, because its path may change."""
        if self._keys.get(name, ("",))[0] == "path":
            self.remove(name)
            self._put(name, ("project", project_id))

    def remove(self, name: str) -> None:
        """Remove *name*; ignore an unknown one."""
        self._groups.pop(name, None)
        self._ending_early.discard(name)
        key = self._keys.pop(name, None)
        if key is not None:
            names = tuple(other for other in self._names.pop(key) if other != name)
            if names:
                self._names[key] = names

    def project_name(self, project_id: int, path: str) -> str | None:
        """Return the name of the target for a project, by its id or its path, or `None`."""
        # A target by its path is found there until its id is known.
        keys: list[_Key] = [("project", project_id), ("path", path.casefold())]
        return next((self._names[key][0] for key in keys if key in self._names), None)

    def covers(self, pipeline: PipelineTarget, path: str) -> bool:
        """Return whether a target has all jobs of *pipeline*, of the project at *path*."""
        if isinstance(pipeline.project, int) and self.project_name(pipeline.project, path):
            return True
        names = self._names.get(("pipeline", pipeline.pipeline_id), ())
        return not self._ending_early.issuperset(names)

    def groups_at(self, path: str) -> list[str]:
        """Return the names of the groups, given by path, that contain the project at *path*."""
        parent = path.rpartition("/")[0].casefold()
        return [name for name, group in self._groups.items() if _contains(group, parent)]

    def targets_of(self, hook: HookTarget) -> list[str]:
        """Return the names of the targets that *hook* is about."""
        keys: list[_Key] = [
            ("project", hook.project_id),
            ("path", hook.project_path.casefold()),
            ("path", str(hook.project_id)),  # a project given as "17"
            ("pipeline", hook.pipeline_id),
            ("job", hook.job_id),
        ]
        return list(dict.fromkeys(name for key in keys for name in self._names.get(key, ())))

    def _put(self, name: str, key: _Key) -> None:
        self.remove(name)
        self._keys[name] = key
        self._names[key] = *self._names.get(key, ()), name


def _contains(group: GroupTarget, parent: str) -> bool:
    if not isinstance(group.group, str):
        return False
    path = group.group.strip("/").casefold()
    return parent == path or (group.include_subgroups and parent.startswith(f"{path}/"))
