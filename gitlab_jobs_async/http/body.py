"""The body of one answer, decompressed as it arrives; it ends only when it has come whole."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from io import BytesIO

from attrs import define, field

from gitlab_jobs_async.clock import yield_to_loop
from gitlab_jobs_async.errors import ResponseTooLargeError, TimedOutError
from gitlab_jobs_async.http.body_limits import Gauge, Rate
from gitlab_jobs_async.http.decompression import Gzip, Identity, decoder_for

_AT_ONCE = 4
"""Pieces that are decompressed before the loop's other tasks run."""


@define(eq=False)
class Body:
    """What *receive* brings in, until it brings nothing more, encoded as *encoding* says.

    Raises:
        UnknownEncodingError: *encoding* is one that was not asked for.
    """

    _receive: Callable[[], Awaitable[bytes]]
    _decoder: Identity | Gzip = field(converter=decoder_for)
    _pending: Iterator[bytes] = field(init=False, factory=lambda: iter(()))
    _steps: int = field(init=False, default=0)

    async def read(self) -> bytes:
        """The next piece; empty at the end.

        Raises:
            CutShortError: the compressed data is broken, or goes on after the body's end.
        """
        while True:
            for piece in self._pending:
                self._steps += 1
                if self._steps > _AT_ONCE:
                    self._steps = 0
                    await yield_to_loop()
                if piece:
                    return piece
            received = await self._receive()
            if not received:
                self._decoder.finish()
                return b""
            self._pending = self._decoder.feed(received)

    async def read_all(self, gauge: Gauge) -> bytes:
        """The whole of it.

        Raises:
            ResponseTooLargeError: *gauge* finds it too large.
        """
        # Unlike joined pieces it never holds the bytes twice.
        held = BytesIO()
        while piece := await self.read():
            gauge.add(len(piece))
            held.write(piece)
        return held.getvalue()

    async def pieces(self, most: int) -> AsyncIterator[bytes]:
        """The first *most* bytes of it, as they come."""
        while most > 0 and (piece := await self.read()):
            yield piece[:most]
            most -= len(piece)


@define(eq=False)
class Chunks:
    """The pieces of a body as *read* gives them, an empty one at the end.

    Raises:
        ResponseTooLargeError: *gauge* finds it too large.
        TimedOutError: it comes more slowly than *rate* allows; the consumer's time does not count.
    """

    _read: Callable[[], Awaitable[bytes]]
    _gauge: Gauge
    _rate: Rate

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        loop = asyncio.get_running_loop()
        began = loop.time()
        piece = await self._read()
        if not piece:
            raise StopAsyncIteration
        try:
            self._gauge.add(len(piece))
        except ResponseTooLargeError:
            piece = b""  # it may echo a token, and error reporters collect locals
            raise
        if not self._rate.add(len(piece), loop.time() - began):
            piece = b""
            reason = f"response too slow: expected at least {self._rate.least:g} bytes a second"
            raise TimedOutError(reason, self._gauge.method, self._gauge.url)
        return piece
