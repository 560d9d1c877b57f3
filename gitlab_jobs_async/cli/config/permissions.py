"""Warnings about configuration files that expose the token to other local users."""

import os
import shlex
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from gitlab_jobs_async.api.credentials import Credentials
from gitlab_jobs_async.cli.terminal import print_error

_READABLE: Final = stat.S_IRGRP | stat.S_IROTH
_warned: Final[set[Path]] = set()


def warn_of_exposed(files: Iterable[Mapping[Path, str]], credentials: Credentials) -> None:
    """Warn once per file that holds the token in use and is readable by others."""
    for texts in files:
        for path, text in texts.items():
            # Other tokens of the file are not ours to warn about.
            if credentials.token in text and path not in _warned and is_exposed(path):
                _warned.add(path)
                print_error(
                    f"{path}: token is readable by other users; "
                    f"run: chmod 600 {shlex.quote(str(path))}"
                )


def is_exposed(path: Path) -> bool:
    """Return whether the group or others may read *path*; always False on Windows."""
    if os.name != "posix":
        return False
    try:
        return bool(path.stat().st_mode & _READABLE)
    except OSError:
        return False
