"""Tokens of a simulated server that are revoked and replaced."""

import asyncio

from gitlab_jobs_async.simulator import Simulator


class Rotation:
    """Issues tokens of the administrator, and counts how often `current` was called."""

    def __init__(self, simulator: Simulator) -> None:
        self._world = simulator.world
        self._tokens = []
        self.calls = 0
        self.rotate()

    def rotate(self) -> None:
        """Revoke the current token, and issue another one."""
        self.revoke()
        value = f"glpat-rotated-{len(self._tokens)}"
        self._tokens.append(self._world.add_token(self._world.root, value))

    def revoke(self) -> None:
        """Revoke the current token."""
        for token in self._tokens:
            token.revoked = True

    def current(self) -> str:
        """Return the current token."""
        self.calls += 1
        return self._tokens[-1].value

    async def current_later(self) -> str:
        """Return the current token after other tasks have run."""
        token = self.current()
        await asyncio.sleep(0.01)
        return token
