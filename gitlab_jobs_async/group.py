"""The calls of one group."""

from collections.abc import AsyncGenerator
from typing import Unpack

from attrs import field, frozen

from gitlab_jobs_async import models
from gitlab_jobs_async.api.group_endpoints import GroupProjectFilters, list_group_projects
from gitlab_jobs_async.api.parameters import GroupId
from gitlab_jobs_async.http.calls import report_calls
from gitlab_jobs_async.http.transport import Transport
from gitlab_jobs_async.listing.fetch import by_offset, iter_rows, newest_first, read_all


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
