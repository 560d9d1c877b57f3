"""Divide the path of a URL into its project and the page below it. Pure.

All before `/-/` is the project. Older pages have no `/-/`, and GitLab still redirects from them:
config/routes/project.rb, legacy_builds.rb and repository_deprecated.rb of GitLab.
"""

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote

from attrs import frozen

SHA: Final = re.compile(r"[0-9a-fA-F]{7,40}|[0-9a-fA-F]{64}")
_ID: Final = re.compile(r"[1-9][0-9]{0,18}")
_RESERVED: Final = frozenset(
    {
        "badges", "blame", "blob", "builds", "commits", "create", "create_dir", "edit", "files",
        "find_file", "new", "preview", "raw", "refs", "tree", "update", "wikis",
    }
)  # fmt: skip
"""Words that neither a project nor a subgroup is called: PROJECT_WILDCARD_ROUTES of
lib/gitlab/path_regex.rb."""

_NUMBERED: Final = frozenset({"environments", "issues", "jobs", "merge_requests", "pipelines"})
"""Words that a project may be called, but hardly one whose subgroup has only a number as a name."""


@frozen
class Route:
    """The path of a project, or its id, below the relative root; and the parts of its page.

    *api_root* is the relative root of the server, which only URLs of the API tell.
    """

    folder: str
    page: tuple[str, ...] = ()
    api_root: str | None = None
    is_group: bool = False


def is_id(text: str) -> bool:
    """Return whether *text* is the number of a project, pipeline or job."""
    return bool(_ID.fullmatch(text))


def divide(path: str) -> Route:
    """Return the route of the path of a URL, whose parts may be quoted."""
    if route := _divide_api(path):
        return route
    front, is_page, page = f"{path}/".partition("/-/")
    parts, below = _parts(front), _parts(page)
    if parts[:1] == ("groups",) and len(parts) > 1:
        return Route("/".join(parts[1:]), is_group=True)
    # /projects/17 and /-/p/17 are pages of a project by its id.
    if len(below) == 2 and below[0] == "p" and is_id(below[1]):
        return Route("/".join([*parts, below[1]]))
    if not is_page and len(parts) == 2 and parts[0] == "projects" and is_id(parts[1]):
        return Route(parts[1])
    end = len(parts) if is_page else _end_of_project(parts)
    return Route("/".join(parts[:end]), (*parts[end:], *below))


def _divide_api(path: str) -> Route | None:
    for kind in ("projects", "groups"):
        root, is_api, rest = path.partition(f"/api/v4/{kind}/")
        name, _, page = rest.partition("/")
        folder = unquote(name)
        # A file of a repository may have such a path, too.
        if is_api and "/-/" not in f"{root}/" and (is_id(folder) or "/" in folder.strip("/")):
            root = unquote(root).strip("/")
            folder = f"{root}/{folder}" if root else folder
            return Route(folder, _parts(page), root, is_group=kind == "groups")
    return Route("") if path.startswith("/api/v4/") else None


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in unquote(path).split("/") if part)


def _end_of_project(parts: Sequence[str]) -> int:
    """Return the number of parts that are the path of the project; it has two at least."""
    for index in range(2, len(parts)):
        following = parts[index + 1] if index + 1 < len(parts) else ""
        word = parts[index]
        is_numbered = word in _NUMBERED and is_id(following)
        is_commit = word == "commit" and SHA.fullmatch(following)
        # No project is called so, while git's own requests go below it.
        is_repository = parts[index - 1].endswith(".git")
        if word in _RESERVED or is_numbered or is_commit or is_repository:
            return index
    return len(parts)
