"""Connections on the loopback that can be cut, as a network that is lost and comes back."""

import asyncio
from asyncio import StreamReader, StreamWriter
from contextlib import suppress
from socket import SO_LINGER, SOL_SOCKET
from struct import pack
from typing import Self

_PIECE = 64 * 1024
_NO_LINGER = pack("ii", 1, 0)


class CutProxy:
    """Forward connections to a port of the loopback.

    While it is cut, nothing arrives in either direction, and neither end is notified. Afterwards
    the connections of before are reset, as by a firewall that has forgotten them.
    """

    def __init__(self, to: int) -> None:
        self.port = 0
        self._to = to
        self._is_cut = False
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End all connections."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._reset()

    def cut(self) -> None:
        """Lose all bytes from now on."""
        self._is_cut = True

    def heal(self) -> None:
        """Forward new connections again."""
        self._is_cut = False
        self._reset()

    def _reset(self) -> None:
        for writer in self._writers:
            # Without a linger time, an abort is an end like any other.
            with suppress(OSError):  # it has just ended
                writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, _NO_LINGER)
            writer.transport.abort()
        self._writers.clear()

    async def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        ends = [writer]
        self._writers.add(writer)
        try:
            if self._is_cut:
                await reader.read()  # until it gives up, or is reset
                return
            there, back = await asyncio.open_connection("127.0.0.1", self._to)
            ends.append(back)
            self._writers.add(back)
            await asyncio.gather(self._forward(reader, back), self._forward(there, writer))
        except (OSError, asyncio.CancelledError):
            pass  # one side refuses, has failed or is reset: so does the other
        finally:
            if not self._is_cut:
                for end in ends:
                    self._writers.discard(end)
                    end.close()

    async def _forward(self, reader: StreamReader, writer: StreamWriter) -> None:
        while piece := await reader.read(_PIECE):
            if not self._is_cut:
                writer.write(piece)
                await writer.drain()
        if not self._is_cut and writer.can_write_eof():
            writer.write_eof()
