"""Open the full screen against a simulated GitLab in this process, without a terminal."""

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest
from attrs import frozen
from textual.app import ScreenStackError
from textual.pilot import Pilot

from gitlab_jobs_async import GitLab
from gitlab_jobs_async.cli.fullscreen import ConnectionState, Watched, make_app, show
from gitlab_jobs_async.cli.fullscreen.app import WatchApp
from gitlab_jobs_async.simulator import AcceleratedClock, Simulator
from tests.support.connections import open_connections
from tests.support.tasks import in_background, others, until

SPEED = 200.0


@frozen
class Opened:
    """The open screen: press keys, and read what is shown."""

    app: WatchApp
    pilot: Pilot
    server: Simulator
    gitlab: GitLab

    async def press(self, *keys) -> None:
        with suppress(ScreenStackError):  # the key has closed the last screen
            await self.pilot.press(*keys)
            await self.pilot.pause()

    @property
    def lines(self) -> list[str]:
        """The visible text, line by line."""
        screen = self.app.screen
        width, height = screen.size
        strips = screen._compositor.render_strips()
        assert len(strips) == height
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
    watched = Watched(**{"check": lambda _event: None} | options.pop("watched", {}))
    async with (
        Simulator(world, clock=clock) as server,
        GitLab(server.url, auth=server.token, clock=clock, hooks=connection.hooks) as gitlab,
    ):
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


@pytest.fixture
def clock():
    return AcceleratedClock(SPEED)
