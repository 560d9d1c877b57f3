"""Define the store of monitors, budgets and consumers, for one process or for many."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from gitlab_jobs_async.clock import Clock, SystemClock
from gitlab_jobs_async.store.grant_values import GrantRequest, Grants, LastAnswer, Refusal
from gitlab_jobs_async.store.values import Batch, Content, Lease, Shard, StoredEvent, Unread


class Store(ABC):
    """Where monitors record states and events, share a request budget, and consumers read.

    Any number of processes may use one store. What a monitor records is fenced by a lease: only its
    present owner can write. All times are in seconds of the store's own clock. A call has taken
    effect once it returns; one that raises has changed nothing, except where the store does not
    answer: then it may have. The data of states and events are bytes that only the SDK reads.

    Subclass it to use another database: every call is one atomic transaction. The tests of
    `SqliteStore` run over any subclass. Every call raises a `StoreError` if the store is unusable,
    and a `StoreAwayError` if it does not answer.
    """

    clock: Clock = SystemClock()
    lease_seconds: float = 10.0
    """Seconds after which the lease of a process that does not answer goes to another one."""

    poll_seconds: float = 1.0
    """Seconds between two checks of leases and webhooks."""

    is_fast: bool = False
    """Whether a write takes microseconds: then an event is acknowledged before the next is emitted,
    and else together with those that follow."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The store in errors, without credentials."""

    @abstractmethod
    async def open(self, server: str | None = None) -> None:
        """Connect, and create what is missing; *server* is the URL of the GitLab it is about.

        Raises:
            StoreError: it is unusable, or about another GitLab.
        """

    @abstractmethod
    async def close(self) -> None:
        """Disconnect; do nothing if the store is not open. Leases that are held expire."""

    @abstractmethod
    async def server(self) -> str | None:
        """Return the URL of the GitLab that the store is about, None if none is known."""

    @abstractmethod
    async def claim(self, name: str, owner: str, seconds: float) -> Lease | None:
        """Take or renew the lease *name* for *seconds*; return None while another owner has it."""

    @abstractmethod
    async def release(self, lease: Lease) -> None:
        """Give up *lease*, so that another owner may take it at once."""

    @abstractmethod
    async def load(self, lease: Lease, shard: Shard) -> Content:
        """Return the states and log offsets that were recorded for *shard*.

        It may take several transactions, since only the owner of *lease* changes them.

        Raises:
            FencedError: the lease has another owner.
        """

    @abstractmethod
    async def pending(
        self, lease: Lease, shard: Shard, after: int, limit: int
    ) -> Sequence[StoredEvent]:
        """Return the next pending events of *shard* after the place *after*, at most *limit*.

        Raises:
            FencedError: the lease has another owner.
        """

    @abstractmethod
    async def record(self, lease: Lease, batch: Batch) -> None:
        """Write *batch*. An event whose key is recorded already is skipped.

        Raises:
            FencedError: the lease has another owner, or the store was set back.
        """

    @abstractmethod
    async def join(self, group: str) -> None:
        """Register a consumer group, which begins with the oldest event that is kept."""

    @abstractmethod
    async def leave(self, group: str) -> bool:
        """Forget a consumer group; return whether it was registered."""

    @abstractmethod
    async def read(self, group: str, after: int, limit: int) -> Unread:
        """Return the group's next events after the place *after*, at most *limit* of them."""

    @abstractmethod
    async def acknowledge(self, lease: Lease, group: str, place: int, missed: int = 0) -> None:
        """Note that the group has processed the events up to *place*, and has heard of *missed*.

        Raises:
            FencedError: the lease has another owner.
        """

    @abstractmethod
    async def prune(self, seconds: float) -> int:
        """Delete events that all groups have processed, and all older than *seconds*.

        A call may leave some for the next one, so that others need not wait for long. Return how
        many of them a group had not processed; `read` tells the group.
        """

    @abstractmethod
    async def grant(self, requests: Sequence[GrantRequest], last: LastAnswer | None) -> Grants:
        """Grant requests to GitLab, over all processes never more than allowed in any minute.

        *last* is the answer that this process has got before. It shows a store that has lost its
        memory, which grants nothing for a minute, and how much time has passed: if the store's
        clock is set forward, nothing may expire earlier; if it is set back, at most a minute later.
        """

    @abstractmethod
    async def refuse(self, refusal: Refusal) -> None:
        """Share a pause that GitLab has asked for."""

    @abstractmethod
    async def resume(self, kind: str) -> None:
        """Share that GitLab accepts requests of *kind* again."""

    @abstractmethod
    async def send_hook(self, hook: bytes) -> None:
        """Forward a webhook to the process that monitors its project."""

    @abstractmethod
    async def hooks(self, after: int | None) -> tuple[int, list[bytes]]:
        """Return the last place, and the webhooks forwarded after the place *after*.

        Without *after* only the place is returned.
        """

    @abstractmethod
    async def owners(self, prefix: str) -> list[str]:
        """Return the names of leases that start with *prefix* and are held."""

    async def sleep(self, seconds: float) -> None:
        """Wait *seconds* of the store's clock."""
        await self.clock.sleep(seconds)

    async def wait_for_hook(self) -> None:
        """Return soon after a webhook was forwarded, at the latest after `poll_seconds`."""
        await self.sleep(self.poll_seconds)

    @abstractmethod
    async def wait_for_change(self, seconds: float) -> None:
        """Return soon after something was written, and at the latest after *seconds*."""
