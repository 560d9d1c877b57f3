"""Several logs as one stream: nothing is lost, and nothing goes on after its block."""

import asyncio

import pytest

from gitlab_jobs_async import GitLabError, LogLine
from gitlab_jobs_async.cli.log_sources import JobLine, followed
from tests.support.tasks import prompt


class Log:
    """Lines that come when they are let through, from a generator that says when it is closed."""

    def __init__(self, count, *, error=None, gate=None):
        self.count, self.error, self.gate = count, error, gate
        self.told, self.is_closed = 0, False

    async def lines(self):
        try:
            for number in range(1, self.count + 1):
                if self.gate is not None:
                    await self.gate.wait()
                self.told = number
                yield LogLine(number, "x", "x")
            if self.error is not None:
                raise self.error
        finally:
            self.is_closed = True


def sources(logs):
    return {job_id: log.lines() for job_id, log in enumerate(logs, start=1)}


async def read(logs):
    async with followed(sources(logs)) as items:
        async for _ in items:
            pass


@pytest.mark.parametrize("count", [1, 2, 7])
async def test_every_line_of_every_log_in_order_and_its_end(count):
    logs = [Log(size) for size in range(count)]
    seen = {}
    async with followed(sources(logs)) as items:
        async for item in items:
            seen.setdefault(item.job_id, []).append(item.line and item.line.number)
    assert seen == {i: [*range(1, i), None] for i in range(1, count + 1)}
    assert all(log.is_closed for log in logs)


@pytest.mark.parametrize("count", [1, 3])
async def test_one_failure_is_told_and_the_others_go_on(count):
    error = GitLabError("gone")
    logs = [Log(2, error=error), Log(3), Log(3)][:count]
    async with followed(sources(logs)) as items:
        told = [item async for item in items]
    assert JobLine(1, error=error) in told
    assert JobLine(1) not in told
    assert [log.told for log in logs] == [2, 3, 3][:count]


@prompt
async def test_what_is_no_failure_of_a_job_ends_them_all():
    logs = [Log(1, error=ValueError("a bug")), Log(5, gate=asyncio.Event())]
    with pytest.raises(ValueError, match="a bug"):
        await read(logs)
    assert all(log.is_closed for log in logs)


@pytest.mark.parametrize("count", [1, 3])
@prompt
async def test_a_reader_that_leaves_early_leaves_nothing(count):
    before = asyncio.all_tasks()
    logs = [Log(1000) for _ in range(count)]
    async with followed(sources(logs)) as items:
        async for _ in items:
            break
    assert asyncio.all_tasks() == before
    assert all(log.is_closed for log in logs if log.told)
    assert all(log.told <= 2 for log in logs), "nothing is read ahead but a line of each"


@pytest.mark.parametrize("count", [1, 3])
@prompt
async def test_a_reader_that_is_canceled_leaves_nothing(count):
    before = asyncio.all_tasks()
    logs = [Log(5, gate=asyncio.Event()) for _ in range(count)]
    reading = asyncio.create_task(read(logs))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert asyncio.all_tasks() == before
    assert all(log.is_closed for log in logs)
