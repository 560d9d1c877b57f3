"""`get_failure` reads the log of a failed job once, in constant memory."""

import asyncio
import gzip
import resource

import pytest
from aiohttp import web
from attrs import evolve

from gitlab_jobs_async import (
    ConnectionFailedError,
    GitLab,
    Job,
    JobFailure,
    LookupFailedError,
    NotFoundError,
)
from gitlab_jobs_async.simulator import Fault
from tests.support.cancellation import cancel_half_way
from tests.support.servers import serving
from tests.support.tasks import in_background, others

FLAKY, UNIT = 3, 2


async def test_failure_of_an_id_costs_two_requests(project, simulator):
    found = await project.get_failure(FLAKY, lines=3)
    assert (found.job.id, found.reason, found.exit_code) == (FLAKY, "script_failure", 1)
    assert (found.message, found.section) == ("Job failed: exit code 1", ("step_script",))
    assert found.lines[-1].text == "=== 1 failed, 211 passed in 12.31s ==="
    assert found.error.text.startswith("E       assert")
    assert len(found.lines) == 3
    assert len(simulator.requests) == 2


async def test_failure_of_a_job_costs_one_request(project, simulator):
    job = await project.get_job(FLAKY)
    found = await project.get_failure(job)
    assert found.job is job
    assert len(simulator.requests) == 2


async def test_report_marks_the_error(project):
    found = await project.get_failure(FLAKY, lines=1)
    address = found.job.web_url
    assert str(found).splitlines() == [
        "group/app: flaky: Job failed: exit code 1",
        f"    {address}",
        f"  > {found.error.text}",
        "    === 1 failed, 211 passed in 12.31s ===",
    ]
    every = str(await project.get_failure(FLAKY)).splitlines()
    assert every.count(f"  > {found.error.text}") == 1
    assert len(every) == len(set(every)) > 4


async def test_report_without_a_log_has_the_reason(project, simulator):
    simulator.world.erase(simulator.world.jobs[FLAKY])
    report = str(await project.get_failure(FLAKY))
    assert report.startswith("group/app: flaky: Job failed: script_failure\n    http://")
    assert len(report.splitlines()) == 2


def test_report_has_no_control_characters():
    """A developer chooses the name of a job, and a failure bot prints it."""
    job = Job(id=1, status="failed", stage="a", name="b\x1b[2J\nc", web_url="https://x/\x1bd")
    report = str(JobFailure(job=job, reason="e\x07"))
    assert report == "0: b\ufffd[2J c: Job failed: e\ufffd\n    https://x/\ufffdd"


async def test_job_of_graphql_is_read_for_its_reason(project, simulator):
    """A monitor's events may have such jobs, which lack `failure_reason`."""
    job = evolve(await project.get_job(FLAKY), is_partial=True, failure_reason=None)
    found = await project.get_failure(job)
    assert (found.reason, found.job.is_partial) == ("script_failure", False)
    assert len(simulator.requests) == 3


async def test_job_that_runs_has_no_failure(project, simulator):
    with pytest.raises(LookupFailedError, match=r"^job 2 has not failed: it is running$"):
        await project.get_failure(UNIT)
    assert len(simulator.requests) == 1


async def test_erased_log_leaves_the_reason(project, simulator):
    simulator.world.erase(simulator.world.jobs[FLAKY])
    found = await project.get_failure(FLAKY)
    assert (found.reason, found.message, found.lines) == ("script_failure", None, ())


async def test_unknown_job_is_not_found(project):
    with pytest.raises(NotFoundError):
        await project.get_failure(99)


@pytest.mark.parametrize("job", [0, "3", None, 1.5])
async def test_bad_job_sends_nothing(project, simulator, job):
    with pytest.raises((TypeError, ValueError), match="job_id"):
        await project.get_failure(job)
    assert not simulator.requests


@pytest.mark.parametrize("lines", [-1, "5", True])
async def test_bad_count_sends_nothing(project, simulator, lines):
    with pytest.raises((TypeError, ValueError), match="lines"):
        await project.get_failure(FLAKY, lines=lines)
    assert not simulator.requests


async def test_truncated_log_is_read_again(project, simulator):
    simulator.faults.add(Fault(path="*/trace", reset="truncated"))
    assert (await project.get_failure(FLAKY)).exit_code == 1
    simulator.faults.add(Fault(path="*/trace", reset="truncated", times=None))
    with pytest.raises(ConnectionFailedError):
        await project.get_failure(FLAKY)
    assert not await others()


async def test_huge_log_takes_constant_memory():
    """A log of 60 MB; a run over 200 MB grew by as little."""
    line = b"2026-11-27T10:00:00.000000Z 01O " + b"compiling a part of the program " * 120 + b"\n"
    piece = line * 256

    async def answer(request):
        if not request.path.endswith("/trace"):
            return web.json_response({"id": 7, "status": "failed", "stage": "a", "name": "b"})
        reply = web.StreamResponse()
        await reply.prepare(request)
        for _ in range(60_000_000 // len(piece)):
            await reply.write(piece)
        await reply.write(b"2026-11-27T10:00:00.000000Z 00O ERROR: Job failed: exit code 2\n")
        return reply

    async with serving(answer) as server, GitLab(server.url, auth="t") as gitlab:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        found = await gitlab.project(1).get_failure(7)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert (found.exit_code, len(found.lines)) == (2, 20)
    assert grown < 20_000  # KiB, with the server in the same process


async def test_compressed_log_lets_other_tasks_run():
    """Megabytes of text come in one packet, so that nothing is awaited between its pieces."""
    log = gzip.compress(b"compiling a part of the program\n" * 200_000)
    turns = 0

    async def answer(_request):
        return web.Response(body=log, headers={"Content-Encoding": "gzip"})

    async def count():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    job = Job(id=7, status="failed", stage="test", name="flaky")
    async with serving(answer) as server, GitLab(server.url) as gitlab, in_background(count()):
        before = turns
        await gitlab.project(1).get_failure(job)
    assert turns - before >= 200_000 * 32 // 65_536


async def test_cancelled_read_leaves_nothing(simulator, gitlab, project):
    job = Job(id=FLAKY, status="failed", stage="test", name="flaky")
    await cancel_half_way(simulator, gitlab, project.get_failure(job))
    await cancel_half_way(simulator, gitlab, project.get_failure(FLAKY))
