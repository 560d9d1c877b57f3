"""A GitLab of canned answers in a process of its own, cheap enough not to be what is measured.

Each job's JSON is written once, so a page is a join of a hundred pieces of bytes. It knows
`GET /projects/:id/jobs` by keyset: any cursor of GitLab's form is answered, `Link` names the next
page alone and is absent on the last; by offset it names the first page alone. As today's GitLab it
answers 500 where a cursor leads to no row, and names the pages before and after by cursor headers;
an older one answers a forward cursor with no rows and has no such headers.

A client that accepts gzip gets it, at the level of the nginx that comes with GitLab. Each page is
compressed once, usually in the round that warms up.
"""

import asyncio
import ctypes
import gzip
import multiprocessing
import random
from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit

import orjson

from benchmarks.full_page import job

Ids = Mapping[int, Sequence[int]]
"""The ids of each project's jobs, rising."""

_HEAD = (
    "HTTP/1.1 {status}\r\nServer: nginx\r\nDate: Sat, 01 Aug 2026 10:00:00 GMT\r\n"
    "Content-Type: application/json\r\nContent-Length: {length}\r\nConnection: keep-alive\r\n"
    "{encoding}"
    "Vary: Accept-Encoding, Origin\r\nCache-Control: max-age=0, private, must-revalidate\r\n"
    'Etag: W/"0123456789abcdef0123456789abcdef"\r\n{link}'
    "X-Content-Type-Options: nosniff\r\nX-Frame-Options: SAMEORIGIN\r\n"
    "X-Request-Id: 01J0000000000000000000000\r\nX-Runtime: 0.023456\r\n"
    "Strict-Transport-Security: max-age=63072000\r\n"
    "Referrer-Policy: strict-origin-when-cross-origin\r\n\r\n"
)
_LINK = (
    "Link: <{origin}{path}?cursor={cursor}&id={project}&order_by=id&page=1"
    '&pagination=keyset&per_page={per_page}&sort=desc>; rel="next"\r\n'
)
_GZIP_LEVEL = 2
_PREVIOUS = "X-PREV-CURSOR: eyJpZCI6IjEwMDAwMDAwMDAwMCIsIl9rZCI6InAifQ==\r\n"
_FIRST = 'Link: <https://gitlab.example.com/api/v4/jobs?page=1>; rel="first"\r\n'


class _NoRowError(Exception):
    """A cursor leads to no row."""


def dealt(projects: int, each: int) -> Ids:
    """Jobs of several projects as one server numbers them: in turn."""
    return {1 + p: range(1 + p, 1 + p + projects * each, projects) for p in range(projects)}


class _Shared(ctypes.Structure):
    """Memory of both processes: the client's settings, and the server's counts."""

    _fields_ = (
        ("latency", ctypes.c_double),
        ("jitter", ctypes.c_double),
        ("is_older", ctypes.c_bool),
        ("served", ctypes.c_int),
        ("failed", ctypes.c_int),
    )


class CannedServer:
    """The process as its clients see it; `url` has no /api/v4."""

    def __init__(self, url: str, shared: Any) -> None:
        self.url = url
        self._shared = shared
        self._counted = 0
        self._failed = 0

    def play(self, *, older: bool) -> None:
        """From now on be an *older* server, or today's."""
        self._shared.is_older = older

    def failures(self) -> int:
        """Return the number of answers of 500 since the last call."""
        before, self._failed = self._failed, self._shared.failed
        return self._failed - before

    def delay(self, latency: float, jitter: float = 0.0) -> None:
        """From now on wait *latency* seconds before each answer, and up to *jitter* more."""
        self._shared.latency, self._shared.jitter = latency, jitter

    def count(self) -> int:
        """Return the number of requests since the last call."""
        before, self._counted = self._counted, self._shared.served
        return self._counted - before


@contextmanager
def serving(projects: Ids, *, slim: bool = False) -> Iterator[CannedServer]:
    """Serve these jobs while the block lasts: as full as GitLab's, or *slim*."""
    processes = multiprocessing.get_context("spawn")
    shared = processes.Value(_Shared, lock=False)
    ours, its = processes.Pipe()
    process = processes.Process(
        target=_run, args=(its, shared, projects), kwargs={"slim": slim}, daemon=True
    )
    process.start()
    try:
        its.close()
        yield CannedServer(ours.recv(), shared)
    finally:
        process.terminate()
        process.join()


def _run(ready: Connection, shared: Any, projects: Ids, *, slim: bool) -> None:
    rows = {project: _Rows(ids, slim=slim) for project, ids in projects.items()}
    asyncio.run(_serve(ready, shared, rows))


async def _serve(ready: Connection, shared: Any, rows: "dict[int, _Rows]") -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(shared, rows), "127.0.0.1", backlog=512)
    host, port = server.sockets[0].getsockname()
    ready.send(f"http://{host}:{port}")
    await server.serve_forever()


