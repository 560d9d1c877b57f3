"""Move an unpacked directory to its place, which is new or has files of its own."""

import os
from pathlib import Path
from tempfile import mkdtemp


def check_place(target: Path, *, overwrite: bool, except_for: str = "") -> None:
    """Check that *target* is new, or a directory without files other than *except_for*.

    With *overwrite*, the directory may have files.

    Raises:
        FileExistsError: it is something else.
    """
    if not os.path.lexists(target):
        return
    # A link would let the archive be written elsewhere.
    if target.is_symlink() or not target.is_dir():
        expected = "a directory" if overwrite else "a new or an empty directory"
        raise FileExistsError(f"directory {str(target)!r}: expected {expected}, not a file or link")
    if not overwrite and any(path.name != except_for for path in target.iterdir()):
        raise FileExistsError(
            f"directory {str(target)!r}: expected a new or an empty directory, or overwrite"
        )


def new_stage(target: Path) -> Path:
    """Create a private directory on the file system of *target*: inside of it, if it exists.

    Raises:
        OSError: it cannot be created.
    """
    place = target.absolute()
    # A directory may be the root of a file system; a rename crosses none.
    parent = place if place.is_dir() else place.parent
    try:
        return Path(mkdtemp(dir=parent, prefix=f".{place.name}."))
    except OSError as error:  # name the user's directory, not the temporary one
        raise OSError(error.errno, error.strerror, str(target)) from error


def removed_if_empty(stage: Path) -> bool:
    """Remove *stage* if it is empty; return whether it was."""
    try:
        stage.rmdir()
    except OSError:
        return False
    return True


def move_if_new(content: Path, target: Path) -> bool:
    """Rename *content* to *target* unless that exists; return whether it was renamed."""
    if os.path.lexists(target):
        return False
    content.rename(target)
    return True


def merge(content: Path, target: Path, *, overwrite: bool) -> None:
    """Move what is in *content*, a directory of the stage, to *target*, which exists.

    Files are replaced one by one, each atomically. Links are replaced, never followed, and
    directories are kept. All places are checked before the first file is moved.

    Raises:
        FileExistsError: *target* has files, or a file where a directory is to be, or the reverse.
    """
    check_place(target, overwrite=overwrite, except_for=content.parent.name)
    _check_merge(content, target)
    _merge(content, target)


def _check_merge(source: Path, target: Path) -> None:
    for entry in source.iterdir():
        place = target / entry.name
        if not os.path.lexists(place):
            continue
        is_directory = _is_directory(entry)
        if is_directory != _is_directory(place):
            expected = ("a file", "a directory")[is_directory]
            raise FileExistsError(f"{str(place)!r}: expected {expected}, as in the archive")
        if is_directory:
            _check_merge(entry, place)


def _merge(source: Path, target: Path) -> None:
    for entry in source.iterdir():
        place = target / entry.name
        if _is_directory(entry) and _is_directory(place):
            _merge(entry, place)
        else:
            entry.replace(place)


def _is_directory(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
