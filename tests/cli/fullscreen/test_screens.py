"""The full screen on a simulated GitLab: from the pipelines to a log, and actions."""

import asyncio
import logging
import re
import webbrowser

import pytest
from attrs import evolve
from textual.events import Paste

from gitlab_jobs_async import GitLab, GroupTarget, PipelineTarget, RequestBudget
from gitlab_jobs_async.cli.errors import INTERRUPTED, CommandError
from gitlab_jobs_async.cli.fullscreen import ConnectionState, Watched, make_app
from gitlab_jobs_async.cli.fullscreen.status_words import budget_words, scan_words
from gitlab_jobs_async.events import AllTargetsUnreachable
from gitlab_jobs_async.http.hooks import RequestEnd, RequestStart
from gitlab_jobs_async.simulator import BytesLog, Fault, JobPlan, RunnerScript, World
from tests.cli.fullscreen.conftest import opened
from tests.support.command import HOSTILE_LOG, HOSTILE_NAME
from tests.support.tasks import prompt, until


@pytest.fixture
def world(clock):
    """Return a project with a failed pipeline and a manual job."""
    world = World(clock.now())
    app = world.add_project("shop/cart")
    pipeline = world.add_pipeline(app, stages=("build", "test", "deploy"), ref="main")
    fast = {"duration": 1.0, "queued": 0.0}
    world.add_job(pipeline, "compile", stage="build", plan=JobPlan(**fast))
    unit = JobPlan(**fast, outcome="failed", log=RunnerScript(failure=("E   assert 1 == 2",)))
    world.add_job(pipeline, "unit", stage="test", plan=unit)
    world.add_job(pipeline, "ship", stage="deploy", plan=JobPlan(when="manual"))
    world.settle(clock.now() + 60)
    return world


@prompt
async def test_failing_lines_are_two_keys_away(world, clock):
    async with opened(world, ["shop/cart"], clock=clock) as screen:
        await screen.shows("✗ unit", "script_failure")
        await screen.press("f", "enter")
        await screen.shows("E   assert 1 == 2", "✗ failed")
        await screen.press("g")
        await screen.shows("▹ get_sources", "▾ step_script")
        running = len(screen.app.session._tasks)
        await screen.press("r")
        await screen.shows(f"job {max(world.jobs)} ", "E   assert 1 == 2")
        await until(lambda: len(screen.app.session._tasks) <= running)
        await screen.press("q")
        await screen.shows("» ship")
        await screen.press("q")


@prompt
async def test_retry_is_one_key_and_a_line_stays(world, clock):
    async with opened(world, ["shop/cart"], clock=clock) as screen:
        await screen.shows("✗ unit", "script_failure")
        failed = max(world.jobs)
        await screen.press("f")
        assert screen.selected.job.job.name == "unit"
        await screen.press("r")
        await screen.shows("runs again as job")
        again = screen.selected.job.job.id
        assert again > failed
        await until(lambda: any(f" {again} " in f"{line} " for line in screen.lines[2:-2]))
        await screen.press("q")


@prompt
async def test_erase_and_cancel_ask_first(world, clock):
    async with opened(world, ["shop/cart"], clock=clock) as screen:
        await screen.shows("✗ unit", "script_failure")
        await screen.press("g", "e")
        await screen.shows("select a job to erase")
        await screen.press("f", "e")
        await screen.shows("Erase the log and artifacts of job")
        await screen.press("enter")
        await screen.shows("nothing was changed")
        await screen.press("e", "y")
        await screen.shows("is erased")
        posted = [one for one in screen.server.requests if one.method == "POST"]
        assert [one.path.rpartition("/")[2] for one in posted] == ["erase"]
        await screen.press("c", "y")
        await screen.shows("job 2 unit is failed")
        await screen.press("e", "y")
        await screen.shows("403")
        await screen.press("q")


@prompt
async def test_actions_change_a_pipeline_and_a_job(world, clock, monkeypatch):
    pages = []
    browser = webbrowser.BackgroundBrowser("browser")
    monkeypatch.setattr(browser, "open", lambda url: not pages.append(url))
    monkeypatch.setattr(webbrowser, "get", lambda: browser)
    pipeline = world.add_pipeline(world.project("shop/cart"), stages=("release",))
    plan = JobPlan(when="manual", queued=0.0, duration=9000.0)
    world.add_job(pipeline, "release", stage="release", plan=plan)
    async with opened(world, ["shop/cart"], clock=clock) as screen:
        await screen.shows("▸ release")
        await screen.press("g", "p")
        await screen.shows("select a job to start")
        await screen.press("o")
        await screen.shows(f"opened {screen.server.url}/shop/cart/-/pipelines/2")
        await screen.press("slash", *"manual", "enter", "p")
        await screen.shows("● release", "filter 'manual': 0 jobs")
        assert screen.selected.title == "release"
        await screen.press("escape")
        await screen.press("o")
        await until(lambda: len(pages) == 2)
        monkeypatch.setattr(webbrowser, "get", lambda: webbrowser.GenericBrowser("lynx"))
        await screen.press("o")
        await screen.shows("no browser found")
        await screen.press("g", "c", "y")
        await screen.shows("pipeline 2 is ")
        await screen.press("r")
        await screen.shows("pipeline 2 is retried: ")
    assert [url.rpartition("/-/")[2] for url in pages] == ["pipelines/2", "jobs/4"]


