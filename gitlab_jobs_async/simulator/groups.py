"""Groups of the simulated GitLab: the fronts of the paths of projects."""

from attrs import define, evolve, field, frozen


@frozen
class Group:
    """A group; it stays when its last project leaves."""

    id: int
    path: str
    created_at: float

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def parent(self) -> str:
        """The path of the group that it is in, empty at the top."""
        return self.path.rpartition("/")[0]


@define(eq=False)
class Groups:
    """All groups by path."""

    _by_path: dict[str, Group] = field(factory=dict[str, Group], init=False)

    def at(self, path: str) -> Group | None:
        """Return the group at a path, or None."""
        return self._by_path.get(path)

    def by_id(self, number: int) -> Group | None:
        """Return the group with an id, or None."""
        return next((group for group in self._by_path.values() if group.id == number), None)

    def add_above(self, path: str, now: float) -> None:
        """Add the groups above a project that are missing."""
        parts = path.split("/")[:-1]
        for length in range(1, len(parts) + 1):
            front = "/".join(parts[:length])
            if front not in self._by_path:
                number = max((group.id for group in self._by_path.values()), default=0) + 1
                self._by_path[front] = Group(number, front, now)

    def move(self, old: str, new: str) -> None:
        """Give a group and all groups below it new paths."""
        moved = [p for p in self._by_path if p == old or p.startswith(f"{old}/")]
        for path in moved:
            target = new + path.removeprefix(old)
            self._by_path[target] = evolve(self._by_path.pop(path), path=target)
