"""Extract a zip archive to a new directory; runs in a thread."""

import io
import os
import threading
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from gitlab_jobs_async.artifacts.members import Member, Output, UnpackLimits, plan_outputs
from gitlab_jobs_async.artifacts.names import link_target
from gitlab_jobs_async.errors import ArchiveError

_PIECE = 256 * 1024
# Bytes of the central directory for each entry that is allowed: a name and some extra fields.
_DIRECTORY_ENTRY = 512
_SIGNATURE = b"PK\1\2"
# What zipfile raises for archives that are not valid.
_INVALID = (
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OverflowError,
    RuntimeError, UnicodeDecodeError,
)  # fmt: skip


class StoppedError(Exception):
    """The caller was cancelled."""


class _BoundedFile(io.FileIO):
    """An archive whose central directory has a limit: zipfile reads it in one piece.

    zipfile makes an object of each entry, so their signatures are counted before.
    """

    most_files: int | None = None

    def read(self, size: int | None = -1, /) -> bytes:
        most = self.most_files
        if most is None or size is None or size < 0:
            return super().read(size) or b""
        most_bytes = max(most * _DIRECTORY_ENTRY, 2 * _PIECE)
        if size > most_bytes:
            raise ArchiveError(f"expected a central directory of at most {most_bytes} bytes")
        data = super().read(size) or b""
        if (count := data.count(_SIGNATURE)) > most:
            raise ArchiveError(f"expected at most {most} entries, got {count}")
        return data


def extract(archive: Path, directory: Path, limits: UnpackLimits, stop: threading.Event) -> None:
    """Extract *archive* to *directory*, which is created, until *stop* is set.

    Raises:
        ArchiveError: the archive is corrupt, unsafe or exceeds *limits*.
        StoppedError: *stop* was set.
        OSError: a file cannot be written.
    """
    try:
        with _BoundedFile(archive) as file:
            file.most_files = limits.max_files
            with zipfile.ZipFile(file) as opened:
                # The content of an entry may be an archive, too.
                file.most_files = None
                _Extraction(opened, directory, limits, stop).run()
    except _INVALID as error:
        failure = ArchiveError(f"is not a valid zip archive: {error}")
    else:
        return
    # Outside of the handler: the frames of zipfile hold bytes of the archive.
    raise failure


class _Extraction:
    def __init__(
        self,
        opened: zipfile.ZipFile,
        directory: Path,
        limits: UnpackLimits,
        stop: threading.Event,
    ) -> None:
        self._opened = opened
        self._entries = opened.infolist()
        self._directory = directory
        self._limits = limits
        self._stop = stop
        self._is_windows = os.name == "nt"

    def run(self) -> None:
        outputs = plan_outputs(
            [_member_of(entry) for entry in self._entries],
            self._limits,
            end=self._opened.start_dir,
            is_windows=self._is_windows,
        )
        self._directory.mkdir()
        for output in outputs:
            if output.kind != "link":
                self._write(output)
        # Last, so that nothing can be written through one.
        for output in outputs:
            if output.kind == "link":
                self._link(output)

    def _write(self, output: Output) -> None:
        self._check_stop()
        path = self._directory.joinpath(*output.parts)
        (path if output.kind == "directory" else path.parent).mkdir(parents=True, exist_ok=True)
        if output.kind == "directory":
            return
        # By the umask, so that no setuid bit or foreign permission is taken over.
        created = partial(os.open, mode=0o777 if output.is_executable else 0o666)
        with open(path, "xb", opener=created) as out:
            for piece in self._pieces(output):
                out.write(piece)

    def _link(self, output: Output) -> None:
        self._check_stop()
        path, name = self._directory.joinpath(*output.parts), self._name_of(output)
        content = b"".join(self._pieces(output))
        parts = link_target(output.parts, content, name, is_windows=self._is_windows)
        target = Path(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target, target_is_directory=path.parent.joinpath(target).is_dir())

    def _pieces(self, output: Output) -> Iterator[bytes]:
        """Yield the content of an entry, which has the size that it states."""
        written = 0
        with self._opened.open(self._entries[output.index]) as source:
            while piece := source.read(_PIECE):
                self._check_stop()
                written += len(piece)
                if written > output.size:
                    break
                yield piece
        if written != output.size:
            reason = f"is not {output.size} bytes long, as it states"
            raise ArchiveError(reason, self._name_of(output))

    def _name_of(self, output: Output) -> str:
        return self._entries[output.index].orig_filename

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise StoppedError


def _member_of(entry: zipfile.ZipInfo) -> Member:
    return Member(
        # `filename` ends at a NUL.
        name=entry.orig_filename,
        size=entry.file_size,
        packed=entry.compress_size,
        offset=entry.header_offset,
        flags=entry.flag_bits,
        method=entry.compress_type,
        mode=entry.external_attr >> 16,
    )