@prompt
async def test_group_is_listed_and_filtered(world, clock):
    old = world.add_pipeline(world.project("shop/cart"), ref="old")
    world.add_job(old, "ancient", plan=JobPlan(duration=1.0, queued=0.0))
    world.settle(clock.now() + 120)
    async with opened(world, [GroupTarget("shop")], clock=clock) as screen:
        await screen.shows("#1 main", "#2 old")
        await screen.press("g", "enter")
        await screen.shows("ancient")
        await screen.press("G")
        last = screen.app.screen.list.cursor
        await screen.press("pageup", "k", "pagedown", "pagedown", "ctrl+l")
        assert screen.app.screen.list.cursor == last > 1
        await screen.press("m")
        await screen.shows("no warnings so far")
        await screen.press("slash", *"ancx", "backspace")
        screen.app.screen.post_message(Paste("ient\nthe second line"))
        await screen.press("enter")
        await screen.shows("filter 'ancient': 1 job,")
        await screen.press("slash", "x", "escape")
        await screen.shows("#1 main", "ancient")


@prompt
async def test_rows_and_sections_are_folded_by_keys(world, clock):
    async with opened(world, ["shop/cart"], clock=clock) as screen:
        await screen.shows("✗ unit", "script_failure")
        rows = len(screen.app.screen._tree.rows)
        await screen.press("f", "h")
        assert screen.selected.title == "test"
        await screen.press("h", "h")
        assert screen.selected.title == "#1 main"
        await screen.press("h")
        assert len(screen.app.screen._tree.rows) == 1
        await screen.press("l", "plus", "f", "enter")
        await screen.shows("E   assert 1 == 2")
        unfolded = len(screen.app.screen._document.rows)
        await screen.press("minus")
        assert len(screen.app.screen._document.rows) < unfolded
        await screen.press("f")
        await screen.shows("E   assert 1 == 2")
        await screen.press("enter")
        assert "E   assert 1 == 2" not in screen.text
        await screen.press("plus", "q")
        await screen.shows("✗ unit")
        assert len(screen.app.screen._tree.rows) >= rows


@prompt
async def test_log_is_followed_searched_and_wrapped(clock):
    world = World(clock.now())
    app = world.add_project("shop/cart")
    pipeline = world.add_pipeline(app, stages=("test",))
    words = " ".join(f"word{number}" for number in range(30))
    log = BytesLog(b"".join(f"{n} {words}\n".encode() for n in range(40)))
    world.add_job(pipeline, "slow", plan=JobPlan(duration=3000.0, queued=0.0, log=log))
    async with opened(world, ["shop/cart"], clock=clock) as screen:
        await screen.shows("● slow")
        await screen.press("G", "enter")
        await screen.shows("following", "3 word0")
        await screen.press("g")
        await screen.shows("G follows", "1 0 word0")
        await screen.press("l")
        assert "0 word0" not in screen.text
        await screen.press("w")
        await screen.shows("wrapped", "word29")
        await screen.press("slash", *"word29", "enter")
        await screen.shows("lines with 'word29'")
        first = screen.app.screen._row().line
        await screen.press("n")
        assert screen.app.screen._row().line == first + 1
        await screen.press("N", "f")
        await screen.shows("not known yet")
        await screen.press("c", "y")
        await screen.shows("job 1 slow is cancel")
        await screen.press("G")
        await screen.shows("⊘ canceled")
        await until(lambda: screen.app.screen._log.is_read)


@prompt
async def test_outage_is_a_line_and_no_end(world, clock):
    async with opened(world, ["shop/cart"], clock=clock) as screen:
        await screen.shows("✗ unit")
        screen.server.faults.add(Fault(status=502, times=None))
        await screen.press("f", "r")
        await screen.shows("502")
        await screen.shows("reconnecting, last answer")
        await screen.press("enter")
        await screen.shows("log not read: HTTP 502")
        await screen.press("q")
        screen.server.faults.clear()
        # Until the monitor polls again and the error is no longer shown.
        await until(lambda: not screen.app.session.connection.words())
        await screen.press("r")
        await screen.shows("runs again as job")


