"""Fair queue of requests: by priority, and round robin by project within a priority.

A request gets the number of the round in which its project is served, and the lowest number is
served next. So a project waits for at most two requests of every other one: one of the current
round, one of the next.
"""

import heapq
import re
from collections.abc import Callable, Iterator
from enum import IntEnum
from functools import lru_cache
from itertools import pairwise
from typing import Self

from attrs import define, field, frozen

from gitlab_jobs_async.api.requests import Request

_WORD = re.compile(r"[a-z_]+")
# What follows these may be a word as well, such as the ref in `jobs/artifacts/:ref`.
_NAMED = frozenset(
    {"artifacts", "branches", "commits", "groups", "projects", "tags", "users", "variables"}
)
# Deeper segments are file paths of artifacts, which belong to one route.
_DEEPEST_ROUTE = 5


class Priority(IntEnum):
    """Priority of a request: a foreground call, a page of a listing, or a background poll."""

    DIRECT = 0
    LISTING = 1
    BACKGROUND = 2


@frozen
class RequestClass:
    """Priority, project and kind of a request.

    The kind is the method and the shape of the path, such as `GET /projects/:id/jobs`: the server
    limits single endpoints by it.
    """

    priority: Priority
    project: str
    kind: str

    @property
    def route(self) -> str:
        """The shape of the path, such as `/projects/:id/jobs`."""
        return self.kind.partition(" ")[2]

    @classmethod
    def of(cls, request: Request, priority: Priority) -> Self:
        """Return the class of *request*; requests without a project share the project ""."""
        method = "GET" if request.is_safe else request.method
        project, kind = _route(method, request.path)
        return cls(priority, project, kind)


@lru_cache(maxsize=1024)
def _route(method: str, path: str) -> tuple[str, str]:
    """Return the project and the kind; the pages of a listing have one path."""
    segments = path.split("/")[1 : _DEEPEST_ROUTE + 1]
    project = segments[1] if segments[0] == "projects" and len(segments) > 1 else ""
    shape = [
        part if before not in _NAMED and _WORD.fullmatch(part) else ":id"
        for before, part in pairwise(["", *segments])
    ]
    return project, f"{method} /{'/'.join(shape)}"


@frozen
class Bucket:
    """Resource that waiters share: slots of streams or responses, and the limit of a kind."""

    is_stream: bool
    kind: str


@define(eq=False, repr=False)
class Waiter:
    """A waiting request; waiters of one bucket are in one heap."""

    request: Request
    request_class: RequestClass
    bucket: Bucket
    turn: tuple[int, int] = field(init=False, default=(0, 0))
    is_removed: bool = field(init=False, default=False)


_Heap = list[tuple[tuple[int, int], Waiter]]


@define(eq=False, repr=False)
class _Project:
    last_round: int
    waiting: int = 0


@define(eq=False, repr=False)
class _PriorityQueue:
    """Waiters of one priority, by bucket; each heap is ordered by turn, and turns are unique."""

    round: int = 0
    number: int = 0
    projects: dict[str, _Project] = field(factory=dict[str, _Project])
    heaps: dict[Bucket, _Heap] = field(factory=dict[Bucket, _Heap])
    removed: int = 0

    def push(self, waiter: Waiter) -> None:
        heapq.heappush(self.heaps.setdefault(waiter.bucket, []), (waiter.turn, waiter))

    def forget(self, waiter: Waiter) -> None:
        project = self.projects[waiter.request_class.project]
        project.waiting -= 1
        if not project.waiting:
            del self.projects[waiter.request_class.project]

    def compact(self) -> None:
        """Drop removed waiters once they are the majority, which is cheap for each."""
        if self.removed * 2 <= sum(map(len, self.heaps.values())):
            return
        for bucket, heap in tuple(self.heaps.items()):
            self.heaps[bucket] = [entry for entry in heap if not entry[1].is_removed]
            heapq.heapify(self.heaps[bucket])
            if not self.heaps[bucket]:
                del self.heaps[bucket]
        self.removed = 0


@define(eq=False, repr=False)
class FairQueue:
    """Waiting requests and their order."""

    _queues: tuple[_PriorityQueue, ...] = field(
        init=False, factory=lambda: tuple(_PriorityQueue() for _ in Priority)
    )
    _count: int = field(init=False, default=0)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Waiter]:
        """Iterate over all waiters, in no order."""
        for queue in self._queues:
            for heap in queue.heaps.values():
                yield from (waiter for _, waiter in heap if not waiter.is_removed)

    def has_waiters(self, priority: Priority) -> bool:
        """Return whether a request of *priority* waits."""
        return bool(self._queues[priority].projects)

    def push(self, waiter: Waiter) -> None:
        """Add *waiter* behind its project's others; one with an earlier turn keeps its place."""
        queue, name = self._queue(waiter), waiter.request_class.project
        project = queue.projects.setdefault(name, _Project(queue.round))
        if waiter.turn == (0, 0):
            # A project that waited long for a blocked kind must not overtake with old rounds.
            project.last_round = max(project.last_round, queue.round) + 1
            queue.number += 1
            waiter.turn = (project.last_round, queue.number)
        project.waiting += 1
        self._count += 1
        queue.push(waiter)

    def move(self, waiter: Waiter, bucket: Bucket) -> None:
        """Move *waiter*, the first of its heap, to another bucket; it keeps its turn."""
        queue = self._queue(waiter)
        heapq.heappop(queue.heaps[waiter.bucket])
        waiter.bucket = bucket
        queue.push(waiter)

    def peek(self, priority: Priority, may_go: Callable[[Waiter], bool]) -> Waiter | None:
        """Return the next waiter, of the first in each bucket that may go; it stays queued."""
        queue = self._queues[priority]
        first: tuple[tuple[int, int], Waiter] | None = None
        for bucket in tuple(queue.heaps):
            heap = queue.heaps[bucket]
            while heap and heap[0][1].is_removed:
                heapq.heappop(heap)
                queue.removed -= 1
            if not heap:
                del queue.heaps[bucket]
            elif (first is None or heap[0] < first) and may_go(heap[0][1]):
                first = heap[0]
        return None if first is None else first[1]

    def pop(self, waiter: Waiter) -> None:
        """Remove *waiter*, which `peek` has returned, and advance the round."""
        queue = self._queue(waiter)
        heapq.heappop(queue.heaps[waiter.bucket])
        queue.round = max(queue.round, waiter.turn[0])
        self._count -= 1
        queue.forget(waiter)

    def remove(self, waiter: Waiter) -> None:
        """Remove *waiter* from anywhere in the queue."""
        queue = self._queue(waiter)
        waiter.is_removed = True
        queue.removed += 1
        self._count -= 1
        queue.forget(waiter)
        queue.compact()

    def _queue(self, waiter: Waiter) -> _PriorityQueue:
        return self._queues[waiter.request_class.priority]
