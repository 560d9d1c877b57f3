"""Keep a store in memory."""

from typing import TypeVar

from gitlab_jobs_async.clock import Clock, SystemClock
from gitlab_jobs_async.errors import FencedError
from gitlab_jobs_async.store.sql_store import SqlStore
from gitlab_jobs_async.store.sqlite_file import connect, create_tables
from gitlab_jobs_async.store.sqlite_transactions import run_transaction
from gitlab_jobs_async.store.steps import NotOwnerError, Transaction

T = TypeVar("T")

_POLL_SECONDS = 0.2
"""Seconds between two questions whether another user has written."""


class MemoryStore(SqlStore):
    """A store that lasts as long as this object, for monitors of one process."""

    is_fast = True
    is_steady = True

    def __init__(self, *, clock: Clock | None = None) -> None:
        super().__init__()
        self.clock = clock or SystemClock()
        self._connection = connect(":memory:")
        create_tables(self._connection)

    @property
    def name(self) -> str:
        """The store in errors."""
        return "in memory"

    async def _open(self) -> None:
        """Keep what was recorded before."""

    async def _close(self) -> None:
        """Keep the content."""

    async def wait_for_change(self, seconds: float) -> None:
        """Return soon after something was written, at the latest after *seconds*."""
        before = self._connection.total_changes
        until = self.clock.now() + seconds
        while (left := until - self.clock.now()) > 0:
            await self.clock.sleep(min(_POLL_SECONDS, left))
            if self._connection.total_changes != before:
                return

    async def _run(self, transaction: Transaction[T]) -> T:
        try:
            return run_transaction(self._connection, transaction, self.clock)
        except NotOwnerError:
            raise FencedError(self.name, "the lease has another owner") from None
