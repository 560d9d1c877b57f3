"""Bytes from a server into a file of the caller's: whole, or not there at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkstemp
from typing import BinaryIO

from gitlab_jobs_async.cli.errors import bad_input


@contextmanager
def whole_file(target: Path) -> Iterator[BinaryIO]:
    """What is written here becomes *target* once the block has ended well; else that stays.

    A target that is no regular file (a pipe, /dev/null) is written to as it is.
    """
    if target.is_dir():
        raise bad_input(f"--output {target} is a directory")
    if target.exists() and not target.is_file():
        with target.open("wb") as out:
            yield out
        return
    place = target.resolve()
    try:
        handle, name = mkstemp(dir=place.parent, prefix=f".{place.name}.")
    except OSError as error:  # names the file that the caller knows of, not the one begun beside it
        raise OSError(error.errno, error.strerror, str(target)) from error
    begun = Path(name)
    try:
        with os.fdopen(handle, "wb") as out:
            yield out
        begun.chmod(_mode(place))
        begun.replace(place)
    finally:
        begun.unlink(missing_ok=True)


def _mode(place: Path) -> int:
    """Return the permissions that *place* has, or would get."""
    if place.exists():
        return place.stat().st_mode & 0o7777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
