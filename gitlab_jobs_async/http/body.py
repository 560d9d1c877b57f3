"""Response bodies, decompressed as they arrive."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from io import BytesIO

import aiohttp
from attrs import define, field

from gitlab_jobs_async.clock import yield_to_loop
from gitlab_jobs_async.errors import ResponseTooLargeError, TimedOutError
from gitlab_jobs_async.http.body_limits import MinRate, SizeLimit
from gitlab_jobs_async.http.decompression import (
    Gzip,
    Identity,
    TruncatedBodyError,
    UnknownEncodingError,
    decoder_for,
)
from gitlab_jobs_async.http.observer import UNOBSERVED, RequestObserver

# Pieces that are decompressed before other tasks of the loop run.
_PIECES_PER_STEP = 4


@define(eq=False, repr=False)
class Body:
    """A response body; *receive* returns its pieces, and `b""` at the end.

    Raises:
        UnknownEncodingError: the encoding was not requested.
    """

    _receive: Callable[[], Awaitable[bytes]]
    _decoder: Identity | Gzip = field(converter=decoder_for)
    _pending: Iterator[bytes] = field(init=False, factory=lambda: iter(()))
    _steps: int = field(init=False, default=0)

    async def read(self) -> bytes:
        """Return the next piece, or `b""` at the end.

        Raises:
            TruncatedBodyError: the compressed data is invalid or incomplete.
        """
        while True:
            for piece in self._pending:
                self._steps += 1
                if self._steps > _PIECES_PER_STEP:
                    self._steps = 0
                    await yield_to_loop()
                if piece:
                    return piece
            received = await self._receive()
            if not received:
                self._decoder.finish()
                return b""
            self._pending = self._decoder.feed(received)

    async def read_all(self, size: SizeLimit) -> bytes:
        """Return the whole body.

        Raises:
            ResponseTooLargeError: it exceeds *size*.
        """
        # Unlike joined pieces, BytesIO never holds the bytes twice.
        body = BytesIO()
        while piece := await self.read():
            size.add(len(piece))
            body.write(piece)
        return body.getvalue()

    async def pieces(self, most: int) -> AsyncIterator[bytes]:
        """Yield the first *most* bytes as they arrive."""
        while most > 0 and (piece := await self.read()):
            yield piece[:most]
            most -= len(piece)


@define(eq=False, repr=False)
class Chunks:
    """Iterator over the pieces of a body.

    Raises:
        ResponseTooLargeError: the body exceeds the size limit.
        TimedOutError: it arrives more slowly than the minimum rate.
    """

    _read: Callable[[], Awaitable[bytes]]
    _size: SizeLimit
    _rate: MinRate
    _observer: RequestObserver = UNOBSERVED

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await self._next()
        except BaseException as error:
            self._observer.failed(error)
            self._observer.decided(None)
            raise
        if not piece:
            self._observer.finished()
            raise StopAsyncIteration
        return piece

    async def _next(self) -> bytes:
        loop = asyncio.get_running_loop()
        # Only the time of the server counts, not that of the consumer.
        began = loop.time()
        piece = await self._read()
        try:
            self._size.add(len(piece))
        except ResponseTooLargeError:
            piece = b""  # it may echo a token, and error reporters collect locals
            raise
        if piece and not self._rate.add(len(piece), loop.time() - began):
            piece = b""
            reason = f"response too slow: expected at least {self._rate.minimum:g} bytes a second"
            raise TimedOutError(reason, self._size.method, self._size.url)
        return piece


_log = logging.getLogger("gitlab_jobs_async")

# Bytes of an error's body that are read: enough for its message.
_LONGEST_ERROR = 64 * 1024


def body_of(raw: aiohttp.ClientResponse) -> Body:
    """Return the unread body of *raw*.

    Raises:
        UnknownEncodingError: its encoding was not requested.
    """
    encodings = raw.headers.getall("Content-Encoding", ())
    return Body(raw.content.readany, ",".join(encodings))


async def read_error_body(raw: aiohttp.ClientResponse, seconds: float) -> bytes:
    """Return the beginning of an error's body: what arrives within *seconds*."""
    # The status counts even if the body is lost.
    read = b""
    try:
        async with asyncio.timeout(seconds):
            async for piece in body_of(raw).pieces(_LONGEST_ERROR):
                read += piece
    except (aiohttp.ClientError, TimeoutError, TruncatedBodyError, UnknownEncodingError):
        _log.debug("body of an error is incomplete")
    return read
