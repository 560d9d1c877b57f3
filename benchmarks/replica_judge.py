"""Judge what replicas have recorded, and what groups have read, by what has happened."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from statistics import median, quantiles

from attrs import define, field, frozen

from gitlab_jobs_async import PostgresStore, SqliteStore, consume
from gitlab_jobs_async.api.json_reading import from_json
from gitlab_jobs_async.events import (
    AnyEvent,
    JobAppeared,
    JobChanged,
    JobFinished,
    MonitorEvent,
    ProjectUnreachable,
)
from gitlab_jobs_async.simulator.records import Job

_BATCH = 500
_STEPS = (JobAppeared, JobChanged, JobFinished)


@define(eq=False)
class Reader:
    """A consumer *group* that notes what it reads, and when."""

    group: str
    keys: list[str] = field(factory=list[str])
    missed: int = 0
    ends: dict[int, float] = field(factory=dict[int, float])
    _task: asyncio.Task[None] | None = None

    def start(self, store: str, now: Callable[[], float]) -> None:
        """Read on."""
        self._task = asyncio.create_task(self._read(store, now))

    async def stop(self) -> None:
        """Acknowledge what was read, and go away."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _read(self, store: str, now: Callable[[], float]) -> None:
        async with consume(store, self.group) as recorded:
            async for one in recorded:
                self.keys.append(one.key.partition("/")[2])
                self.missed += one.missed
                if isinstance(one.event, JobFinished):
                    self.ends.setdefault(one.event.job.id, now())


@frozen
class Recorded:
    """The keys and events that the store has recorded, in its order."""

    events: Sequence[tuple[str, AnyEvent]]

    @classmethod
    async def read(cls, store: str, group: str) -> "Recorded":
        """Read all events for a *group* that has acknowledged none."""
        opened = PostgresStore(store) if store.startswith("postgresql:") else SqliteStore(store)
        await opened.open()
        try:
            events, place = list[tuple[str, AnyEvent]](), 0
            while batch := (await opened.read(group, place, _BATCH)).events:
                events += [(one.key, from_json(one.event)) for one in batch]
                place = batch[-1].place
        finally:
            await opened.close()
        return cls(events)

    @property
    def unreachable(self) -> int:
        """Number of projects that were said to be unreachable."""
        return sum(isinstance(event, ProjectUnreachable) for _, event in self.events)

    def faults(self, jobs: Iterable[Job]) -> Counter[str]:
        """Count what was lost, repeated or wrong about *jobs*."""
        faults = Counter[str]()
        steps = defaultdict[int, list[AnyEvent]](list)
        for _, event in self.events:
            if isinstance(event, _STEPS) and event.is_new:
                steps[event.job.id].append(event)
        for job in jobs:
            kinds = [type(event) for event in steps[job.id]]
            ends = [event for event in steps[job.id] if isinstance(event, JobFinished)]
            faults["lost"] += (JobAppeared not in kinds) + (not ends)
            faults["repeated"] += max(0, kinds.count(JobAppeared) - 1) + max(0, len(ends) - 1)
            faults["contradicting"] += any(end.job.status != job.status for end in ends)
            faults["out of order"] += kinds != sorted(kinds, key=_STEPS.index)
        return faults

    def group_faults(self, keys: Sequence[str]) -> Counter[str]:
        """Count what a group has not read, has read twice, or in another order of a project."""
        read = Counter(keys)
        places = {key: place for place, (key, _) in enumerate(self.events)}
        projects = {
            key: event.project for key, event in self.events if isinstance(event, MonitorEvent)
        }
        last = defaultdict[object, int](lambda: -1)
        out_of_order = 0
        for key in dict.fromkeys(keys):
            project, place = projects.get(key), places.get(key, -1)
            out_of_order += place < last[project]
            last[project] = place
        return Counter(
            {
                "lost": sum(not read[key] for key in places),
                "repeated": sum(count - 1 for count in read.values()),
                "out of order": out_of_order,
            }
        )


def delays(ends: Mapping[int, float], jobs: Iterable[Job]) -> str:
    """Describe how long after their ends jobs were read as ended."""
    late = [
        ends[job.id] - job.finished_at
        for job in jobs
        if job.finished_at is not None and job.id in ends
    ]
    if len(late) < 2:
        return ""
    return f"{median(late):.1f} s median, {quantiles(late, n=20)[-1]:.1f} s for 95 %"
