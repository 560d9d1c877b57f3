"""Pass webhooks on to the process that monitors their targets."""

import asyncio
from contextlib import suppress

from attrs import define, field

from gitlab_jobs_async.errors import StoreAwayError
from gitlab_jobs_async.monitor.checkpoint.serialization import dumps, loads
from gitlab_jobs_async.monitor.target_index import HookTarget
from gitlab_jobs_async.store.protocol import Store

_MOST_HOOKS = 100
"""Webhooks that are passed on between two checks of leases; further ones are dropped."""


@define(eq=False, repr=False)
class HookRelay:
    """Webhooks on their way through a store: a hint only, which may be lost.

    One is *added* until it is sent.
    """

    added: asyncio.Event = field(factory=asyncio.Event, init=False)

    _unsent: set[HookTarget] = field(factory=set[HookTarget], init=False)
    _place: int | None = field(default=None, init=False)

    async def open(self, store: Store) -> None:
        """Receive what is sent from now on.

        Raises:
            StoreError: the store is unusable.
        """
        self._place, _ = await store.hooks(None)

    def add(self, hook: HookTarget) -> None:
        """Send *hook* soon."""
        # Many of them must not keep leases from being renewed.
        if len(self._unsent) < _MOST_HOOKS:
            self._unsent.add(hook)
            self.added.set()

    async def send(self, store: Store) -> None:
        """Send what was added, unless the store is away.

        Raises:
            StoreError: the store is unusable.
        """
        self.added.clear()
        with suppress(StoreAwayError):
            for hook in list(self._unsent):
                await store.send_hook(dumps(hook))
                self._unsent.discard(hook)

    async def received(self, store: Store) -> list[HookTarget]:
        """Return what other processes have sent since the last call.

        Raises:
            StoreError: the store is unusable.
        """
        hooks: list[HookTarget] = []
        with suppress(StoreAwayError):
            self._place, sent = await store.hooks(self._place)
            for data in sent:
                with suppress(ValueError):
                    hooks.append(loads(data, HookTarget))
        return hooks
