"""Archives of artifacts, as pure values: their bytes, their size and their tree."""

import io
import zipfile
from collections.abc import Mapping
from functools import cache
from typing import Final

from gitlab_jobs_async.simulator.api.runner_entities import Json

_LOCAL_HEADER: Final = 30
_CENTRAL_HEADER: Final = 46
_END: Final = 22


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return a reproducible zip archive of *files*."""
    return _packed(tuple(sorted(files.items())))


@cache
def _packed(files: tuple[tuple[str, bytes], ...]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, content in files:
            archive.writestr(zipfile.ZipInfo(path), content)
    return buffer.getvalue()


def packed_size(files: Mapping[str, bytes]) -> int:
    """Return the size of the archive without packing it, from the known lengths of its headers."""
    return _END + sum(
        _LOCAL_HEADER + _CENTRAL_HEADER + 2 * len(path.encode()) + len(content)
        for path, content in files.items()
    )


def entries(files: Mapping[str, bytes], folder: str, *, recursive: bool) -> list[Json]:
    """List a folder as API::Entities::Ci::JobArtifactEntry: directories, then files."""
    prefix = f"{folder}/" if folder else ""
    found: dict[str, Json] = {}
    for path, content in files.items():
        if not path.startswith(prefix):
            continue
        parts = path[len(prefix) :].split("/")
        for depth in range(1, len(parts)):
            inner = prefix + "/".join(parts[:depth]) + "/"
            found[inner] = _entry(parts[depth - 1], inner, "directory", "040755")
        found[path] = _entry(parts[-1], path, "file", "100644") | {"size": len(content)}
    depth = prefix.count("/")
    rows = [
        (path, entry)
        for path, entry in sorted(found.items())
        if recursive or path.rstrip("/").count("/") == depth
    ]
    if not recursive:
        rows.sort(key=lambda row: row[1]["type"] == "file")
    return [entry for _, entry in rows]


def _entry(name: str, path: str, kind: str, mode: str) -> Json:
    return {"name": name, "path": path, "type": kind, "mode": mode}
