"""Atomic writing of files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from gitlab_jobs_async.artifacts.files import naming, replacing
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
        with naming(target), target.open("wb") as out:
            yield out
        return
    with replacing(target) as out:
        yield out
