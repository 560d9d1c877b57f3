"""The body of one answer, decompressed as it arrives; it ends only when it has come whole."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

from attrs import define, field

from gitlab_jobs_async.sansio.compression import Gzip, Plain, decoder_for


@define(eq=False)
class Body:
    """What *receive* brings in, until it brings nothing more, encoded as *encoding* says.

    Raises:
        UnknownEncodingError: *encoding* is one that was not asked for.
    """

    _receive: Callable[[], Awaitable[bytes]]
    _decoder: Plain | Gzip = field(converter=decoder_for)
    _pending: Iterator[bytes] = field(init=False, factory=lambda: iter(()))

    async def read(self) -> bytes:
        """The next piece; empty at the end.

        Raises:
            CutShortError: the compressed data is broken, or goes on after the body's end.
        """
        while not (piece := next(self._pending, b"")):
            received = await self._receive()
            if not received:
                self._decoder.finish()
                return b""
            self._pending = self._decoder.feed(received)
        return piece

    async def read_all(self) -> bytes:
        """The whole of it."""
        pieces = []
        while piece := await self.read():
            pieces.append(piece)
        return b"".join(pieces)


class Chunks:
    """The pieces of a body as *read* gives them, an empty one at the end."""

    def __init__(self, read: Callable[[], Awaitable[bytes]]) -> None:
        self._read = read

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if piece := await self._read():
            return piece
        raise StopAsyncIteration
