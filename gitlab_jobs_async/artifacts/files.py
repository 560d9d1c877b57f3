"""Files that downloads write: replaced atomically, and their description."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

from attrs import frozen


@frozen(kw_only=True)
class ArtifactDownload:
    """A downloaded archive, or the directory that it was unpacked to.

    Attributes:
        path: the file or directory that was written.
        size: bytes of the archive.
        sha256: checksum of the archive, in hexadecimal digits.
    """

    path: Path
    size: int
    sha256: str


@contextmanager
def naming(target: Path) -> Iterator[None]:
    """Name *target* in an error of writing it, such as a full disk, which names no file."""
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(target)) from error


@contextmanager
def replacing(target: Path) -> Iterator[BinaryIO]:
    """Yield a temporary file beside *target* that replaces it if the block succeeds.

    Raises:
        IsADirectoryError: *target* is a directory.
        OSError: the file cannot be created.
    """
    if target.is_dir():
        raise IsADirectoryError(f"file {str(target)!r}: expected a file, not a directory")
    # A link is kept; its target is replaced.
    place = target.resolve()
    mode = place.stat().st_mode & 0o7777 if place.exists() else None
    temporary = place.with_name(f".{place.name}.{token_hex(6)}")
    # A new file gets its permissions by the umask, and a replacement is private until it has them.
    created = partial(os.open, mode=0o666 if mode is None else 0o600)
    try:
        out = open(temporary, "xb", opener=created)  # noqa: SIM115 - Path has no opener
    except OSError as error:  # name the user's file, not the temporary one
        raise OSError(error.errno, error.strerror, str(target)) from error
    try:
        with naming(target), out:
            yield out
        if mode is not None:
            temporary.chmod(mode)
        temporary.replace(place)
    finally:
        temporary.unlink(missing_ok=True)
