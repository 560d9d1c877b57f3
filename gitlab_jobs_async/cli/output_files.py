"""Atomic writing of files."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkstemp
from typing import BinaryIO

from gitlab_jobs_async.cli.errors import usage_error


@contextmanager
def atomic_file(target: Path) -> Iterator[BinaryIO]:
    """Yield a temporary file that replaces *target* if the block succeeds.

    A pipe or a device such as /dev/null is written to directly.

    Raises:
        CommandError: *target* is a directory.
        OSError: the file cannot be created.
    """
    if target.is_dir():
        raise usage_error(f"--output {target}: expected a file, not a directory")
    if target.exists() and not target.is_file():
        with target.open("wb") as out:
            yield out
        return
    # A link is kept; its target is replaced.
    place = target.resolve()
    try:
        handle, name = mkstemp(dir=place.parent, prefix=f".{place.name}.")
    except OSError as error:  # name the user's file, not the temporary one
        raise OSError(error.errno, error.strerror, str(target)) from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as out:
            yield out
        temporary.chmod(_mode(place))
        temporary.replace(place)
    finally:
        temporary.unlink(missing_ok=True)


def _mode(place: Path) -> int:
    """Return the permissions of *place*, or those of a new file."""
    if place.exists():
        return place.stat().st_mode & 0o7777
    # The only way to read the umask is to set it.
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
