"""The calls of one group."""

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Unpack

from attrs import field, frozen

from gitlab_jobs_async import models
from gitlab_jobs_async.api.group_endpoints import GroupProjectFilters, list_group_projects
from gitlab_jobs_async.api.parameters import GroupId, ProjectId
from gitlab_jobs_async.concurrency import gather_all
from gitlab_jobs_async.http.calls import report_calls
from gitlab_jobs_async.http.transport import Transport
from gitlab_jobs_async.listing.fetch import by_offset, iter_rows, newest_first, read_all
from gitlab_jobs_async.monitor.targets import GroupTarget


@report_calls
@frozen(eq=False)
class Group:
    """A group by numeric id or full path, from `GitLab.group`.

    See https://docs.gitlab.com/api/groups/.
    """

    id: GroupId
    _transport: Transport = field(repr=False)

    async def list_projects(
        self, *, include_subgroups: bool = True, **filters: Unpack[GroupProjectFilters]
    ) -> "list[models.ProjectInfo]":
        """Return all projects of the group that match *filters*, newest first, each once.

        Only those that the token may see. A request shows up to 100 projects, and pages are
        requested concurrently. Archived projects are included unless `archived=False`, and those
        that are shared with the group unless `with_shared=False`.
        See https://docs.gitlab.com/api/groups/#list-projects.

        Args:
            include_subgroups: also list the projects of all subgroups, however deep.
            filters: `archived`, `owned`, `search`, `visibility` and `with_shared`.

        Raises:
            ListingChangedError: projects come and go faster than they can be read.
            NotFoundError: the group does not exist, or the token may not see it.
            TypeError, ValueError: an argument is invalid; raised before any request.
        """
        request = list_group_projects(self.id, filters, include_subgroups=include_subgroups)
        walk = by_offset(self._transport, request)
        return newest_first(await read_all(self._transport, walk, models.ProjectInfo))

    def iter_projects(
        self, *, include_subgroups: bool = True, **filters: Unpack[GroupProjectFilters]
    ) -> "AsyncGenerator[models.ProjectInfo, None]":
        """Iterate over the projects of `list_projects`, with one page in memory."""
        request = list_group_projects(self.id, filters, include_subgroups=include_subgroups)
        walk = by_offset(self._transport, request, in_order=True)
        return iter_rows(self._transport, walk, models.ProjectInfo)


async def with_projects_of_groups(
    given: Sequence[ProjectId | GroupTarget], group: Callable[[GroupId], Group]
) -> list[ProjectId]:
    """Return *given* with the paths of projects in place of groups; list these concurrently.

    A project that was named before, or is in a group before, is left out, as are archived ones and
    those without CI/CD.
    """
    listed = await gather_all(
        [
            group(one.group).list_projects(include_subgroups=one.include_subgroups, archived=False)
            for one in given
            if isinstance(one, GroupTarget)
        ]
    )
    rows_of = iter(listed)
    named = {str(one).strip("/").casefold() for one in given if not isinstance(one, GroupTarget)}
    found: dict[ProjectId, None] = {}
    for one in given:
        if not isinstance(one, GroupTarget):
            found[one] = None
            continue
        for row in next(rows_of):
            is_named = str(row.id) in named or row.path_with_namespace.casefold() in named
            # Without CI/CD, the jobs of a project are refused.
            if row.jobs_enabled is not False and not is_named:
                found[row.path_with_namespace] = None
    return list(found)
