"""The stores of the benchmark `replicas`, and how each of them goes away for a while."""

import asyncio
import socket
import sqlite3
from pathlib import Path
from typing import Protocol

from benchmarks.cut_proxy import CutProxy
from tests.support.postgres import PostgresServer

_POLL = 0.1


class Engine(Protocol):
    """A new store: its *address*, and the kinds of *outages* that it may have."""

    address: str
    outages: tuple[str, ...]

    def proxy(self) -> CutProxy | None:
        """Return a new proxy to the store, None for a file."""

    def through(self, proxy: CutProxy | None) -> str:
        """Return the address of the store by way of *proxy*."""

    async def go_away(self, kind: str, seconds: float) -> None:
        """Have an outage of *kind*; return when the store answers again."""

    def close(self) -> None:
        """End the store."""


class SqliteEngine:
    """A file below *folder*; another process keeps it locked now and then."""

    outages = ("locked for a moment", "locked for long")

    def __init__(self, folder: Path) -> None:
        self.address = str(folder / "ci.db")

    def proxy(self) -> None:
        """Return None: the store is a file."""

    def through(self, _proxy: CutProxy | None) -> str:
        """Return the path of the file."""
        return self.address

    async def go_away(self, kind: str, seconds: float) -> None:
        """Lock the file, for long or for less time than others wait for it."""
        connection = sqlite3.connect(self.address, timeout=5, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            await asyncio.sleep(seconds if kind == self.outages[1] else min(seconds, 2.0))
            connection.execute("ROLLBACK")
        finally:
            connection.close()

    def close(self) -> None:
        """Do nothing: the folder is deleted."""


class PostgresEngine:
    """A server of its own, which crashes or freezes now and then."""

    outages = ("crash", "freeze")

    def __init__(self, _folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._server = PostgresServer(port=self._port)
        self.address = self._server.url
        try:
            self._server.start()
            self._server.wait()
        except BaseException:
            self.close()
            raise

    def proxy(self) -> CutProxy:
        """Return a proxy to the port of the server."""
        return CutProxy(self._port)

    def through(self, proxy: CutProxy | None) -> str:
        """Return the URL of the database by way of *proxy*."""
        port = self._port if proxy is None else proxy.port
        return f"postgresql://postgres@127.0.0.1:{port}/postgres"

    async def go_away(self, kind: str, seconds: float) -> None:
        """End all processes of the server, or stop them."""
        if kind == "freeze":
            self._server.freeze()
            try:
                await asyncio.sleep(seconds)
            finally:
                self._server.thaw()
        else:
            await asyncio.to_thread(self._server.crash)
            await asyncio.sleep(seconds)
            self._server.start()
            await asyncio.to_thread(self._server.wait)

    def close(self) -> None:
        """End the server, and delete its data."""
        self._server.close()


ENGINES: dict[str, type[SqliteEngine] | type[PostgresEngine]] = {
    "sqlite": SqliteEngine,
    "postgres": PostgresEngine,
}
