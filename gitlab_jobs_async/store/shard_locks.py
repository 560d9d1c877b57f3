"""Locks of the operating system beside a SQLite store: a killed owner is known at once.

A lock ends with its process, while a lease ends after its time. A lock is only a hint that an
owner has ended; the lease in the store decides. https://man7.org/linux/man-pages/man2/flock.2.html
"""

import os
import re
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

# Windows has no such locks; there the time of a lease decides alone.
_fcntl: Any = None
with suppress(ImportError):
    _fcntl = import_module("fcntl")

_LONGEST_OWNER = 1000


class ShardLocks:
    """The locks of one open store at *path*, by the names of leases.

    A lock file holds the name of the owner who locked it last. So a lease is known to be dead only
    if its owner is the one who has lost the lock; one who took an expired lease may have none.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._files: dict[str, tuple[str, int]] = {}

    def lock(self, name: str, owner: str) -> str | None:
        """Lock the lease *name* for *owner*; return the last owner, who has certainly ended.

        Return None if that cannot be said, for example if the lock was or is held.
        """
        if _fcntl is None or name in self._files:
            return None
        file = self._locked(name, os.O_CREAT)
        if file is None:
            return None
        try:
            last = os.pread(file, _LONGEST_OWNER, 0).decode(errors="replace")
            os.ftruncate(file, 0)
            os.pwrite(file, owner.encode(), 0)
        except OSError:
            os.close(file)
            return None
        self._files[name] = owner, file
        return last

    def has_ended(self, name: str) -> bool:
        """Return whether the owner of a lease that only it ever has was certainly ended."""
        if _fcntl is None or name in self._files:
            return False
        file = self._locked(name)
        if file is None:
            return False
        self._delete(name)
        os.close(file)
        return True

    def unlock(self, name: str, owner: str) -> None:
        """Give up the lock of *name*, if *owner* has it."""
        held_by, file = self._files.get(name, ("", -1))
        if held_by == owner:
            del self._files[name]
            # No other process will use the file of a lease that is named after its owner.
            if owner in name:
                self._delete(name)
            os.close(file)

    def give_back(self, name: str, last: str) -> None:
        """Give up the lock of *name*, which still says that the owner *last* has ended."""
        if name in self._files:  # not closed meanwhile
            _, file = self._files.pop(name)
            with suppress(OSError):
                os.ftruncate(file, 0)
                os.pwrite(file, last.encode(), 0)
            os.close(file)

    def close(self) -> None:
        """Give up all locks."""
        for _, file in self._files.values():
            os.close(file)
        self._files.clear()

    def _locked(self, name: str, flags: int = 0) -> int | None:
        """Return the locked file of *name*; None if it is missing, or another has the lock."""
        try:
            file = os.open(self._file(name), flags | os.O_RDWR, 0o600)
        except OSError:
            return None
        try:
            _fcntl.flock(file, _fcntl.LOCK_EX | _fcntl.LOCK_NB)
        except OSError:
            os.close(file)
            return None
        return file

    def _delete(self, name: str) -> None:
        with suppress(OSError):
            self._file(name).unlink()

    def _file(self, name: str) -> Path:
        safe = re.sub(r"[^A-Za-z0-9._-]", "-", name)
        return Path(f"{self._path}.{safe}.lock")
