"""The line of progress: its words, its times, and where it is not shown."""

import asyncio

import pytest

from gitlab_jobs_async.cli import progress as module
from gitlab_jobs_async.cli.progress import Progress, pages_of
from gitlab_jobs_async.cli.terminal import print_error
from gitlab_jobs_async.cli.views.progress import Done, progress_line
from gitlab_jobs_async.clock import SystemClock
from gitlab_jobs_async.http.hooks import RequestEnd, RequestStart
from gitlab_jobs_async.simulator import Fault
from tests.cli.test_terminal import Terminal
from tests.support.clocks import JumpClock
from tests.support.tasks import others


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (("archive", "byte", 1 << 20, 4 << 20, 2.0),
         "archive: █████░░░░░░░░░░░░░░░ 1.0 MiB of 4.0 MiB, 512.0 KiB/s, 6s left"),
        (("log", "byte", 4 << 20, None, 2.0), "log: 4.0 MiB, 2.0 MiB/s"),
        (("log", "byte", 0, 10, 2.0), "log: waiting for the server, 2s"),
        (("jobs", "page", 1, None, 4.0), "jobs: 1 page, 0.2/s"),
        (("jobs", "page", 30, None, 4.0), "jobs: 30 pages, 7.5/s"),
        (("jobs", "page", 30, 40, 10.0),
         "jobs: ███████████████░░░░░ 30 of 40 pages, 3.0/s, 3s left"),
        (("jobs", "page", 40, 40, 10.0), "jobs: 40 pages, 4.0/s"),
    ],
)  # fmt: skip
def test_line_has_bar_rate_and_time_left(arguments, shown):
    assert progress_line(Done(*arguments)) == shown


def test_line_fits_the_terminal():
    state = Done("jobs", "page", 1200, 2400, 10.0)
    ascii_only = "jobs: ##########.......... 1,200 of 2,400 pages, 120.0/s, 10s left"
    assert progress_line(state, 80, is_ascii=True) == ascii_only
    assert progress_line(state, 59) == "jobs: 1,200 of 2,400 pages, 120.0/s, 10s left"
    assert progress_line(state, 20) == "jobs: 1,200 of 2,40"


async def test_line_appears_late_seldom_and_is_cleared(capsys):
    clock = JumpClock()
    shown = Progress("jobs", "page", clock=clock, is_shown=True)
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
    shown = Progress("jobs", "page", clock=SystemClock(), is_shown=True)
    shown.start()
    await asyncio.sleep(0.1)
    assert "jobs: waiting for the server, 0s" in capsys.readouterr().err
    shown.stop()
    assert capsys.readouterr().err == "\r\x1b[K"
    await asyncio.sleep(0.05)
    assert capsys.readouterr().err == ""
    assert await others() == before


async def test_quick_or_hidden_progress_prints_nothing(capsys):
    clock = JumpClock()
    for is_shown, seconds in ((True, 1.9), (False, 60.0)):
        shown = Progress("jobs", "page", clock=clock, is_shown=is_shown)
        await clock.sleep(seconds)
        shown.add()
        shown.clear()
    assert capsys.readouterr().err == ""
    assert shown.hooks() is None


JOBS, BRIDGES, ONE = "/pipelines/:id/jobs", "/pipelines/:id/bridges", "/pipelines/:id"


@pytest.mark.parametrize(
    ("pages", "expected", "shown"),
    [
        # A pipeline, and two lists that are counted.
        ([(ONE, None), (JOBS, 5), (BRIDGES, 1), (JOBS, 5)], None, "4 of 7 pages"),
        # Rows that came meanwhile.
        ([(JOBS, 1), (JOBS, 2)], None, "2 pages"),
        # A list of more than 10,000 rows, of a project's jobs, and by GraphQL.
        ([(JOBS, None), (JOBS, None), (BRIDGES, 9)], None, "3 pages"),
        ([("/projects/:id/jobs", None), (BRIDGES, 9)], None, "2 pages"),
        ([("/graphql", None), (BRIDGES, 9)], None, "2 pages"),
        ([(ONE, None)], None, "1 page"),
        # --limit reads less than there is.
        ([(JOBS, 500)], 3, "1 of 3 pages"),
    ],
)
async def test_total_is_that_of_counted_lists(capsys, pages, expected, shown):
    clock = JumpClock()
    progress = Progress("jobs", "page", expected, clock=clock, is_shown=True)
    await clock.sleep(4.0)
    on_end = progress.hooks().on_end
    for route, total in pages:
        start = RequestStart("GET", f"https://x{route}", route, 1, 0, 0.0, False)
        on_end(RequestEnd(start, 200, 0.1, 0.1, 9, None, None, None, total))
        on_end(RequestEnd(start, 502, 0.1, 0.1, 9, "ServerError", None, 1.0, None))
        await clock.sleep(1.0)
    line = capsys.readouterr().err.split("\r\x1b[K")[-1]
    progress.stop()
    assert f"{shown}, " in line
    assert ("left" in line) == (" of " in shown)


async def test_each_item_counts_once_it_is_done(capsys):
    clock = JumpClock()
    shown = Progress("retry", "page", clock=clock, is_shown=True)
    for _ in shown.each(range(4), "job"):
        await clock.sleep(2.0)
    assert "retry: ██████████░░░░░░░░░░ 2 of 4 jobs, 0.5/s, 4s left" in capsys.readouterr().err
    # Pages no longer count.
    start = RequestStart("GET", "https://x", JOBS, 1, 0, 0.0, False)
    await clock.sleep(2.0)
    shown.hooks().on_end(RequestEnd(start, 200, 0.1, 0.1, 9, None, None, None, 7))
    assert capsys.readouterr().err == ""
    # A message takes the place of the line.
    print_error("careful")
    assert capsys.readouterr().err == "\r\x1b[Kgitlab-jobs: careful\n"
    shown.stop()


def test_pages_of_a_limit():
    assert [pages_of(limit, 3) for limit in (None, 1, 100, 101)] == [None, 3, 3, 6]


@pytest.mark.usefixtures("signed_in")
def test_piped_errors_have_no_progress(gitlab, run):
    gitlab.faults.add(Fault(latency=210.0, times=1))
    result = run("list", "group/app", "group/evil")
    assert (result.code, result.err) == (0, "")


@pytest.mark.usefixtures("signed_in")
@pytest.mark.parametrize("pager", ["cat", "head -n 1000"])
def test_slow_listing_shows_pages_and_clears_them(gitlab, world, pager):
    world.add_finished_jobs(world.project("group/empty"), 250)
    gitlab.faults.add(
        Fault(latency=120.0, times=None) if pager == "cat" else Fault(latency=230.0, times=1)
    )
    # One project is shown page by page in the pager, with progress up to the first.
    projects = ["group/empty", "group/app"] if pager == "cat" else ["group/empty"]
    terminal = Terminal(["list", *projects], 80, {"GITLAB_JOBS_PAGER": pager})
    code, text = terminal.end()
    assert code == 0
    *before, table = text.split("\r\x1b[K")
    assert any(line.startswith("jobs: ") for line in before)
    assert "jobs: " not in table
    assert ("project" in table.splitlines()[0]) == (pager == "cat")
    assert len(table.splitlines()) > 250
