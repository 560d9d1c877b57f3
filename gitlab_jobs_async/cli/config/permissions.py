"""A warning, once a file, where others on this machine can read the token that is used."""

import os
import shlex
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from gitlab_jobs_async.api.credentials import Credentials
from gitlab_jobs_async.cli.terminal import complain

_READABLE: Final = stat.S_IRGRP | stat.S_IROTH
_warned: Final[set[Path]] = set()


def warn_of_exposed(files: Iterable[Mapping[Path, str]], credentials: Credentials) -> None:
    """Warn of each of *files*, texts by path, that holds the token and is open to others."""
    for texts in files:
        for path, text in texts.items():
            if credentials.token in text and path not in _warned and is_exposed(path):
                _warned.add(path)
                complain(
                    f"{path}: others can read the token in this file; "
                    f"run: chmod 600 {shlex.quote(str(path))}"
                )


def is_exposed(path: Path) -> bool:
    """Return whether the group or anybody may read *path*; Windows keeps that elsewhere."""
    if os.name != "posix":
        return False
    try:
        return bool(path.stat().st_mode & _READABLE)
    except OSError:
        return False
