"""What the demo was told by its monitor: by this its steps know that a thing has happened."""

import asyncio
from collections import Counter
from collections.abc import Callable

from attrs import define, field

from gitlab_jobs_async.cli.views.rows import pipeline_of
from gitlab_jobs_async.events import (
    Event,
    JobAppeared,
    JobEvent,
    JobLogEnded,
    JobLogFailed,
    JobLogLine,
)
from gitlab_jobs_async.models.jobs import Bridge, JobBasic


@define
class Seen:
    """The jobs told of as they stand now, which are new, what replaced what, how far logs are."""

    events: int = 0
    jobs: dict[int, JobBasic] = field(factory=dict)
    replaced: dict[int, int] = field(factory=dict)
    fresh: set[int] = field(factory=set)
    lines: Counter[int] = field(factory=Counter)
    whole_logs: set[int] = field(factory=set)
    _news: asyncio.Event = field(factory=asyncio.Event)

    def tell(self, event: Event) -> None:
        """Take in what was told."""
        self.events += 1
        if isinstance(event, JobLogLine):
            self.lines[event.job.id] += 1
        elif isinstance(event, JobLogEnded | JobLogFailed):
            self.whole_logs.add(event.job.id)
        elif isinstance(event, JobEvent):
            self.jobs[event.job.id] = event.job
            if isinstance(event, JobAppeared):
                if event.is_new:
                    self.fresh.add(event.job.id)
                if event.replaces is not None:
                    self.replaced[event.replaces] = event.job.id
        self._news.set()

    async def until(self, holds: Callable[[], object]) -> None:
        """Return once what was told makes *holds* true."""
        while not holds():
            self._news.clear()
            await self._news.wait()

    async def ended(self, job_id: int) -> JobBasic:
        """The job once it was told that it has ended."""
        await self.until(lambda: job_id in self.jobs and self.jobs[job_id].status.is_finished)
        return self.jobs[job_id]

    @property
    def new_bridges(self) -> list[Bridge]:
        """The trigger jobs that came while watching and have made a pipeline."""
        jobs = [self.jobs[number] for number in self.fresh]
        return [one for one in jobs if isinstance(one, Bridge) and one.downstream_pipeline]

    def jobs_of(self, pipeline_id: int) -> list[JobBasic]:
        """The jobs of a pipeline."""
        return [job for job in self.jobs.values() if pipeline_of(job) == pipeline_id]
