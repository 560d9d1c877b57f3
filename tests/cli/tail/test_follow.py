"""Follow selected jobs on a clock that only the client's waits advance."""

import asyncio
import logging
import re

import pytest

from gitlab_jobs_async import GitLab, GroupTarget, PipelineTarget, PollPolicy
from gitlab_jobs_async.cli.errors import CommandError
from gitlab_jobs_async.cli.tail.follow import SelectedLogs, follow, show_present
from gitlab_jobs_async.cli.tail.log_slots import LogSlots
from gitlab_jobs_async.cli.tail.printer import LogPrinter
from gitlab_jobs_async.cli.tail.selection import JobFilter, JobSelection
from gitlab_jobs_async.cli.terminal import WarningHandler
from gitlab_jobs_async.cli.views.job_labels import JobLabels
from gitlab_jobs_async.cli.views.log_lines import LogView
from gitlab_jobs_async.cli.views.log_style import LogStyle
from gitlab_jobs_async.simulator import BytesLog, Fault, JobPlan
from tests.support.cancellation import cancel_half_way
from tests.support.clocks import JumpClock
from tests.support.connections import open_connections
from tests.support.tasks import others, until


@pytest.fixture
def clock():
    return JumpClock()


@pytest.fixture
async def gitlab(simulator, clock):
    async with GitLab(simulator.url, auth=simulator.token, clock=clock) as client:
        yield client


@pytest.fixture
def pipeline(simulator):
    return simulator.world.add_pipeline(
        simulator.world.add_project("group/new"), stages=("build", "test")
    )


@pytest.fixture
def start(simulator, pipeline):
    """Add a job of the pipeline, or of another one."""

    def add(name, log=b"one\ntwo\n", *, at=None, stage="build", **plan):
        plan = {"duration": 60.0, "queued": 0.0, "first_upload": 5.0, "upload_interval": 9.0} | plan
        plan = JobPlan(log=BytesLog(log), **plan)
        job = simulator.world.add_job(at or pipeline, name, stage=stage, plan=plan)
        simulator.world.settle(simulator.clock.now())
        return job

    return add


def selected(last=None, most=50, grep=(), **patterns):
    patterns = {name: tuple(texts) for name, texts in patterns.items()}
    view = LogView(LogStyle(grep=grep), is_coloured=False, labels=JobLabels(has_project=False))
    selection = JobSelection(JobFilter(**patterns))
    return SelectedLogs(selection, LogPrinter(view), LogSlots(most), last)


@pytest.fixture
def output(capfd):
    """Return the lines of each job by its name, and the lines on stderr."""

    def read():
        out, err = capfd.readouterr()
        lines = {}
        for line in out.splitlines():
            label, _, text = line.partition(" | ")
            lines.setdefault(label.rpartition(" ")[0], []).append(text)
        return lines, [line.removeprefix("gitlab-jobs: ") for line in err.splitlines()]

    return read


async def test_jobs_join_and_leave(gitlab, start, pipeline, output):
    again = JobPlan(duration=5.0, queued=1.0, log=BytesLog(b"again\n"))
    retried = start("flaky", b"1\n", outcome="failed", auto_retry=1, attempts=(again,))
    start("quick", b"q\n", duration=1.0, queued=20.0)
    start("never", outcome="skipped")
    start("later", stage="test", duration=200.0)
    await follow(gitlab, [PipelineTarget("group/new", pipeline.id)], selected(), PollPolicy())
    lines, said = output()
    assert lines == {"flaky": ["1", "again"], "quick": ["q"], "later": ["one", "two"]}
    assert f"group/new flaky {retried.id} failed after 1m 00s (script_failure)" in said
    assert f"group/new flaky {pipeline.jobs[-1].id} succeeded after 5s" in said
    assert said[-1].startswith("group/new later ")
    assert said[-1].endswith(" succeeded after 3m 20s")
    assert len(said) == 4


async def test_filters_select_by_name_stage_and_ref(gitlab, simulator, start, pipeline, output):
    other = simulator.world.add_pipeline(simulator.world.project("group/new"), ref="feature")
    for name in ("unit: a", "unit: b", "lint", "unit: docs"):
        start(name)
    start("unit: c", at=other)
    start("unit: d", stage="test")
    logs = selected(jobs=["^unit", "li"], exclude=["docs", ": a"], stage=["^b"], ref=["main"])
    targets = [PipelineTarget("group/new", pipeline.id), PipelineTarget("group/new", other.id)]
    await follow(gitlab, targets, logs, PollPolicy())
    assert output()[0].keys() == {"unit: b", "lint"}