@prompt
async def test_ended_pipeline_is_watched_after_retry(world, clock):
    target = PipelineTarget("shop/cart", 1)
    async with opened(world, [target], clock=clock) as screen:
        await screen.shows("ended", "✗ unit")
        await screen.press("f", "r")
        await screen.shows("runs again as job")
        # The retry fails, too, and the monitor ends once more.
        await until(lambda: "ended" in screen.lines[-2] and "✗ unit" in screen.text)
        assert screen.selected.job.job.id > 3
        assert screen.selected.job.job.status == "failed"


@prompt
async def test_mouse_sizes_and_urls(world, clock):
    async with opened(world, ["shop/cart"], clock=clock, theme="light") as screen:
        await screen.shows("✗ unit", "detail")
        screen.resize(60, 10)
        await until(lambda: "detail" not in screen.text)
        await screen.shows("✗ unit", "✗ failed")
        screen.resize(120, 30)
        await screen.shows("detail")
        place = next(n for n, line in enumerate(screen.lines) if "unit" in line)
        await screen.pilot.click(offset=(10, place))
        assert screen.selected.title == "unit"
        await screen.press("y")
        url = screen.selected.job.job.web_url
        await screen.shows(f"copied {url}")
        assert screen.app.clipboard == url
        await screen.press("t")
        await screen.shows("theme: terminal")
        await screen.press("minus")
        assert [row.title for row in screen.app.screen._tree.rows] == ["#1 main"]
        await screen.pilot.click(offset=(5, 2), times=2)
        await screen.shows("▹ test 1/1")
        await screen.press("plus", "slash", *"deploy", "enter")
        await screen.shows("filter 'deploy': 1 job,", "ship")
        assert screen.selected.title == "ship"
        assert "unit" not in "\n".join(screen.lines[2:-2])
        await screen.press("escape")
        await screen.shows("unit")


@prompt
async def test_hostile_names_and_logs_are_harmless(clock):
    world = World(clock.now())
    pipeline = world.add_pipeline(world.add_project("shop/cart"), stages=("test",), ref="x\x1b[31m")
    nasty = JobPlan(duration=1.0, queued=0.0, outcome="failed", log=BytesLog(HOSTILE_LOG))
    world.add_job(pipeline, HOSTILE_NAME, plan=nasty)
    world.settle(clock.now() + 60)
    async with opened(world, ["shop/cart"], clock=clock) as screen:
        await screen.shows("[bold]x[/]", "failed")
        await screen.press("f", "c")
        await screen.shows("Cancel job 1 [bold]x[/]")
        await screen.press("n", "enter")
        await screen.shows("red, not closed")
        await screen.press("question_mark")
        await screen.shows("back to the pipelines")
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", screen.text)


@prompt
async def test_fast_typing_acts_on_no_job(world, clock):
    async with opened(world, ["shop/cart"], clock=clock) as screen:
        await screen.shows("✗ unit")
        screen.post("f", "slash", *"xcry", "backspace", *"e unit", "ctrl+w", *"ship", "enter")
        await screen.shows("filter 'xcre ship': 0 jobs")
        screen.post("escape", "f", "c", "y")
        await screen.shows("job 2 unit is failed")
        posted = [one.path for one in screen.server.requests if one.method == "POST"]
        assert [path.rpartition("/")[2] for path in posted] == ["cancel"]


@prompt
async def test_refused_monitor_ends_the_screen(world, clock):
    def refuse(event):
        if isinstance(event, AllTargetsUnreachable):
            raise CommandError(event.reason, 4)

    with pytest.raises(CommandError, match="404"):
        async with opened(
            world, ["shop/none"], clock=clock, until_quit=True, watched={"check": refuse}
        ):
            pass


@prompt
async def test_ctrl_c_quits_while_typing(world, clock):
    async with opened(world, ["shop/cart"], clock=clock, until_quit=True) as screen:
        await screen.press("slash", "ctrl+c")
    assert screen.app.return_value == INTERRUPTED


@prompt
@pytest.mark.parametrize("keys", [["q"], ["f", "enter"], ["e"], ["question_mark"], ["slash", "x"]])
async def test_nothing_is_left_in_any_state(world, clock, keys):
    async with opened(world, ["shop/cart"], clock=clock) as screen:
        await screen.shows("✗ unit")
        await screen.press(*keys)