class _Rows:
    """The jobs of one project, each written once."""

    def __init__(self, ids: Sequence[int], *, slim: bool) -> None:
        self.ids = ids
        numbered = enumerate(ids)
        self.written = [orjson.dumps(_slim(i) if slim else job(n, i)) for n, i in numbered]
        self._compressed: dict[tuple[int, int], bytes] = {}

    def offset_page(self, first: int, per_page: int, *, zipped: bool) -> bytes:
        """Return the rows from the one at *first* on, the newest being the first of all."""
        stop = max(0, len(self.ids) - first)
        return self._body(max(0, stop - per_page), stop, zipped=zipped)

    def _body(self, start: int, stop: int, *, zipped: bool) -> bytes:
        found = self._compressed.get((start, stop)) if zipped else None
        if found is not None:
            return found
        body = b"[" + b",".join(self.written[start:stop][::-1]) + b"]"
        if zipped:
            body = self._compressed[start, stop] = gzip.compress(body, _GZIP_LEVEL, mtime=0)
        return body

    def page(
        self, number: int | None, per_page: int, *, is_backward: bool, zipped: bool
    ) -> tuple[bytes, int | None]:
        """Return the newest rows under *number*, or those above it, and the last id if more follow.

        Raises:
            _NoRowError: there are none.
        """
        if is_backward:
            start = 0 if number is None else bisect_left(self.ids, number + 1)
            stop = min(len(self.ids), start + per_page)
        else:
            stop = len(self.ids) if number is None else bisect_left(self.ids, number)
            start = max(0, stop - per_page)
        if start == stop and number is not None:
            raise _NoRowError
        body = self._body(start, stop, zipped=zipped)
        is_more = number is not None if is_backward else start > 0
        return body, self.ids[start] if is_more else None


def _slim(job_id: int) -> dict[str, Any]:
    return {"id": job_id, "status": "success", "stage": "test", "name": "unit", "ref": "main"}


class _Connection(asyncio.Protocol):
    """One keep-alive connection; a client sends its next request after the answer."""

    def __init__(self, shared: Any, rows: dict[int, _Rows]) -> None:
        self._shared, self._rows = shared, rows
        self._transport: Any = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where to answer."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer once the head is whole; a GET has no body."""
        self._received += data
        head, found, rest = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        self._received = rest
        self._shared.served += 1
        wait = self._shared.latency + self._shared.jitter * random.random()
        if wait:
            loop = asyncio.get_running_loop()
            loop.call_later(wait, self._answer, head)
        else:
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        lines = (line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
        fields = {name.lower(): value for name, value in lines}
        origin = f"http://{fields['host']}"
        zipped = "gzip" in fields.get("accept-encoding", "")
        target = urlsplit(head.split(b" ", 2)[1].decode())
        encoding = "Content-Encoding: gzip\r\n" if zipped else ""
        try:
            status, body, link = "200 OK", *self._page(target, origin, zipped=zipped)
        except (KeyError, TypeError, ValueError):
            status, body, link = "400 Bad Request", b'{"error":"cursor is invalid"}', ""
            encoding = ""
        except _NoRowError:
            status, body, link, encoding = "200 OK", b"[]", "", ""
            if not self._shared.is_older:
                self._shared.failed += 1
                status, body = (
                    "500 Internal Server Error",
                    b'{"message":"500 Internal Server Error"}',
                )
        written = _HEAD.format(status=status, length=len(body), link=link, encoding=encoding)
        self._transport.writelines([written.encode(), body])

    def _page(self, target: SplitResult, origin: str, *, zipped: bool) -> tuple[bytes, str]:
        path = target.path
        params = {name: values[-1] for name, values in parse_qs(target.query).items()}
        project, per_page = int(path.split("/")[4]), int(params["per_page"])
        if params.get("pagination") != "keyset":
            start = (int(params.get("page", 1)) - 1) * per_page
            return self._rows[project].offset_page(start, per_page, zipped=zipped), _FIRST
        number, is_backward = _read(params["cursor"]) if "cursor" in params else (None, False)
        body, last = self._rows[project].page(
            number, per_page, is_backward=is_backward, zipped=zipped
        )
        heads = "" if self._shared.is_older or "cursor" not in params else _PREVIOUS
        if last is None:
            return body, heads
        shown = {"origin": origin, "path": path, "project": project, "per_page": per_page}
        if not self._shared.is_older:
            heads += f"X-NEXT-CURSOR: {_written(last)}\r\n"
        return body, heads + _LINK.format(cursor=_written(last), **shown)


def _written(job_id: int) -> str:
    return urlsafe_b64encode(orjson.dumps({"id": str(job_id), "_kd": "n"})).decode()


def _read(cursor: str) -> tuple[int | None, bool]:
    """Return the id, and whether the rows above it are wanted."""
    value = orjson.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    number = int(value["id"]) if "id" in value else None
    return number, value["_kd"] == "p"
