"""The git checkout of the current directory: its project, branch and commit.

Only local commands of git run, which ask nothing and never reach the network. Their output is not
quoted, since the URL of a remote may hold a token.
"""

import os
import re
import shutil
import subprocess
from typing import Final

from attrs import evolve, frozen

from gitlab_jobs_async.cli.config.addresses import Address
from gitlab_jobs_async.cli.errors import CommandError, usage_error
from gitlab_jobs_async.cli.finding.remotes import (
    Branch,
    choose_remote,
    parse_remote,
    read_remotes,
)

_SECONDS: Final = 5
"""Limit of one command; a network drive may hang."""

_HOST: Final = re.compile(r"[a-z0-9][a-z0-9._-]*")
_QUIET: Final = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "LC_ALL": "C",
}
_BRANCH: Final = (
    "%(refname)%00%(push:remotename)%00%(push:remoteref)%00%(upstream:remotename)"
    "%00%(upstream:remoteref)%00%(symref)"
)


@frozen
class Checkout:
    """A checkout: *address* is that of its *remote*; *branch* is None for a detached HEAD.

    *branch* is the name on the remote. *sha* is None before the first commit.
    """

    remote: str
    address: Address
    others: dict[str, Address]
    branch: str | None
    sha: str | None


def find_checkout(expected: str = "a PROJECT or a URL") -> Checkout:
    """Return the checkout of the current directory; errors name what was *expected* in place of it.

    Raises:
        CommandError: git is missing, refuses or hangs; the checkout or its remote is missing.
    """
    try:
        return _checkout()
    except CommandError as error:
        raise usage_error(f"{error}: expected {expected}") from None


def _checkout() -> Checkout:
    if shutil.which("git") is None:
        raise usage_error("git is not installed, so that no checkout can be read")
    urls = read_remotes(_git("remote", "-v", is_needed=True))
    found = {name: parse_remote(url, f"remote {name!r}") for name, url in urls.items()}
    remotes = {name: address for name, address in found.items() if address is not None}
    branch = _branch()
    remote = choose_remote(remotes, branch)
    sha = _git("rev-parse", "--quiet", "--verify", "HEAD^{commit}").strip()
    name = None if branch is None else branch.on_remote(remote)
    others = {other: address for other, address in remotes.items() if other != remote}
    return Checkout(remote, remotes[remote], others, name, sha or None)


def behind_alias(checkout: Checkout) -> Checkout | None:
    """Return the checkout with the host that the user's SSH configuration has for its remote.

    None without another host. Nothing is sent to it.
    """
    address = checkout.address
    # A name with other letters could be an option, or a part of a command in that configuration.
    if not (address.is_ssh and _HOST.fullmatch(address.host)) or shutil.which("ssh") is None:
        return None
    lines = _output(["ssh", "-G", "--", address.host]).splitlines()
    hosts = [
        line.partition(" ")[2].strip().lower() for line in lines if line.startswith("hostname ")
    ]
    if not hosts or hosts[0] in ("", address.host):
        return None
    return evolve(checkout, address=evolve(address, host=hosts[0]))


def _branch() -> Branch | None:
    """Return the branch that is checked out, also before its first commit."""
    head = _git("symbolic-ref", "--quiet", "HEAD").strip()
    name = head.removeprefix("refs/heads/")
    if not name or name == head:
        return None
    patterns = [head, f"refs/remotes/*/{name}", "refs/remotes/*/HEAD"]
    rows = [
        line.split("\0")
        for line in _git("for-each-ref", f"--format={_BRANCH}", *patterns).splitlines()
    ]
    own = next((row for row in rows if row[0] == head), None) or [""] * 6
    _, push, push_ref, upstream, upstream_ref, _ = own
    return Branch(
        name,
        (push, push_ref.removeprefix("refs/heads/")),
        (upstream, upstream_ref.removeprefix("refs/heads/")),
        frozenset(row[0].removeprefix("refs/remotes/") for row in rows),
        frozenset(row[5].removeprefix("refs/remotes/") for row in rows if row[5]),
    )


def _git(*arguments: str, is_needed: bool = False) -> str:
    """Return the output of git, empty if it fails; a command that is needed raises instead."""
    return _output(["git", "--no-pager", *arguments], is_needed=is_needed)


def _output(command: list[str], *, is_needed: bool = False) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - the user's own git and ssh, without a shell
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_SECONDS,
            env=os.environ | _QUIET,
        )
    except subprocess.TimeoutExpired:
        raise usage_error(f"{command[0]} did not answer within {_SECONDS} s") from None
    except OSError as error:
        raise usage_error(f"{command[0]} cannot run ({error.strerror})") from None
    if done.returncode and is_needed:
        raise _refusal(done.stderr.decode(errors="replace"))
    return "" if done.returncode else done.stdout.decode(errors="surrogateescape")


def _refusal(words: str) -> CommandError:
    if "dubious ownership" in words:
        return usage_error(
            "git refuses this checkout, which belongs to another user (safe.directory)"
        )
    if "not a git repository" in words:
        return usage_error("not in a git checkout")
    return usage_error("git cannot read this checkout")
