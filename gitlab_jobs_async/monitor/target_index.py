"""Which targets a webhook is about: found by project, pipeline or job, not by walking them all."""

from collections.abc import Hashable

from attrs import define, field

from gitlab_jobs_async.api.parameters import ProjectId
from gitlab_jobs_async.models.webhooks import JobHook, PipelineHook
from gitlab_jobs_async.monitor.targets import JobTarget, PipelineTarget

_Key = tuple[str, Hashable]


@define
class TargetIndex:
    """The names of targets by what a webhook can say of them."""

    _names: dict[_Key, dict[str, None]] = field(factory=dict[_Key, dict[str, None]], init=False)
    _keys: dict[str, _Key] = field(factory=dict[str, _Key], init=False)

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, name: str, target: ProjectId | PipelineTarget | JobTarget) -> None:
        """Know *target* under *name*."""
        match target:
            case PipelineTarget(pipeline_id=number):
                self._put(name, ("pipeline", number))
            case JobTarget(job_id=number):
                self._put(name, ("job", number))
            case int():
                self._put(name, ("project", target))
            case str():
                self._put(name, ("path", target.strip("/").casefold()))

    def learn(self, name: str, project_id: int) -> None:
        """The project *name* has this id: from now on it is found by that, whatever its path is."""
        if self._keys.get(name, ("",))[0] == "path":
            self.remove(name)
            self._put(name, ("project", project_id))

    def remove(self, name: str) -> None:
        """Know *name* no longer. Nothing happens if it is unknown."""
        key = self._keys.pop(name, None)
        if key is not None:
            del self._names[key][name]
            if not self._names[key]:
                del self._names[key]

    def has_project(self, project_id: int) -> bool:
        """Whether the whole project of this id is a target."""
        return ("project", project_id) in self._names

    def concerned(self, hook: JobHook | PipelineHook) -> list[str]:
        """Return the names of the targets in which something has happened."""
        path = (hook.project_path or "").casefold()
        keys: list[_Key] = [
            ("project", hook.project_id),
            ("path", path),
            ("path", str(hook.project_id)),
            ("pipeline", hook.pipeline_id),
        ]
        if isinstance(hook, JobHook):
            keys.append(("job", hook.job_id))
        return list(dict.fromkeys(name for key in keys for name in self._names.get(key, ())))

    def _put(self, name: str, key: _Key) -> None:
        self.remove(name)
        self._keys[name] = key
        self._names.setdefault(key, {})[name] = None
