"""Whose turn it is: lanes one before the other, within a lane round robin by project.

A request is given the number of the round in which its project's turn comes, so that the next one
is always the lowest number: no project waits for more than two requests of each other one:
one of the round that goes on, one of the next.
"""

import heapq
import re
from collections.abc import Callable, Hashable, Iterator
from enum import IntEnum
from typing import Any, Generic, Self, TypeVar

from attrs import define, field, frozen

from gitlab_jobs_async.api.requests import Request

_WORD = re.compile(r"[a-z_]+")
_DEEPEST_ROUTE = 5

K = TypeVar("K", bound=Hashable)


class Priority(IntEnum):
    """Who goes first: a caller's own request, a page of a listing, or a poll in the background."""

    DIRECT = 0
    LISTING = 1
    BACKGROUND = 2


@frozen
class RequestClass:
    """What a request asks of the limits: its lane, its project, and its kind.

    The kind is the method and the shape of the path, such as `GET /projects/:id/jobs`: what the
    server's own limits of one endpoint go by.
    """

    lane: Priority
    project: str
    kind: str

    @classmethod
    def of(cls, request: Request, lane: Priority) -> Self:
        """What *request* asks; those without a project share one place in the round."""
        segments = request.path.split("/")[1 : _DEEPEST_ROUTE + 1]
        project = segments[1] if segments[0] == "projects" and len(segments) > 1 else ""
        shape = "/".join(part if _WORD.fullmatch(part) else ":id" for part in segments)
        method = "GET" if request.is_safe else request.method
        return cls(lane, project, f"{method} /{shape}")


@define(eq=False)
class Waiter(Generic[K]):
    """One who waits for a turn; those who have the same `need` stand in one queue."""

    claim: RequestClass
    need: K
    turn: tuple[int, int] = field(init=False, default=(0, 0))
    is_gone: bool = field(init=False, default=False)


W = TypeVar("W", bound=Waiter[Any])


@define(eq=False)
class _Project:
    """The number of a project's last turn, and how many wait in all."""

    last: int
    waiting: int = 0


@define(eq=False)
class _PriorityQueue(Generic[W]):
    """Those who wait in one lane, by need.

    Each queue is a heap by turn; no two turns are alike, so that nothing else is compared.
    """

    round: int = 0
    number: int = 0
    projects: dict[str, _Project] = field(factory=dict[str, _Project])
    queues: dict[Hashable, list[tuple[tuple[int, int], W]]] = field(factory=dict)
    gone: int = 0


@define(eq=False)
class FairQueue(Generic[W]):
    """Those who wait, and who of them is next."""

    _lanes: tuple[_PriorityQueue[W], ...] = field(
        init=False, factory=lambda: tuple(_PriorityQueue() for _ in Priority)
    )
    _count: int = field(init=False, default=0)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[W]:
        """All who wait, in no order."""
        for lane in self._lanes:
            for queue in lane.queues.values():
                yield from (waiting for _, waiting in queue if not waiting.is_gone)

    def waits_in(self, lane: Priority) -> bool:
        """Whether anybody waits in *lane*."""
        return bool(self._lanes[lane].projects)

    def put(self, waiting: W) -> None:
        """Let *waiting* stand at the end of its project's; with a turn of old, where it stood."""
        lane, project = self._lanes[waiting.claim.lane], waiting.claim.project
        known = lane.projects.setdefault(project, _Project(lane.round))
        if waiting.turn == (0, 0):
            known.last = max(known.last, lane.round) + 1
            lane.number += 1
            waiting.turn = (known.last, lane.number)
        known.waiting += 1
        self._count += 1
        self._stand(lane, waiting)

    def move(self, waiting: W, need: Hashable) -> None:
        """Let *waiting*, who was first in one queue, wait in another without losing its turn."""
        lane = self._lanes[waiting.claim.lane]
        heapq.heappop(lane.queues[waiting.need])
        waiting.need = need
        self._stand(lane, waiting)

    def next(self, lane: Priority, may_go: Callable[[W], bool]) -> W | None:
        """Who is next, of the first in each queue that may go; who it is stays until taken."""
        queues = self._lanes[lane].queues
        first: tuple[tuple[int, int], W] | None = None
        for name in tuple(queues):
            queue = queues[name]
            while queue and queue[0][1].is_gone:
                heapq.heappop(queue)
                self._lanes[lane].gone -= 1
            if not queue:
                del queues[name]
            elif (first is None or queue[0] < first) and may_go(queue[0][1]):
                first = queue[0]
        return None if first is None else first[1]

    def take(self, waiting: W) -> None:
        """Let *waiting*, who is next, go."""
        lane = self._lanes[waiting.claim.lane]
        heapq.heappop(lane.queues[waiting.need])
        lane.round = max(lane.round, waiting.turn[0])
        self._left(lane, waiting)

    def drop(self, waiting: W) -> None:
        """Let *waiting* give up, wherever it stands."""
        lane = self._lanes[waiting.claim.lane]
        waiting.is_gone = True
        lane.gone += 1
        self._left(lane, waiting)
        if lane.gone * 2 > sum(map(len, lane.queues.values())):
            self._sweep(lane)

    def _stand(self, lane: _PriorityQueue[W], waiting: W) -> None:
        heapq.heappush(lane.queues.setdefault(waiting.need, []), (waiting.turn, waiting))

    def _left(self, lane: _PriorityQueue[W], waiting: W) -> None:
        self._count -= 1
        project = lane.projects[waiting.claim.project]
        project.waiting -= 1
        if not project.waiting:
            del lane.projects[waiting.claim.project]

    def _sweep(self, lane: _PriorityQueue[W]) -> None:
        """Forget those who have gone; done when they are half, so that it costs little each."""
        for name, queue in tuple(lane.queues.items()):
            lane.queues[name] = [entry for entry in queue if not entry[1].is_gone]
            heapq.heapify(lane.queues[name])
            if not lane.queues[name]:
                del lane.queues[name]
        lane.gone = 0
