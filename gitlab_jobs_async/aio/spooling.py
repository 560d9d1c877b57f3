"""Chunks put aside until their connection is closed: few in memory, many in a temporary file."""

from collections.abc import Iterator
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import Self

from gitlab_jobs_async.models import TraceChunk

_IN_MEMORY = 1024 * 1024
_PIECE = 256 * 1024


class Spool:
    """Chunks of a trace that follow one another; the file goes when the block is left."""

    def __init__(self) -> None:
        self.start: int | None = None
        self._file = SpooledTemporaryFile[bytes](max_size=_IN_MEMORY)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    @property
    def has_any(self) -> bool:
        """Whether anything was put in, an empty chunk included."""
        return self.start is not None

    def add(self, chunk: TraceChunk | None) -> None:
        """Put *chunk* after the ones before."""
        if chunk is None:
            return
        if self.start is None:
            self.start = chunk.offset
        self._file.write(chunk.data)

    def chunks(self) -> Iterator[TraceChunk]:
        """All of it, in pieces that fit into memory; one empty chunk if that was put in."""
        if self.start is None:
            return
        self._file.seek(0)
        offset, data = self.start, self._file.read(_PIECE)
        yield TraceChunk(offset, data)
        while data:
            offset += len(data)
            data = self._file.read(_PIECE)
            if data:
                yield TraceChunk(offset, data)
