"""A world behind a real HTTP server.

It reads a request, settles the world, calls the pure API, plays faults and records the request.
"""

import contextlib
import itertools
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from email.utils import formatdate
from types import TracebackType
from typing import Final, Self
from urllib.parse import parse_qsl

from aiohttp import web
from attrs import field, frozen

from gitlab_jobs_async.simulator.api.answers import Answer
from gitlab_jobs_async.simulator.api.application import Application
from gitlab_jobs_async.simulator.api.artifacts import stored_object
from gitlab_jobs_async.simulator.api.calls import Request
from gitlab_jobs_async.simulator.background import Background
from gitlab_jobs_async.simulator.clocks import Clock, RealClock
from gitlab_jobs_async.simulator.fault_effects import (
    cut_size,
    end_response,
    reset_connection,
    scripted_answer,
    split_pieces,
)
from gitlab_jobs_async.simulator.faults import Fault, Faults
from gitlab_jobs_async.simulator.handling import Handling
from gitlab_jobs_async.simulator.scenarios import default_world
from gitlab_jobs_async.simulator.settings import SimulatorSettings
from gitlab_jobs_async.simulator.world import World

_AT_ONCE: Final = 256 * 1024
_NO_FAULT: Final = Fault()


@frozen
class ServedRequest:
    """A served request. `sent`: bytes of the body that were sent; `at`: clock seconds."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    status: int
    sent: int
    at: float


class Simulator:
    """A GitLab on a port of the loopback during the block.

    `async with` serves it from the running loop, plain `with` from a thread of its own. Without a
    `world` it serves `default_world`. After entering: `url` (without /api/v4), `token` of an
    administrator, `world`, `clock`, `faults`, `requests`; and for artifacts `storage_url` and
    `storage_requests` of the object storage. `simulator.faults = Faults(seed)` sets another seed
    for random faults.
    """

    def __init__(
        self,
        world: World | None = None,
        settings: SimulatorSettings | None = None,
        clock: Clock | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.clock: Clock = clock or RealClock()
        self.settings = settings or SimulatorSettings()
        self.faults = Faults()
        self.requests: list[ServedRequest] = []
        self.storage_requests: list[ServedRequest] = []
        self.url = ""
        self.storage_url = ""
        self._world = world or default_world(self.clock.now())
        self._world.registry.status_delay = self.settings.pipeline_status_delay
        self._world.registry.knows_canceling = self.settings.features.canceling
        self._address = (host, port)
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()
        self._stack = contextlib.AsyncExitStack()
        self._thread: Background | None = None
        self._application: Application | None = None

    @property
    def token(self) -> str:
        """A private token of the world's administrator."""
        return self._world.token

    @property
    def world(self) -> World:
        """The world, settled up to the clock's time."""
        with self._lock:
            self._world.settle(self.clock.now())
            return self._world

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            host, port = self._address
            self.url = await stack.enter_async_context(_listening(self._serve, host, port))
            self.storage_url = await stack.enter_async_context(
                _listening(self._serve_storage, host, 0)
            )
            self._application = Application(self._world, self.settings, self.url, self.storage_url)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    def __enter__(self) -> Self:
        self._thread = Background(self)
        self._thread.begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._thread is not None:
            self._thread.finish()

    async def _serve(self, incoming: web.BaseRequest) -> web.StreamResponse:
        return await self._play(incoming, self._answer, self.requests)

    async def _serve_storage(self, incoming: web.BaseRequest) -> web.StreamResponse:
        return await self._play(incoming, self._stored, self.storage_requests)

    async def _play(
        self,
        incoming: web.BaseRequest,
        handle: Callable[[Request, Fault], Answer],
        records: list[ServedRequest],
    ) -> web.StreamResponse:
        try:
            request = await _read(incoming)
        except ConnectionResetError:  # the client disconnected while sending
            return web.Response()
        decision = self.faults.decide(request.method, request.path)
        if decision.delay:
            await self.clock.sleep(decision.delay)
        fault = decision.fault or _NO_FAULT
        answer = Answer(0)
        # The other resets happen after the request had its effect.
        if fault.reset != "before":
            if fault.status is None:
                answer = handle(request, fault)
            else:
                answer = scripted_answer(fault, fault.status, self.clock.now())
            if answer.delay:
                await self.clock.sleep(answer.delay)
        if fault.reset in {"before", "unanswered"}:
            self._keep(records, request, answer.status, 0)
            reset_connection(incoming)
            return web.Response()
        try:
            return await self._send(incoming, request, answer, fault, records)
        except ConnectionResetError:  # the client disconnected while receiving
            return web.Response()

    def _answer(self, request: Request, fault: Fault) -> Answer:
        if self._application is None:
            raise RuntimeError("the simulator is not running")
        with self._lock:
            now = self.clock.now()
            self._world.settle(now)
            return self._application.answer(request, now, behind=fault.behind, edit=fault.edit)

    def _stored(self, request: Request, _fault: Fault) -> Answer:
        return stored_object(self.world, request, ranges=self.settings.storage_ranges)

    def _keep(self, records: list[ServedRequest], request: Request, status: int, sent: int) -> None:
        records.append(
            ServedRequest(
                request.method,
                request.path,
                list(request.query),
                request.headers,
                request.body,
                status,
                sent,
                self.clock.now(),
            )
        )
        limit = self.settings.kept_requests
        if limit is not None:
            del records[: max(0, len(records) - limit)]

    async def _send(
        self,
        incoming: web.BaseRequest,
        request: Request,
        answer: Answer,
        fault: Fault,
        records: list[ServedRequest],
    ) -> web.StreamResponse:
        size = 0 if request.method == "HEAD" or answer.status in {204, 304} else answer.body.size
        headers = [
            *answer.headers,
            ("Date", formatdate(self.clock.now(), usegmt=True)),
            ("Server", "nginx"),
            ("X-Request-Id", f"01SIM{next(self._numbers):021d}"),
            ("X-Runtime", "0.023456"),
        ]
        # A small body is sent in one write, which is cheaper.
        if fault is _NO_FAULT and size <= _AT_ONCE and request.method != "HEAD":
            self._keep(records, request, answer.status, size)
            content = b"".join(answer.body.pieces()) if size else b""
            return web.Response(status=answer.status, headers=headers, body=content)
        response = web.StreamResponse(status=answer.status, headers=headers)
        if answer.status not in {204, 304}:
            response.content_length = answer.body.size
        await response.prepare(incoming)
        limit = cut_size(fault, size)
        for sent, piece in split_pieces(answer.body.pieces(), limit, fault.drip):
            # Recorded before the last write, so that a client that has it all finds the record.
            if sent + len(piece) == limit:
                self._keep(records, request, answer.status, limit)
            await response.write(piece)
            if fault.drip:
                await self.clock.sleep(1.0)
        if not limit:
            self._keep(records, request, answer.status, 0)
        await end_response(incoming, response, fault.reset)
        return response


async def _read(incoming: web.BaseRequest) -> Request:
    path, _, query = incoming.raw_path.partition("?")
    return Request(
        incoming.method,
        path,
        tuple(parse_qsl(query, keep_blank_values=True, errors="surrogateescape")),
        {name.lower(): value for name, value in incoming.headers.items()},
        await incoming.read(),
    )


@contextlib.asynccontextmanager
async def _listening(
    handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], host: str, port: int
) -> AsyncIterator[str]:
    listener = socket.create_server((host, port), backlog=1024)
    handling = Handling(handler)
    runner = web.ServerRunner(web.Server(handling, access_log=None), shutdown_timeout=0.1)
    try:
        await runner.setup()
        await web.SockSite(runner, listener, backlog=1024).start()
        yield f"http://{host}:{listener.getsockname()[1]}"
    finally:
        await handling.end()
        await runner.cleanup()
        listener.close()
