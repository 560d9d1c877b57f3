"""Why projects are polled: as targets of their own, as projects of groups, or as both.

A project that moves from one group to another must not stop in between, or its changes meanwhile
were lost. So one that a group no longer lists stays until all other groups were listed since.
"""

from collections.abc import Iterator, Mapping

from attrs import define, field


@define(eq=False, repr=False)
class GroupMembers:
    """The projects of a group, paths by id, as *listed_at* a unix time."""

    projects: Mapping[int, str]
    listed_at: float | None = None
    is_unreachable: bool = False


@define(eq=False, repr=False)
class Memberships:
    """The groups by name, and the targets of their own with the names that they are polled under.

    The two names differ if a group had the project first, under its id.
    """

    groups: dict[str, GroupMembers] = field(factory=dict[str, GroupMembers], init=False)
    _own: dict[str, str] = field(factory=dict[str, str], init=False)
    _leaving: dict[int, tuple[str, float]] = field(factory=dict[int, tuple[str, float]], init=False)

    def add_own(self, target: str, name: str) -> None:
        """Note a project that is a target of its own, and the name that it is polled under."""
        self._own[target] = name

    def remove_own(self, target: str) -> str | None:
        """Return the name that *target* was polled under, or `None` if it was no target."""
        return self._own.pop(target, None)

    def is_own(self, name: str) -> bool:
        """Return whether *name* is polled for a target of its own."""
        return name in self._own.values()

    def is_member(self, project: int) -> bool:
        """Return whether a group has *project*."""
        return any(project in group.projects for group in self.groups.values())

    def members(self) -> Iterator[tuple[int, str]]:
        """Yield the id and the path of each project, once for each group that has it."""
        for group in self.groups.values():
            yield from group.projects.items()

    def member_at(self, path: str) -> tuple[int, str] | None:
        """Return the id and the path of the project at *path*, if a group has it."""
        wanted = path.strip("/").casefold()
        return next((one for one in self.members() if one[1].casefold() == wanted), None)

    def listed(self, name: str, projects: Mapping[int, str], began: float) -> None:
        """Replace the projects of a group by those of a listing."""
        group = self.groups[name]
        for project in group.projects.keys() - projects.keys():
            self._leaving.setdefault(project, (group.projects[project], began))
        group.projects, group.listed_at, group.is_unreachable = projects, began, False

    def removed(self, name: str) -> Mapping[int, str]:
        """Remove a group, and return the projects that no other group has."""
        group = self.groups.pop(name)
        return {p: path for p, path in group.projects.items() if not self.is_member(p)}

    def take_left(self) -> list[tuple[int, str]]:
        """Return, once, the id and the path of each project that has left all groups."""
        left = []
        for project, (path, since) in list(self._leaving.items()):
            is_back = self.is_member(project)
            if is_back or all(_is_settled(group, since) for group in self.groups.values()):
                del self._leaving[project]
                if not is_back:
                    left.append((project, path))
        return left


def _is_settled(group: GroupMembers, since: float) -> bool:
    # One that cannot be listed must not keep the projects of others for ever.
    return group.is_unreachable or (group.listed_at is not None and group.listed_at >= since)
