"""The client of a command, from flags, environment and configuration files.

Files are parsed only when needed, so that a broken file of another tool does no harm.
"""

import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from gitlab_jobs_async import http
from gitlab_jobs_async.api.credentials import Credentials
from gitlab_jobs_async.cli import config
from gitlab_jobs_async.cli.config.addresses import Address
from gitlab_jobs_async.cli.config.advice import advice, reading_of
from gitlab_jobs_async.cli.config.files import Helper, credentials_of
from gitlab_jobs_async.cli.config.permissions import warn_of_exposed
from gitlab_jobs_async.cli.config.resolution import (
    ConfigFiles,
    ResolvedServer,
    Texts,
    glab_paths,
    python_gitlab_paths,
    resolve,
    resolve_at,
)
from gitlab_jobs_async.cli.errors import CommandError, error_line, exit_code_of, usage_error
from gitlab_jobs_async.cli.options import ServerOptions
from gitlab_jobs_async.client import GitLab
from gitlab_jobs_async.errors import GitLabError, NotFoundError
from gitlab_jobs_async.polling.policy import PollPolicy
from gitlab_jobs_async.ratelimit.budget import RequestBudget
from gitlab_jobs_async.retry.policy import RetryPolicy

_HELPER_SECONDS = 60


@asynccontextmanager
async def connect_to(
    server: ResolvedServer,
    options: ServerOptions,
    budget: RequestBudget | None = None,
    *,
    interval: float | None = None,
    hooks: "http.RequestHooks | None" = None,
    reading: str = "",
) -> AsyncIterator[GitLab]:
    """Yield the open client, which keeps to *budget* and polls a job every *interval* seconds.

    *hooks* are called around each request. *reading* says how the arguments were read, for the
    error of something that does not exist.

    Raises:
        CommandError: an error of the server, with the next step.
    """
    credentials = server.credentials
    auth = _from_helper(credentials) if isinstance(credentials, Helper) else credentials
    retry = RetryPolicy(attempts=options.attempts)
    near = ""
    try:
        async with GitLab(
            server.url,
            auth=auth,
            ssl=server.tls,
            retry=retry,
            polling=poll_policy_of(interval),
            budget=budget,
            hooks=hooks,
        ) as gitlab:
            try:
                yield gitlab
            except NotFoundError as error:
                near = await config.near_names(gitlab, str(error))
                raise
            except CommandError as error:
                # A monitor has no error of its only project, but its reason.
                near = await config.near_names(gitlab, error.reason) if error.reason else ""
                if not near:
                    raise
                raise CommandError(f"{error}; {near}", error.code) from error
    except GitLabError as error:
        advised = advice(error, server.url, datetime.now(UTC), has_token=auth is not None)
        steps = [near or advised, reading_of(error, reading)]
        if not any(steps):
            raise
        words = "; ".join(filter(None, [error_line(error), *steps]))
        raise CommandError(words, exit_code_of(error)) from error


def poll_policy_of(interval: float | None) -> PollPolicy:
    """Return the policy with this *interval*, which may be longer than the usual longest one."""
    if interval is None:
        return PollPolicy()
    return PollPolicy(interval=interval, max_interval=max(interval, PollPolicy().max_interval))


def server_of(
    options: ServerOptions, address: Address | None = None, *, is_pasted: bool = False
) -> ResolvedServer:
    """Return the server, its token and its certificates; *address* is one that it must serve.

    Raises:
        CommandError: contradicting options, or no token for the server of *address*.
    """
    files = config_files()
    if address is None:
        server = resolve(options, os.environ, files)
    else:
        server = resolve_at(options, os.environ, files, address, is_pasted=is_pasted)
    if server.credentials is not None and not isinstance(server.credentials, Helper):
        warn_of_exposed((files.python_gitlab, files.glab), server.credentials)
    return server


def config_files() -> ConfigFiles:
    """Return the texts of the configuration files.

    Raises:
        CommandError: a file that the environment names cannot be read.
    """
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home() fails without a home
    return ConfigFiles(_python_gitlab(home), _first_file(glab_paths(os.environ, home)))


def _python_gitlab(home: Path) -> Texts:
    paths = python_gitlab_paths(os.environ, home)
    found = {path: text for path in paths if (text := _text(path)) is not None}
    # A missing default file is normal; a missing named one is a mistake.
    if os.environ.get("PYTHON_GITLAB_CFG") and not found:
        raise usage_error(f"{paths[0]}: named by PYTHON_GITLAB_CFG, but cannot be read")
    return found


def _first_file(paths: list[Path]) -> Texts:
    for path in paths:
        if (text := _text(path)) is not None:
            return {path: text}
    return {}


def _text(path: Path) -> str | None:
    try:
        # Invalid bytes matter only within an entry that is used.
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def _from_helper(helper: Helper) -> Credentials:
    command = [os.path.expanduser(os.path.expandvars(part)) for part in helper.command]  # noqa: PTH111 - any argument may hold one
    try:
        done = subprocess.run(  # noqa: S603 - the user's own configuration names it
            command, capture_output=True, check=True, timeout=_HELPER_SECONDS, text=True
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        # Its output is not quoted, as it may hold the token.
        what = (
            f"exit code {error.returncode}"
            if isinstance(error, subprocess.CalledProcessError)
            else type(error).__name__
        )
        raise usage_error(
            f"the helper {command[0]!r} of python-gitlab's configuration failed ({what})"
        ) from None
    return credentials_of(helper.kind, done.stdout.strip())
