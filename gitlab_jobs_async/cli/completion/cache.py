"""Names of a server in small files that only the user can read, for seconds; without any token."""

import hashlib
import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

_FOLDER: Final = "gitlab-jobs"
_MOST_FILES: Final = 64
_MOST_BYTES: Final = 1 << 20


def cache_folder() -> Path:
    """Return the folder by the XDG base directories."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    # https://specifications.freedesktop.org/basedir-spec/: a relative path is ignored.
    base = Path(named) if os.path.isabs(named) else Path(os.path.expanduser("~")) / ".cache"  # noqa: PTH111, PTH117 - Path.home() fails without a home
    return base / _FOLDER


def _file(key: str) -> Path:
    return cache_folder() / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"


def read_cached(key: str) -> tuple[Any, float] | None:
    """Return the value of *key* and its age in seconds; None without a usable file."""
    with suppress(OSError, ValueError):
        file = _file(key)
        found = file.stat()
        # Another user's file may hold anything.
        is_own = not hasattr(os, "getuid") or found.st_uid == os.getuid()
        if is_own and found.st_size <= _MOST_BYTES:
            value = json.loads(file.read_bytes())
            return value, max(0.0, time.time() - found.st_mtime)
    return None


def write_cached(key: str, value: object) -> None:
    """Write *value* for *key*, and remove the oldest files; do nothing if that fails."""
    with suppress(OSError):
        folder = cache_folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = _file(key)
        temporary = folder / f".{file.name}.{os.getpid()}"
        try:
            number = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(number, "w", encoding="utf-8") as out:
                json.dump(value, out)
            temporary.replace(file)
        finally:
            temporary.unlink(missing_ok=True)
        files = sorted(folder.glob("*.json"), key=lambda one: one.stat().st_mtime, reverse=True)
        for old in files[_MOST_FILES:]:
            old.unlink(missing_ok=True)
