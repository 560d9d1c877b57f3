"""The projects and groups that a command was given: as arguments, by groups, or in a file."""

from collections.abc import Sequence
from contextlib import aclosing

from attrs import frozen

from gitlab_jobs_async.api.parameters import ProjectId, group_path
from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.cli import finding
from gitlab_jobs_async.cli.config.project_files import projects_of
from gitlab_jobs_async.cli.config.resolution import ResolvedServer
from gitlab_jobs_async.cli.errors import OK, usage_error
from gitlab_jobs_async.cli.finding.location import locate
from gitlab_jobs_async.cli.finding.references import (
    PipelineName,
    WebPage,
    is_url,
    parse_pipeline,
    parse_url,
    pipeline_of_page,
)
from gitlab_jobs_async.cli.finding.selection import (
    GroupName,
    ProjectName,
    parse_group,
    parse_project,
)
from gitlab_jobs_async.cli.options import ProjectOptions, ServerOptions
from gitlab_jobs_async.cli.terminal import print_note
from gitlab_jobs_async.cli.web_page import project_page, show_page
from gitlab_jobs_async.client import GitLab
from gitlab_jobs_async.concurrency import gather_all
from gitlab_jobs_async.monitor.targets import GroupTarget

_EXPECTED = "a PROJECT, --group GROUP or --projects-from FILE"


@frozen
class NamedProjects:
    """Projects and groups, each once, and the server that has them.

    *pipelines* are those of options and pasted URLs, all of the one project. *checkout* is set if
    the project came from it.
    """

    server: ResolvedServer
    names: list[ProjectId | GroupTarget]
    pipelines: tuple[PipelineName, ...] = ()
    checkout: "finding.Checkout | None" = None

    def finder(self, gitlab: GitLab) -> "finding.Finder":
        """Return the finder of the one project.

        Raises:
            CommandError: several, or a group, were named.
        """
        name, *others = self.names
        if others or isinstance(name, GroupTarget):
            raise usage_error(
                "--pipeline: expected one PROJECT, without --group or --projects-from"
            )
        return finding.Finder(gitlab, gitlab.project(name), str(name), self.checkout)

    async def check_groups(self, gitlab: GitLab) -> None:
        """Raise for a group that cannot be read: a monitor would go on asking for it."""
        groups = [name for name in self.names if isinstance(name, GroupTarget)]
        await gather_all([_first_project(gitlab, group) for group in groups])

    async def show_pages(self, gitlab: GitLab, page: str) -> int:
        """Open the pages of the pipelines, else that *page* of each project, or those of groups.

        Return the exit code.
        """
        if self.pipelines:
            finder = self.finder(gitlab)
            for name in self.pipelines:
                at = await finder.pipeline(name)
                await show_page((await at.read()).web_url)
            return OK
        for target in self.names:
            if isinstance(target, GroupTarget):
                request = Request("GET", group_path(target.group))
                await show_page((await gitlab.send(request)).json()["web_url"])
            else:
                await show_page(project_page(self.server.url, target, page))
        return OK

    async def note_unknown_ref(self, gitlab: GitLab, ref: str | None) -> None:
        """Say on a terminal's stderr which refs of the only project come close to *ref*."""
        if ref is not None and len(self.names) == 1 and not isinstance(self.names[0], GroupTarget):
            await self.finder(gitlab).note_unknown_ref(ref)

    def note(self) -> None:
        """Say on a terminal's stderr which project the checkout has."""
        if self.checkout is not None:
            print_note(str(self.names[0]))


def named_projects(
    words: Sequence[str],
    many: ProjectOptions,
    options: ServerOptions,
    pipelines: Sequence[str] = (),
) -> NamedProjects:
    """Return the projects and groups of a command; without any, the project of the checkout.

    *words* are ids, paths, URLs of projects or pipelines, and `.` for the checkout.

    Raises:
        CommandError: one of them is invalid, the file or the checkout cannot be read, or they are
            on several servers.
    """
    listed = [] if many.projects_from is None else projects_of(many.projects_from)
    groups = list(dict.fromkeys(_group(text) for text in many.group))
    # "17" and "017" are one project.
    projects = list(dict.fromkeys(parse_project(word) for word in [*words, *listed]))
    found = [_pipeline(text) for text in pipelines]
    pages = [page for page, _ in found if page is not None]
    if not projects and not groups:
        projects = list(dict.fromkeys(pages)) or [None]
    place = locate(options, [*projects, *pages], _EXPECTED, groups)
    if pages and len(place.projects) > 1:
        raise usage_error("--pipeline: expected a URL of the same PROJECT")
    return NamedProjects(
        place.server,
        [*place.projects, *map(GroupTarget, place.groups)],
        tuple(dict.fromkeys([*_pipelines_of(projects), *(name for _, name in found)])),
        place.checkout,
    )


async def _first_project(gitlab: GitLab, target: GroupTarget) -> None:
    async with aclosing(gitlab.group(target.group).iter_projects()) as projects:
        await anext(projects, None)


def _pipeline(text: str) -> tuple[WebPage | None, PipelineName]:
    if not is_url(text):
        return None, parse_pipeline(text)
    page = parse_url(text)
    return page, pipeline_of_page(page)


def _pipelines_of(projects: Sequence[ProjectName]) -> list[PipelineName]:
    """Return the pipelines of pasted URLs; raise for the URL of a job."""
    pages = [project for project in projects if isinstance(project, WebPage)]
    for page in pages:
        if page.job is not None:
            raise usage_error(f"{page.address.source}: expected a URL of a project or pipeline")
    return [page.pipeline for page in pages if page.pipeline is not None]


def _group(text: str) -> GroupName:
    group = parse_group(text)
    if isinstance(group, int | str):
        try:
            group_path(group)
        except ValueError as error:
            raise usage_error(f"--group: {error}") from error
    return group
