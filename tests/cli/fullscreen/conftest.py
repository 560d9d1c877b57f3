"""Open the full screen against a simulated GitLab in this process, without a terminal."""

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest
from attrs import frozen
from textual.app import ScreenStackError
from textual.events import Key, Resize
from textual.geometry import Size
from textual.pilot import Pilot

from gitlab_jobs_async import GitLab
from gitlab_jobs_async.cli.fullscreen import ConnectionState, Watched, make_app, show
from gitlab_jobs_async.cli.fullscreen.app import WatchApp
from gitlab_jobs_async.simulator import AcceleratedClock, Simulator
from tests.support.connections import open_connections
from tests.support.tasks import in_background, others, until

SPEED = 200.0
_NAMES = {"_": "underscore", " ": "space"}


@frozen
class Opened:
    """The open screen: press keys, and read what is shown."""

    app: WatchApp
    pilot: Pilot
    server: Simulator
    gitlab: GitLab

    async def press(self, *keys) -> None:
        """Press keys, and wait until their actions have run.

        The pilot's own `press` waits until the process is idle, up to a second for each key.
        """
        for key in keys:
            self.post(key)
            for _ in range(2):
                await self._settle()

    def post(self, *keys) -> None:
        """Press keys without waiting, as a terminal does that was typed into fast."""
        for key in keys:
            self.app.post_message(Key(_NAMES.get(key, key), key if len(key) == 1 else None))

    async def _settle(self) -> None:
        """Let the queues of the application, its screen and the focused widget run empty."""
        with suppress(ScreenStackError, TimeoutError):  # the key has closed the last screen
            for pump in (self.app, self.app.screen, self.app.focused or self.app.screen):
                passed = asyncio.Event()
                if pump.call_later(passed.set):
                    async with asyncio.timeout(1):
                        await passed.wait()

    @property
    def lines(self) -> list[str]:
        """The visible text, line by line."""
        screen = self.app.screen
        width, _ = screen.size
        strips = screen._compositor.render_strips()
        return [strip.crop(0, width).text.rstrip() for strip in strips]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    async def shows(self, *words: str) -> str:
        """Wait until all *words* are visible, and return the text."""

        try:
            async with asyncio.timeout(8):
                await until(lambda: all(word in self.text for word in words))
        except TimeoutError:
            pytest.fail(f"{words} are not all in:\n{self.text}")
        return self.text

    def resize(self, width, height) -> None:
        size = Size(width, height)
        self.app.post_message(Resize(size, size))

    @property
    def selected(self):
        return self.app.screen.row


@asynccontextmanager
async def opened(world, targets, *, clock, size=(100, 30), until_quit=False, **options):
    """Show *targets* of *world*, and check that nothing is left afterwards."""
    before = await others()
    ready = asyncio.Queue()

    async def drive(pilot):
        ready.put_nowait(pilot)

    connection = ConnectionState(clock)
    budget = options.pop("budget", None)
    faults = options.pop("faults", ())
    watched = Watched(**{"check": lambda _event: None} | options.pop("watched", {}))
    async with (
        Simulator(world, clock=clock) as server,
        GitLab(
            server.url, auth=server.token, clock=clock, hooks=connection.hooks, budget=budget
        ) as gitlab,
    ):
        for fault in faults:
            server.faults.add(fault)
        app = make_app(gitlab, connection, targets, watched, **options)
        shown = show(app, headless=True, size=size, auto_pilot=drive)
        async with in_background(shown) as task:
            pilot = await ready.get()
            yield Opened(app, pilot, server, gitlab)
            if until_quit:
                await task
        assert open_connections(gitlab) == 0
        assert app.session._tasks == set()
    assert await others() == before


@pytest.fixture(autouse=True)
def _brief_notices(monkeypatch):
    """Show the line below a notice soon."""
    monkeypatch.setattr("gitlab_jobs_async.cli.fullscreen.session._NOTICE_SECONDS", 1.0)


@pytest.fixture
def clock():
    return AcceleratedClock(SPEED)
