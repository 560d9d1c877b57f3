"""Open a page in the user's browser; without one, print its URL."""

import os
import sys
from importlib import import_module
from urllib.parse import quote, urlsplit

from gitlab_jobs_async.api.parameters import ProjectId
from gitlab_jobs_async.cli.cleaning import clean
from gitlab_jobs_async.cli.errors import UNAVAILABLE, CommandError
from gitlab_jobs_async.cli.terminal import print_note, write


def open_page(url: str) -> None:
    """Open *url*, or write it to stdout where no browser can show it.

    Raises:
        CommandError: it is not http or https, so that a browser might run a program.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not url.isprintable():
        raise CommandError(f"page {clean(url)!r}: expected an http or https URL", UNAVAILABLE)
    # Late: most calls open no page.
    if _has_browser() and import_module("webbrowser").open(url):
        print_note(f"opened {url}")
    else:
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
