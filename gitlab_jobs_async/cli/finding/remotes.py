"""Read the addresses of git remotes, and choose the remote of a checkout. Pure.

Their forms: https://git-scm.com/docs/git-clone#_git_urls.
"""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote, urlsplit

from attrs import frozen

from gitlab_jobs_async.cli.config.addresses import Address, usual_as_none
from gitlab_jobs_async.cli.errors import usage_error

_LINE: Final = re.compile(r"(?P<name>[^\t]+)\t(?P<url>.+) \(fetch\)(?: \[[^\]]*\])?")
# A colon before the first slash, as in git@gitlab.com:group/app.git. Brackets may hold an address
# of IPv6, or a port and a user, too: https://git-scm.com/docs/git-clone#_git_urls, connect.c.
_SCP: Final = re.compile(
    r"(?:[^/@\[\]]*@)?(?P<host>\[(?:[^\[\]/]|\[[^\[\]/]+\])+\]|[^:/@\[\]]+):(?P<path>(?!//|:).+)"
)
_WEB: Final = ("http", "https")
_SSH: Final = ("ssh", "git+ssh", "ssh+git", "git")


@frozen
class Branch:
    """The branch of a checkout, and where git pushes it to and pulls it from.

    Each pair is a remote and a branch of it; both are empty without one.
    """

    name: str
    push: tuple[str, str] = ("", "")
    upstream: tuple[str, str] = ("", "")
    tracked: frozenset[str] = frozenset()
    """Remote branches that were fetched, as `origin/main`."""
    heads: frozenset[str] = frozenset()
    """Default branches of remotes, as `origin/main`."""

    def on_remote(self, remote: str) -> str:
        """Return the name of the branch on *remote*.

        It is that of a push, else its own if the remote has it, else that of a pull. A new branch
        that pulls from the default branch has its own name.
        """
        pushed_to, name = self.push
        if pushed_to == remote and name:
            return name
        pulled_from, name = self.upstream
        is_own = pulled_from != remote or not name
        if is_own or f"{remote}/{self.name}" in self.tracked or f"{remote}/{name}" in self.heads:
            return self.name
        return name


def parse_remote(url: str, source: str) -> Address | None:
    """Return the address of a remote; None for a file or an unknown form. Its login is dropped."""
    if "://" not in url:
        match = _SCP.fullmatch(url)
        # C:\repo and C:/repo are files.
        if match is None or (len(match["host"]) == 1 and "@" not in url):
            return None
        return _address(_host_in(match["host"]), None, match["path"], source, is_ssh=True)
    try:
        parts = urlsplit(url)
        scheme, port = parts.scheme.lower(), parts.port
    except ValueError:
        return None
    if scheme not in _WEB and scheme not in _SSH:
        return None
    port = usual_as_none(scheme, port) if scheme in _WEB else None
    path = unquote(parts.path)
    return _address(parts.hostname or "", port, path, source, is_ssh=scheme in _SSH)


def _host_in(brackets: str) -> str:
    """Return the host of `[::1]`, `[host:22]`, `[git@host:22]` or `[[::1]:22]`."""
    host = brackets.removeprefix("[").removesuffix("]").rpartition("@")[2]
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host if host.count(":") > 1 else host.partition(":")[0]


def _address(
    host: str, port: int | None, path: str, source: str, *, is_ssh: bool
) -> Address | None:
    folder = path.strip("/").removesuffix(".git").rstrip("/")
    if not host or "/" not in folder or not folder.isprintable():
        return None
    try:
        known = host.encode("idna").decode().lower()
    except ValueError:
        return None
    return Address(known, port, folder, is_ssh, source)


def read_remotes(text: str) -> dict[str, str]:
    """Return the URLs by name of the output of `git remote -v`."""
    rows = map(_LINE.fullmatch, text.splitlines())
    return {row["name"]: row["url"] for row in rows if row is not None}


def choose_remote(remotes: Mapping[str, Address], branch: Branch | None) -> str:
    """Return the remote of *branch*, else `origin`, else the only one.

    Raises:
        CommandError: none exists, or several without one to prefer.
    """
    wanted = ["origin"] if branch is None else [branch.push[0], branch.upstream[0], "origin"]
    if len(remotes) == 1:
        wanted += remotes
    for name in wanted:
        if name in remotes:
            return name
    if not remotes:
        raise usage_error("the checkout has no remote on a server")
    names = ", ".join(f"{name} ({address.folder})" for name, address in sorted(remotes.items()))
    raise usage_error(f"the checkout has several remotes: {names}")
