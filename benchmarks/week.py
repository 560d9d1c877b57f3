"""A simulated week of work on a stepped clock: memory, tasks and descriptors stay flat."""

import asyncio
from collections.abc import Iterator

from benchmarks.measuring import apart
from benchmarks.results import Chart, Row, Size
from benchmarks.soaking import (
    Plan,
    PublishedClock,
    Sample,
    Work,
    now,
    results,
    sample,
    server_of,
    summary,
    work,
)
from benchmarks.stepping import finish
from gitlab_jobs_async import GitLab

HOUR, DAY = 3600.0, 86_400.0
PLANS = (
    Plan(7 * DAY, 5, 4 * HOUR, 120.0, 6 * HOUR),
    Plan(6 * HOUR, 5, 2 * HOUR, 120.0, HOUR),
    Plan(HOUR / 6, 1, HOUR / 12, 60.0, HOUR / 12),
)


def measure(size: Size) -> Iterator[Row | Chart]:
    """Monitor, follow and list for a week."""
    # In a process of its own: memory that others have left free would hide a growth.
    yield from apart(worked, size.pick(*PLANS))


def worked(plan: Plan) -> list[Row | Chart]:
    """Work by this plan, on a clock that moves only while no request is in flight."""
    return asyncio.run(week(plan))


async def week(plan: Plan) -> list[Row | Chart]:
    """See `worked`."""
    clock, samples, begun = PublishedClock(), list[Sample](), now()
    start, done = clock.now(), list[Work]()

    def sampled() -> None:
        samples.append(sample(clock.now() - start))

    with server_of(plan, clock) as (url, token):
        before = sample(0.0)
        async with GitLab(url, auth=token, clock=clock) as client:

            async def run() -> None:
                done.append(await work(client, plan, clock, sampled))

            await finish(run(), client, clock)
        left = sample(plan.duration)
    details = summary(done[0], now() - begun)
    question = "work for a simulated week: memory, tasks and descriptors"
    return list(results("week", question, before, samples, left, details, DAY))