@prompt
async def test_footer_keys_can_be_clicked(world, clock):
    async with opened(world, ["shop/cart"], clock=clock) as screen:
        await screen.shows("✗ unit")
        place = screen.lines[-1].index("next failed")
        await screen.pilot.click(offset=(place, 29))
        await until(lambda: screen.selected.title == "unit")
        await screen.pilot.click(offset=(screen.lines[-1].index("help"), 29))
        await screen.shows("draw the screen again")


@prompt
async def test_small_budget_is_left_to_the_monitor(world, clock):
    projects = ["shop/cart", "shop/a", "shop/b"]
    for path in projects[1:]:
        world.add_project(path)
    budget = RequestBudget(per_minute=20)
    async with opened(world, projects, clock=clock, budget=budget) as screen:
        await screen.shows("✗ unit", "/20 requests/min")
        await until(lambda: screen.app.session.feed.monitor is not None)
        monitor = screen.app.session.feed.monitor
        await until(lambda: monitor.status().unscanned == 0)
        # Of three projects, two are listed; the budget may let the monitor go first.
        await until(lambda: screen.app.session.listings.is_complete)
        asked = [one.path for one in screen.server.requests]
        assert sum(path.endswith("/pipelines") for path in asked) == 2
        screen.app.session.feed.monitor = Other()
        await screen.shows("standing by: another process watches")


@prompt
async def test_warnings_are_listed_and_printed(world, clock, capsys):
    """One comes from a thread, as those of stores do; what was not read is printed at the end."""
    async with opened(world, ["shop/cart", "shop/none"], clock=clock) as screen:
        await screen.shows("✗ unit", "m: 2 warnings")
        away = logging.LogRecord("store", logging.WARNING, "", 0, "store away", (), None)
        await asyncio.to_thread(logging.lastResort.handle, away)
        await asyncio.to_thread(logging.lastResort.handle, away)
        await screen.shows("m: 3 warnings", "store away")
        await screen.press("m")
        await screen.shows("warnings ─", "store away (2 times)", "shop/none: project unreachable: ")
        await screen.press("escape")
        assert "warning" not in screen.lines[-2]
        screen.app.session.warn("late")
    printed = capsys.readouterr().err
    assert "gitlab-jobs: late\n" in printed
    assert "store away" not in printed


@prompt
async def test_server_that_is_away_at_first_is_shown(world, clock):
    away = Fault(status=503, times=None)
    async with opened(world, ["shop/cart"], clock=clock, faults=[away]) as screen:
        await screen.shows("connecting, no answer for ", "m ")
        assert "no pipelines" not in screen.text
        assert "warning" not in screen.text, "an outage has a line of its own"
        screen.server.faults.clear()
        # The recent pipelines are listed, too: the monitor reports only jobs that have not ended.
        await screen.shows("✗ unit")
        await until(lambda: "read" not in screen.lines[-2])
        assert not screen.app.session.connection.words()


def test_pages_of_a_reading_are_counted(clock):
    state = ConnectionState(clock)
    url, route = (
        "https://x/api/v4/projects/1/pipelines/7/jobs",
        "/projects/:id/pipelines/:pipeline_id/jobs",
    )
    start = RequestStart("GET", url, route, 1, 0, 0.0, is_stream=False)
    for status, total in ((200, 100), (503, None), (200, None)):
        state.on_end(RequestEnd(start, status, 1.0, 1.0, 9, None, None, None, total))
    assert (state.read_of(7), state.read_of(8)) == ("2 of 100 pages", "0 pages")
    assert scan_words((0, 0), state.pages) == "reading, 2 pages read"
    assert scan_words((1, 3), 1) == "first scan: 1 of 3, 1 page read"
    assert scan_words(None, 5) == ""


@pytest.mark.parametrize(("connection", "seconds"), [("", 1.0), ("10.0.0.1 22", 5.0)])
def test_times_tick_slowly_over_ssh(clock, monkeypatch, connection, seconds):
    monkeypatch.setenv("SSH_CONNECTION", connection)
    watched = Watched(check=lambda _event: None)
    app = make_app(GitLab("https://gitlab.example.com"), ConnectionState(clock), [], watched)
    assert app._tick == seconds


class Other:
    """The monitor of a process that has no shard."""

    shards = frozenset()


def test_budget_is_rounded_or_says_the_pause():
    free = RequestBudget().snapshot(0.0)
    assert budget_words(evolve(free, used=230), 0.0) == "≤300 requests/min"
    paused = evolve(free, paused_until=90.0, pause_reason="HTTP 429\x1b[31m")
    assert budget_words(paused, 0.0) == "paused for 1m 30s: HTTP 429"
    assert budget_words(evolve(paused, pause_reason=None), 100.0) == "paused for 0s"
