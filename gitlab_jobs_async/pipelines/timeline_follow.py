"""Follow the timelines of a pipeline until nothing in it can go on by itself."""

from collections.abc import AsyncGenerator

from gitlab_jobs_async.clock import jitter
from gitlab_jobs_async.errors import GitLabError
from gitlab_jobs_async.http.transport import Transport
from gitlab_jobs_async.models.timelines import PipelineTimeline
from gitlab_jobs_async.pipelines.poll_interval import answered_each
from gitlab_jobs_async.pipelines.timeline_fetch import TimelineReader
from gitlab_jobs_async.pipelines.traversal import PipelineRef
from gitlab_jobs_async.polling.policy import PollPolicy
from gitlab_jobs_async.polling.polls import Polls
from gitlab_jobs_async.retry.outage import OutageTolerance

_REQUESTS = 3
"""Requests for a pipeline, its jobs and its trigger jobs."""


async def follow_timelines(
    transport: Transport,
    polls: Polls,
    root: PipelineRef,
    policy: PollPolicy,
    *,
    needs: bool,
    refresh: float,
) -> AsyncGenerator[list[PipelineTimeline], None]:
    """Yield the timelines every *refresh* seconds; they are read once an interval of *policy*."""
    reader, tolerance = (
        TimelineReader(transport, root, needs),
        OutageTolerance(policy.outage_timeout),
    )
    clock = transport.clock
    with polls.pace.join(policy, _REQUESTS) as pace:
        while True:
            began = clock.now()
            try:
                await reader.read()
            except GitLabError as error:
                delay = tolerance.next_delay(error, clock.now(), jitter=jitter())
                if delay is None:
                    raise
                due = clock.now() + delay
            else:
                tolerance.succeeded()
                timelines = reader.timelines()
                pace.claim(float(_REQUESTS * len(timelines)))
                due = answered_each(pace.interval, began, clock.now())
                yield timelines
                if all(timeline.has_ended for timeline in timelines):
                    return
            while (left := due - clock.now()) > 0:
                await clock.sleep(min(left, refresh))
                if left > refresh and reader.tree is not None:
                    yield reader.timelines()
