"""The processes of the benchmark `replicas`, and the faults that they meet."""

import asyncio
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from io import TextIOWrapper
from typing import Any

from attrs import define, evolve, field, frozen

from benchmarks import replica_node
from benchmarks.cut_proxy import CutProxy
from benchmarks.replica_engines import Engine
from benchmarks.replica_node import ReplicaTask
from gitlab_jobs_async.cli.demo.node_process import NodeProcess

_SKEWS = ((0.0, 0.0), (-20.0, 0.001), (240.0, 0.002), (-300.0, -0.002), (45.0, 0.005))
"""Seconds by which the clock of a node is ahead, and what it gains in each second; in turn."""

_RESTART = 0.5
"""Seconds until a process that has ended is started again."""


@define(eq=False)
class Replica:
    """A process with its own way to GitLab and to the store."""

    node: NodeProcess
    to_gitlab: CutProxy
    to_store: CutProxy | None
    is_hurt: bool = False
    unscanned: int = -1
    fenced: int = 0
    blocks: list[float] = field(factory=list[float])


@frozen
class Takeover:
    """A shard that went to another process *seconds* after a *fault*."""

    fault: str
    seconds: float


@define(eq=False)
class Cluster:
    """The processes that do *task* with the store of *engine*, and what has happened to them."""

    task: ReplicaTask
    engine: Engine
    chance: random.Random
    say: Callable[[str], None]
    errors: TextIOWrapper
    replicas: list[Replica] = field(factory=list[Replica])
    ended: list[Replica] = field(factory=list[Replica])
    faults: list[str] = field(factory=list[str])
    takeovers: list[Takeover] = field(factory=list[Takeover])
    _awaited: dict[int, tuple[str, float, Replica]] = field(
        factory=dict[int, tuple[str, float, Replica]]
    )
    _outages: int = 0
    _watches: set[asyncio.Task[None]] = field(factory=set[asyncio.Task[None]])

    async def start(self) -> None:
        """Start one more process."""
        started = len(self.replicas) + len(self.ended)
        ahead, drift = _SKEWS[started % len(_SKEWS)]
        to_gitlab = CutProxy(self.task.port)
        to_store = self.engine.proxy()
        for proxy in (to_gitlab, to_store):
            if proxy is not None:
                await proxy.__aenter__()
        task = evolve(
            self.task,
            port=to_gitlab.port,
            store=self.engine.through(to_store),
            ahead=ahead,
            drift=drift,
        )
        node = await NodeProcess.start(
            started + 1, replica_node.__name__, task.line(), self.errors.fileno()
        )
        replica = Replica(node, to_gitlab, to_store)
        self.replicas.append(replica)
        watch = asyncio.create_task(self._watch(replica))
        self._watches.add(watch)

    async def _watch(self, replica: Replica) -> None:
        async for report in replica.node.reports():
            gained = set(report["shards"]) - set(replica.node.shards)
            replica.node.shards = report["shards"]
            replica.unscanned = report["unscanned"]
            replica.fenced, replica.blocks = report["fenced"], report["blocks"]
            for shard in gained:
                self._taken(shard, replica)
        # One that starts while the store is away ends: it is started again, as by systemd.
        if replica in self.replicas:
            self.say(f"node {replica.node.number} has ended by itself")
            await asyncio.sleep(_RESTART)
            if replica in self.replicas:
                await self._end(replica, signal.SIGKILL)
                await self.start()

    def _taken(self, shard: int, by: Replica) -> None:
        fault, at, victim = self._awaited.get(shard, ("", 0.0, by))
        if victim is not by:
            self._note(shard, by, fault, at)

    def _note(self, shard: int, owner: Replica, fault: str, at: float) -> None:
        del self._awaited[shard]
        seconds = time.monotonic() - at
        self.takeovers.append(Takeover(fault, seconds))
        self.say(f"shard {shard} goes to node {owner.node.number} after {seconds:.2f} s ({fault})")

    def _hurt(self, replica: Replica, fault: str, *, loses: bool = True) -> None:
        self.faults.append(fault)
        self.say(f"{fault}: node {replica.node.number} with shards {replica.node.held}")
        # With the store away, nothing can be taken over.
        kind = f"{fault}, during an outage" if self._outages else fault
        for shard in replica.node.shards if loses else ():
            self._awaited[shard] = kind, time.monotonic(), replica

    def _victim(self) -> Replica | None:
        healthy = [replica for replica in self.replicas if not replica.is_hurt]
        active = [replica for replica in healthy if replica.node.shards]
        return self.chance.choice(active) if len(healthy) > 1 and active else None

    async def kill(self, _seconds: float) -> None:
        """Kill a process, and start another one."""
        if (victim := self._victim()) is None:
            victim = self.chance.choice(self.replicas)
        self._hurt(victim, "kill -9")
        await self._end(victim, signal.SIGKILL)
        await self.start()

    async def leave(self, _seconds: float) -> None:
        """Let a process end by itself, and start another one."""
        if (victim := self._victim()) is not None:
            self._hurt(victim, "leave")
            await self._end(victim, signal.SIGINT)
            await self.start()

    async def freeze(self, seconds: float) -> None:
        """Stop a process, and let it go on when its leases are over."""
        if (victim := self._victim()) is not None:
            victim.is_hurt = True
            self._hurt(victim, "SIGSTOP")
            victim.node.signal(signal.SIGSTOP)
            await asyncio.sleep(seconds)
            for shard, (fault, at, frozen) in list(self._awaited.items()):
                if frozen is victim:
                    self._note(shard, victim, f"{fault}, not before it went on", at)
            victim.node.signal(signal.SIGCONT)
            victim.is_hurt = False

    async def part_from_store(self, seconds: float) -> None:
        """Cut a process off from the store, where there is a network between."""
        victim = self._victim()
        if victim is not None and victim.to_store is not None:
            await self._part(victim, victim.to_store, "partition from the store", seconds)

    async def part_from_gitlab(self, seconds: float) -> None:
        """Cut a process off from GitLab; it keeps its shards."""
        if (victim := self._victim()) is not None:
            await self._part(victim, victim.to_gitlab, "partition from GitLab", seconds)

    async def _part(self, victim: Replica, way: CutProxy, fault: str, seconds: float) -> None:
        victim.is_hurt = True
        self._hurt(victim, fault, loses=way is victim.to_store)
        way.cut()
        await asyncio.sleep(seconds)
        way.heal()
        victim.is_hurt = False

    async def outage(self, seconds: float) -> None:
        """Take the store away from all."""
        kinds = self.engine.outages
        kind = kinds[sum(fault.startswith("store: ") for fault in self.faults) % len(kinds)]
        self.faults.append(f"store: {kind}")
        self.say(f"store: {kind}")
        self._outages += 1
        self._awaited = {
            shard: (fault if "outage" in fault else f"{fault}, during an outage", at, replica)
            for shard, (fault, at, replica) in self._awaited.items()
        }
        try:
            await self.engine.go_away(kind, seconds)
        finally:
            self._outages -= 1
        self.say("store: back")

    async def _end(self, victim: Replica, number: int) -> None:
        self.replicas.remove(victim)
        self.ended.append(victim)
        victim.node.signal(number)
        await victim.node.process.wait()
        await self._disconnect(victim)

    async def _disconnect(self, replica: Replica) -> None:
        for proxy in (replica.to_gitlab, replica.to_store):
            if proxy is not None:
                await proxy.close()

    @property
    def is_scanned(self) -> bool:
        """Whether all shards are held, and each of their projects was scanned once."""
        shards = {shard for replica in self.replicas for shard in replica.node.shards}
        unscanned = [replica.unscanned for replica in self.replicas if replica.node.shards]
        return len(shards) == self.task.shards and not any(unscanned)

    def every(self, value: Callable[[Replica], Any]) -> list[Any]:
        """Return *value* of all processes that have been."""
        return [value(replica) for replica in (*self.ended, *self.replicas)]

    async def close(self) -> None:
        """End all processes."""
        for replica in list(self.replicas):
            with suppress(OSError):
                await self._end(replica, signal.SIGKILL)
        for watch in self._watches:
            watch.cancel()
        if self._watches:
            await asyncio.wait(self._watches)
