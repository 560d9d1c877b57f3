"""Open a page in the user's browser; without one, print its URL."""

import os
import sys
from asyncio import to_thread
from importlib import import_module
from urllib.parse import quote, urlsplit

from gitlab_jobs_async.api.parameters import ProjectId
from gitlab_jobs_async.cli import finding
from gitlab_jobs_async.cli.cleaning import clean
from gitlab_jobs_async.cli.errors import OK, UNAVAILABLE, CommandError
from gitlab_jobs_async.cli.finding.selection import Selection
from gitlab_jobs_async.cli.terminal import print_note, write


async def show_page(url: str, *, is_printed: bool = True) -> None:
    """Open *url* as `open_page` does, while other requests go on."""
    # A browser may take seconds to return.
    await to_thread(open_page, url, is_printed=is_printed)


async def show_selected(finder: "finding.Finder", selection: Selection, page: str = "") -> int:
    """Open that *page* of each selected job, else the page of the pipeline; return the exit code.

    Raises:
        CommandError: a job or the pipeline does not exist.
        GitLabError: the server refuses or fails.
    """
    if not selection.jobs:
        at = await finder.pipeline(selection.pipeline)
        await show_page((await at.read()).web_url)
        return OK
    project, ids = await finder.jobs(selection.jobs, selection.pipeline)
    line = "" if selection.line is None else f"#L{selection.line}"
    for number in ids:
        job = await project.get_job(number)
        await show_page(job.web_url + (page or line))
    return OK


def open_page(url: str, *, is_printed: bool = True) -> None:
    """Open *url*; where no browser can show it, write it to stdout if *is_printed*.

    Raises:
        CommandError: it is not http or https, so that a browser might run a program.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not url.isprintable():
        raise CommandError(f"page {clean(url)!r}: expected an http or https URL", UNAVAILABLE)
    # Late: most calls open no page.
    if _has_browser() and import_module("webbrowser").open(url):
        print_note(f"opened {url}")
    elif is_printed:
        write(f"{clean(url)}\n")


def _has_browser() -> bool:
    # A browser of the terminal, such as lynx, would take over the screen of a session on a server.
    if os.environ.get("BROWSER") or sys.platform in {"darwin", "win32"}:
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def project_page(server: str, project: ProjectId, page: str) -> str:
    """Return the URL of a page of a project, such as its `jobs`."""
    root = server.rstrip("/").removesuffix("/api/v4")
    # Only this page takes ids, and leads to the project itself.
    if isinstance(project, int):
        return f"{root}/projects/{project}"
    return f"{root}/{quote(project.strip('/'))}/-/{page}"