@pytest.mark.parametrize("most", [1, 2])
async def test_jobs_beyond_the_bound_wait(gitlab, start, pipeline, output, most):
    for number in range(4):
        start(f"job {number}", duration=10.0 + number)
    logs = selected(most=most)
    await follow(gitlab, [PipelineTarget("group/new", pipeline.id)], logs, PollPolicy())
    lines, said = output()
    assert lines == {f"job {number}": ["one", "two"] for number in range(4)}
    logs_at_once = "1 log" if most == 1 else "2 logs"
    bound = f"--max-logs: {logs_at_once} at once; further jobs wait for an end"
    assert said.count(bound) == 1
    assert len(said) == 5


async def test_old_lines_are_limited_and_new_jobs_whole(gitlab, start, pipeline, output, simulator):
    start("old", b"".join(b"%d\n" % number for number in range(100)), duration=100.0)
    simulator.clock.advance(50)
    # It has ended when it is seen.
    start("new", b"a\nb\nc\n", stage="test", duration=0.1)
    await follow(gitlab, [PipelineTarget("group/new", pipeline.id)], selected(2), PollPolicy())
    lines, _ = output()
    assert lines["new"] == ["a", "b", "c"]
    assert 10 < len(lines["old"]) < 60
    assert lines["old"][-1] == "99"


async def test_old_lines_are_those_that_pass(gitlab, start, pipeline, output, simulator):
    start("old", b"".join(b"%d\n" % number for number in range(100)), duration=100.0)
    simulator.clock.advance(50)
    logs = selected(2, grep=("5$",))
    await follow(gitlab, [PipelineTarget("group/new", pipeline.id)], logs, PollPolicy())
    shown = output()[0]["old"]
    first = shown.index("45")
    assert shown[first - 1 :] == [str(number) for number in range(35, 100, 10)]
    assert first == 1


async def test_outage_is_one_line_and_loses_nothing(
    gitlab, start, pipeline, output, simulator, monkeypatch
):
    monkeypatch.setattr(logging, "lastResort", WarningHandler(logging.WARNING))
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    for number in range(6):
        start(f"job {number}", b"x\n" * 30, duration=300.0)
    simulator.faults.add(Fault(status=502, skip=20, times=100))
    await follow(gitlab, [PipelineTarget("group/new", pipeline.id)], selected(), PollPolicy())
    lines, said = output()
    assert lines == {f"job {number}": ["x"] * 30 for number in range(6)}
    assert len([line for line in said if "retrying" in line]) == 1
    assert len(said) == 7


async def test_unreadable_log_is_named_and_ends_nothing(gitlab, start, pipeline, output, simulator):
    first, _ = start("first"), start("second")
    simulator.faults.add(Fault(path=f"*/jobs/{first.id}/trace", status=403, times=None))
    logs = selected()
    await follow(gitlab, [PipelineTarget("group/new", pipeline.id)], logs, PollPolicy())
    lines, said = output()
    assert logs.code_so_far == 4
    assert lines.keys() == {"second"}
    assert any(line.startswith(f"group/new first {first.id}: GET ") for line in said)


@pytest.mark.parametrize("names", [["group/none"], ["group/none", "group/other"]])
async def test_unknown_targets_are_an_error(gitlab, output, names):
    several = "any of 2 targets (project group/none, project group/other)"
    which = re.escape("project group/none" if len(names) == 1 else several)
    with pytest.raises(CommandError, match=f"cannot read {which}: HTTP 404"):
        await follow(gitlab, names, selected(), PollPolicy())
    # Of several, each is named.
    said = output()[1]
    assert [line.partition(" ")[0] for line in said] == (names if len(names) > 1 else [])


@pytest.mark.parametrize("target", ["group/new", GroupTarget("group")])
async def test_cancelled_tail_leaves_nothing(gitlab, start, capfd, target, pipeline):
    before = await others()
    start("runs", b"x\n" * 5000, duration=1e5)
    following = follow(gitlab, [target], selected(), PollPolicy())
    task = asyncio.create_task(following)
    shown = []

    def has_joined():
        shown.append(capfd.readouterr().out)
        text = "".join(shown)
        if "runs" in text and len(pipeline.jobs) == 1:
            start("joins", b"y\n" * 5000, duration=1e5)
        return "joins" in text

    await until(has_joined)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await others() == before
    assert open_connections(gitlab) == 0


async def test_cancelled_present_leaves_nothing(gitlab, start, simulator):
    for number in range(6):
        start(f"job {number}", duration=0.1)
    jobs = [("group/new", job) for job in await gitlab.project("group/new").list_jobs()]
    showing = show_present(gitlab, jobs, selected().printer, None)
    await cancel_half_way(simulator, gitlab, showing)
