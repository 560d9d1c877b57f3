"""Five minutes of real work: memory, tasks and descriptors stay flat."""

import asyncio
from collections.abc import Iterator

from benchmarks.measuring import apart
from benchmarks.results import Chart, Row, Size
from benchmarks.soaking import Plan, Sample, now, results, sample, server_of, summary, work
from gitlab_jobs_async import GitLab
from gitlab_jobs_async.simulator import RealClock

PLANS = (
    Plan(300.0, 20, 30.0, 10.0, 6.0),
    Plan(60.0, 20, 30.0, 10.0, 6.0),
    Plan(2.0, 2, 1.0, 0.5, 1.0),
)


def measure(size: Size) -> Iterator[Row | Chart]:
    """Monitor, follow and list for a while."""
    # In a process of its own: memory that others have left free would hide a growth.
    yield from apart(soaked, size.pick(*PLANS))


def soaked(plan: Plan) -> list[Row | Chart]:
    """Work by this plan in real time."""
    return asyncio.run(soak(plan))


async def soak(plan: Plan) -> list[Row | Chart]:
    """See `soaked`."""
    clock, samples, begun = RealClock(), list[Sample](), now()
    with server_of(plan, None) as (url, token):
        before = sample(0.0)
        async with GitLab(url, auth=token) as client:
            done = await work(client, plan, clock, lambda: samples.append(sample(now() - begun)))
        left = sample(plan.duration)
    details = summary(done, now() - begun)
    question = "work for 5 minutes: memory, tasks and descriptors"
    return list(results("soak", question, before, samples, left, details, 60.0))
