"""The state that all screens share: the data, the last notice, the running tasks."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Final

from attrs import define, field
from rich.text import Text

from gitlab_jobs_async.cli.cleaning import clean
from gitlab_jobs_async.cli.errors import error_line
from gitlab_jobs_async.cli.fullscreen.actions import Actions
from gitlab_jobs_async.cli.fullscreen.connection import ConnectionState
from gitlab_jobs_async.cli.fullscreen.feed import Feed
from gitlab_jobs_async.cli.fullscreen.listings import Listings
from gitlab_jobs_async.cli.fullscreen.messages import Messages
from gitlab_jobs_async.cli.fullscreen.overview import Overview
from gitlab_jobs_async.cli.views.events import short_reason
from gitlab_jobs_async.client import GitLab
from gitlab_jobs_async.clock import Clock
from gitlab_jobs_async.concurrency import cancel_and_wait

_NOTICE_SECONDS: Final = 8.0


@define(eq=False, repr=False)
class Session:
    """The data of the screens.

    Attributes:
        gitlab: the client.
        clock: the client's clock.
        overview: projects, pipelines and jobs.
        connection: whether the server answers.
        title: the server and the targets, for the header.
        feed: the source of the data.
        listings: what the feed does not have.
        actions: the calls of the keys.
        changed: draws the screen soon.
        messages: warnings and errors, to be read later.
    """

    gitlab: GitLab
    clock: Clock
    overview: Overview
    connection: ConnectionState
    title: str
    feed: Feed
    listings: Listings
    actions: Actions
    changed: Callable[[], None]
    messages: Messages = field(factory=Messages, init=False)
    _notice: Text | None = None
    _noticed_at: float = 0.0
    _tasks: set[asyncio.Task[None]] = field(factory=set)

    def now(self) -> float:
        """Return the time of the client's clock."""
        return self.clock.now()

    def say(self, words: str, *, is_error: bool = False) -> None:
        """Show a sentence in the status line for some seconds."""
        self._notify(words, "bold red" if is_error else "bold")

    def warn(self, words: str) -> None:
        """Show a warning for some seconds, and keep it until it is read."""
        self.messages.add(clean(words), datetime.now(UTC))
        self._notify(words, "bold yellow")

    def _notify(self, words: str, style: str) -> None:
        self._notice = Text(clean(words), style)
        self._noticed_at = monotonic()
        self.changed()

    @property
    def notice(self) -> Text | None:
        """The sentence to show, or None."""
        is_recent = monotonic() - self._noticed_at < _NOTICE_SECONDS
        return self._notice if is_recent else None

    def start(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run *coroutine* beside the screens; an error becomes a notice."""
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def close(self) -> None:
        """End all tasks."""
        await cancel_and_wait(list(self._tasks))

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.say(short_reason(error_line(error)), is_error=True)
