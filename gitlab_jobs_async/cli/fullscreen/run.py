"""Open the full screen on the terminal, and leave nothing behind when it closes."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from gitlab_jobs_async.cli.errors import OK
from gitlab_jobs_async.cli.fullscreen.actions import Actions
from gitlab_jobs_async.cli.fullscreen.app import WatchApp
from gitlab_jobs_async.cli.fullscreen.connection import ConnectionState
from gitlab_jobs_async.cli.fullscreen.feed import Feed, Targets, Watched
from gitlab_jobs_async.cli.fullscreen.listings import Listings
from gitlab_jobs_async.cli.fullscreen.overview import Overview
from gitlab_jobs_async.cli.fullscreen.session import Session
from gitlab_jobs_async.cli.fullscreen.themes import THEMES
from gitlab_jobs_async.cli.log_capture import captured_warnings
from gitlab_jobs_async.cli.terminal import print_error
from gitlab_jobs_async.client import GitLab

_TICK: Final = 1.0
_REMOTE_TICK: Final = 5.0
_SIGNALS: Final = tuple(
    getattr(signal, name) for name in ("SIGTSTP", "SIGCONT", "SIGWINCH") if hasattr(signal, name)
)


def make_app(
    gitlab: GitLab,
    connection: ConnectionState,
    targets: Targets,
    watched: Watched,
    *,
    theme: str = "terminal",
    filter_text: str = "",
) -> WatchApp:
    """Return the application for *targets*, which `show` runs."""
    overview, clock = Overview(), connection.clock
    # An empty NO_COLOR counts as unset, but not for textual: https://no-color.org.
    if not os.environ.get("NO_COLOR"):
        os.environ.pop("NO_COLOR", None)

    def make_session(changed: Callable[[], None]) -> Session:
        def warn(words: str) -> None:
            # An outage has a line of its own, and each project would be another warning.
            if not connection.words():
                session.warn(words)

        source = (gitlab, clock, targets, watched, overview, changed, warn)
        feed, listings = Feed(*source), Listings(*source)
        title = urlsplit(gitlab.url).netloc
        actions = Actions(gitlab)
        session = Session(
            gitlab, clock, overview, connection, title, feed, listings, actions, changed
        )
        return session

    # A dozen running jobs are 2.5 kB a tick, which may not be much less than a line carries.
    tick = _REMOTE_TICK if os.environ.get("SSH_CONNECTION") else _TICK
    return WatchApp(make_session, theme=THEMES[theme], filter_text=filter_text, tick=tick)


async def show(app: WatchApp, **options: Any) -> int:
    """Run *app* until the user quits; return the exit code: 130 after Ctrl-C, else 0.

    *options* are those of textual's `run_async`.

    Raises:
        GitLabError, CommandError: the watch cannot continue.
    """
    loop = asyncio.get_running_loop()
    factory = loop.get_task_factory()
    session = app.session
    with _restored_signals(), captured_warnings(session.warn):
        # Textual swallows a cancellation: it must reach this call, not the application.
        running = asyncio.create_task(app.run_async(**options))
        try:
            await asyncio.shield(running)
        finally:
            if not running.done():
                app.let_go()
                app.exit()
                await _ended(running)
            await session.close()
            loop.set_task_factory(factory)
            # They were on the screen for some seconds only.
            for message in reversed(session.messages.newest[: session.messages.unread]):
                print_error(message.words)
    if app.failure is not None:
        raise app.failure
    return app.return_value or OK


@contextmanager
def _restored_signals() -> Iterator[None]:
    """Restore the handlers that textual replaces."""
    saved = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in saved.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)


async def _ended(task: asyncio.Task[int | None]) -> None:
    """Wait for the end of *task*, even if the caller is cancelled again."""
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            continue
