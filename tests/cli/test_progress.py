"""The line of progress: its words, its times, and where it is not shown."""

import asyncio

import pytest

from gitlab_jobs_async.cli import progress as module
from gitlab_jobs_async.cli.progress import Progress, progress_line
from gitlab_jobs_async.clock import SystemClock
from gitlab_jobs_async.simulator import Fault
from tests.cli.test_terminal import Terminal
from tests.support.clocks import JumpClock
from tests.support.tasks import others


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (("archive", 1 << 20, 3 << 20, 2.0, "bytes"),
         "archive: 1.0 MiB of 3.0 MiB, 512.0 KiB/s, 4s left"),
        (("log", 4 << 20, None, 2.0, "bytes"), "log: 4.0 MiB, 2.0 MiB/s"),
        (("log", 0, 10, 2.0, "bytes"), "log: waiting for the server, 2s"),
        (("jobs", 1, None, 4.0, "pages"), "jobs: 1 page, 0.2/s"),
        (("jobs", 30, None, 4.0, "pages"), "jobs: 30 pages, 7.5/s"),
    ],
)  # fmt: skip
def test_line_has_rate_and_time_left(arguments, shown):
    assert progress_line(*arguments) == shown


async def test_line_appears_late_seldom_and_is_cleared(capsys):
    clock = JumpClock()
    shown = Progress("jobs", "pages", clock, True)
    for _ in range(40):
        shown.add()
        await clock.sleep(0.1)
    lines = capsys.readouterr().err.split("\r\x1b[K")
    # After 2 of 4 seconds, and not at each of the pages.
    assert 4 <= len(lines) <= 9
    assert lines[1].startswith("jobs: 2")
    shown.clear()
    assert capsys.readouterr().err == "\r\x1b[K"
    shown.clear()
    assert capsys.readouterr().err == ""


async def test_line_says_that_nothing_comes(capsys, monkeypatch):
    monkeypatch.setattr(module, "_WAITING", 0.01)
    monkeypatch.setattr(module, "QUIET_SECONDS", 0.02)
    before = await others()
    shown = Progress("jobs", "pages", SystemClock(), True)
    shown.start()
    await asyncio.sleep(0.1)
    assert "jobs: waiting for the server, 0s" in capsys.readouterr().err
    shown.clear()
    assert capsys.readouterr().err == "\r\x1b[K"
    await asyncio.sleep(0.05)
    assert capsys.readouterr().err == ""
    assert await others() == before


async def test_quick_or_hidden_progress_prints_nothing(capsys):
    clock = JumpClock()
    for is_shown, seconds in ((True, 1.9), (False, 60.0)):
        shown = Progress("jobs", "pages", clock, is_shown)
        await clock.sleep(seconds)
        shown.add()
        shown.clear()
    assert capsys.readouterr().err == ""
    assert shown.hooks() is None


@pytest.mark.usefixtures("signed_in")
def test_piped_errors_have_no_progress(gitlab, run):
    gitlab.faults.add(Fault(latency=210.0, times=1))
    result = run("list", "group/app", "group/evil")
    assert (result.code, result.err) == (0, "")


@pytest.mark.usefixtures("signed_in")
def test_slow_listing_shows_pages_and_clears_them(gitlab, world):
    world.add_finished_jobs(world.project("group/empty"), 250)
    gitlab.faults.add(Fault(latency=120.0, times=None))
    terminal = Terminal(["list", "group/empty", "group/app"], 80, {})
    code, text = terminal.end()
    assert code == 0
    *before, table = text.split("\r\x1b[K")
    assert any(line.startswith("jobs: ") for line in before)
    assert "jobs: " not in table
    assert "project" in table.splitlines()[0]
