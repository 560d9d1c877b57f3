"""Buffer the chunks of a response until its connection is released: in memory, or in a file."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import Self

from gitlab_jobs_async.errors import TraceInterruptedError
from gitlab_jobs_async.models.logs import TraceChunk

_IN_MEMORY = 1024 * 1024
_PIECE = 64 * 1024


class Spool:
    """Consecutive chunks of a trace; the temporary file is deleted at the end of the block.

    Raises:
        TraceInterruptedError: from every method, if a temporary file cannot be written; reading can
            be resumed from its `offset`.
    """

    def __init__(self) -> None:
        self.size = 0
        """Bytes that were added and not taken yet."""
        self._start: int | None = None
        self._file = SpooledTemporaryFile[bytes](max_size=_IN_MEMORY)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Closing writes what is still buffered, which fails again on a full disk.
        with suppress(OSError):
            self._file.close()

    def add(self, chunk: TraceChunk | None) -> None:
        """Append *chunk*; ignore `None`."""
        if chunk is None:
            return
        if self._start is None:
            self._start = chunk.offset
        with self._on_disk():
            self._file.write(chunk.data)
        self.size += len(chunk.data)

    def take(self) -> Iterator[TraceChunk]:
        """Empty the spool, and yield its content in pieces that fit into memory.

        A spool that holds only an empty chunk yields that.
        """
        if self._start is None:
            return
        with self._on_disk():
            self._file.seek(0)
        left = self.size
        while True:
            with self._on_disk():
                data = self._file.read(min(_PIECE, left))
            left -= len(data)
            chunk = TraceChunk(self._start, data)
            self._start = chunk.end
            yield chunk
            if not left:
                break
        with self._on_disk():
            self._file.seek(0)
        self._start, self.size = None, 0

    @contextmanager
    def _on_disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            # Its frames hold bytes of the log, which error reporters would collect.
            failed = error.with_traceback(None)
        else:
            return
        reason = f"trace not buffered: {failed.strerror or failed}"
        raise TraceInterruptedError(reason, self._start or 0) from failed
