"""The projects and groups that a command was given: as arguments, by groups, or in a file."""

from collections.abc import Sequence

from gitlab_jobs_async.api.parameters import ProjectId, group_path
from gitlab_jobs_async.cli.arguments import project_id
from gitlab_jobs_async.cli.config.project_files import projects_of
from gitlab_jobs_async.cli.errors import usage_error
from gitlab_jobs_async.cli.options import ProjectOptions
from gitlab_jobs_async.monitor.targets import GroupTarget


def named_projects(
    projects: Sequence[str], options: ProjectOptions
) -> list[ProjectId | GroupTarget]:
    """Return the projects and groups, each once.

    Raises:
        CommandError: nothing is named, a group is invalid, or the file cannot be read.
    """
    listed = [] if options.projects_from is None else projects_of(options.projects_from)
    # "17" and "017" are one project.
    names = list(dict.fromkeys(project_id(name) for name in [*projects, *listed]))
    groups = list(dict.fromkeys(_group(text) for text in options.group))
    if not names and not groups:
        raise usage_error("expected a PROJECT, --group GROUP or --projects-from FILE")
    return [*names, *groups]


def _group(text: str) -> GroupTarget:
    group = project_id(text)
    try:
        group_path(group)
    except ValueError as error:
        raise usage_error(f"--group: {error}") from error
    return GroupTarget(group)
