"""The live view of a monitor, which always fits the screen."""

import asyncio
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from gitlab_jobs_async import RequestBudget
from gitlab_jobs_async.cli.views.board import Board
from gitlab_jobs_async.cli.views.board_layout import board_lines
from gitlab_jobs_async.cli.views.footer import footer_lines, problem_lines
from gitlab_jobs_async.cli.views.live import Dashboard, RefreshRate, live_view
from gitlab_jobs_async.cli.views.log_pane import LogPane
from gitlab_jobs_async.events import JobLogFailed, ProjectUnreachable
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.ratelimit.snapshot import BudgetSnapshot
from tests.support.command import HOSTILE_NAME, NASTY
from tests.support.sample_events import NOW, appeared, bridge, job, log_ended, log_line
from tests.support.tasks import until

STAGES = ("build", "test", "deploy")
SMALL, LARGE = (80, 24), (100, 40)


class StoppedClock:
    def now(self):
        return NOW

    async def sleep(self, seconds):
        raise NotImplementedError


def emitted(events, **options):
    dashboard = Dashboard(RequestBudget(), lambda: 3, StoppedClock(), **options)
    for event in events:
        dashboard.add(event)
    return dashboard


def shown(dashboard, size, *, colours=False):
    width, height = size
    out = io.StringIO()
    console = Console(
        file=out, width=width, height=height, force_terminal=colours, legacy_windows=False
    )
    console.print(dashboard, height=height)
    return out.getvalue()


def lines_of(dashboard, size):
    return [line.rstrip() for line in shown(dashboard, size).splitlines()]


def test_last_warning_is_below_the_table():
    dashboard = emitted([appeared(job(1, "compile", "running"))])
    for words in ("log unavailable", "store is locked\x1b[31m"):
        dashboard.warn(words)
    assert "✗ warning store is locked" in shown(dashboard, SMALL)
    assert "unavailable" not in shown(dashboard, SMALL)
    assert "\x1b" not in shown(dashboard, SMALL)


def busy(pipelines=3, jobs=6):
    for number in range(1, pipelines + 1):
        for place in range(jobs):
            name = f"job {place}"
            status = ("success", "running", "failed", "created")[place % 4]
            one = job(number * 100 + place, name, status, number, stage=STAGES[place * 3 // jobs])
            yield appeared(one, project=f"group/app-{number}")


def test_board_on_a_small_terminal():
    failed = job(
        4, "e2e", "failed", stage="test", failure_reason="script_failure", allow_failure=False
    )
    dashboard = emitted(
        [
            appeared(job(1, "compile", "success", stage="build", duration=65.0)),
            appeared(job(2, "unit 1/2", "running")),
            appeared(bridge(3, "trigger images", 8, status="success", duration=1.0)),
            appeared(failed, replaces=2),
            appeared(job(5, "lint", "failed", allow_failure=True)),
            appeared(job(6, "deploy", "manual", stage="deploy")),
            appeared(job(7, "image", "pending", pipeline_id=8, queued_duration=3.0)),
            ProjectUnreachable(key="k", project="group/secret", reason="404 Not Found"),
        ]
    )
    assert [line for line in lines_of(dashboard, SMALL) if line] == [
        "  stage      job                                  status                    time",
        "● group/app #7 main                               ━━━━━━━━━━━──     4/6   1m 00s",
        "  build      compile                              ✓ success               1m 05s",
        "  test       unit 1/2                             ● running                   5s",
        "  test       trigger images → #8                  ✓ success                   1s",
        "  test       e2e ↻ 2                              ✗ failed                    5s",
        "  test       lint                                 ✗ failed     allowed        5s",
        "  deploy     deploy                               ▸ manual",
        "◌ ↳ group/app #8 main of #7                       ─────────────     0/1   1m 00s",
        "  test       image                                ◌ pending                   3s",
        "✗ group/secret 404 Not Found",
        "8 events · 3 targets · 1 unreachable · 0 requests a minute",
    ]


@pytest.mark.parametrize("size", [SMALL, LARGE, (40, 10), (200, 60)])
@pytest.mark.parametrize("logs", [False, True])
@pytest.mark.parametrize("pipelines", [0, 1, 4, 30])
def test_view_fits_the_screen(size, logs, pipelines):
    events = list(busy(pipelines))
    if logs:
        events += [log_line(job(1, "unit"), n, f"line {n}\t{'x' * 300}") for n in range(300)]
    lines = shown(emitted(events, logs=LogPane() if logs else None), size).splitlines()
    assert len(lines) == size[1]
    assert all(cell_len(line) <= size[0] for line in lines)
    assert lines[-1].startswith(f"{len(events):,} events") or lines[-2].startswith(
        f"{len(events):,} events"
    )


def test_hidden_rows_are_counted():
    lines = lines_of(emitted(busy(30, 6)), SMALL)
    assert lines[1].startswith("● group/app-30 #30")
    assert sum("#" in line for line in lines) == 10
    assert lines[-2].startswith("… and")
    assert lines[-2].endswith("20 more pipelines")
    lines = lines_of(emitted(busy(1, 100)), LARGE)
    assert lines[-2] == "… and 64 more jobs"


def test_active_pipelines_get_the_lines_first():
    events = [appeared(job(n, "old", "failed", pipeline_id=n)) for n in range(100, 150)]
    lines = lines_of(emitted([*events, *busy(2, 12)]), SMALL)
    assert sum("job " in line for line in lines) >= 12
    assert [line for line in lines if "running" in line]


def test_only_failures():
    events = [*busy(2, 6), appeared(job(900, "fine", "running", pipeline_id=9))]
    lines = lines_of(emitted(events, failed_only=True), SMALL)
    assert not any("running" in line or "#9" in line for line in lines)
    assert sum("✗ failed" in line for line in lines) == 2
    assert sum("/6" in line for line in lines) == 2
    assert "no failed jobs" in lines_of(emitted([], failed_only=True), SMALL)[1]
    assert "no pipelines" in lines_of(emitted([]), SMALL)[1]


def test_old_pipelines_are_dim():
    board = Board()
    board.add(appeared(job(1, "a", "success")), NOW)
    fresh, faded = (board_lines(board, NOW + since, 80, 9)[1] for since in (0, 61))
    assert "dim" not in {str(span.style) for span in fresh.spans}
    assert "dim" in {str(span.style) for span in faded.spans}


@settings(max_examples=60)
@given(NASTY, NASTY, NASTY, NASTY, st.integers(30, 120))
def test_names_add_no_style(name, stage, project, reason, width):
    evil = job(5, name, reason, stage=stage, failure_reason=reason, web_url=project)
    events = [
        appeared(evil, project=project),
        appeared(bridge(6, name, 9, status="failed", failure_reason=reason), project=3),
        log_line(evil, 1, "x", project=project),
        JobLogFailed(key="k", project=project, job=evil, reason=reason),
        ProjectUnreachable(key="k", project=project, reason=reason),
    ]
    for pane in (LogPane(), LogPane(only=name)):
        lines = shown(emitted(events, logs=pane), (width, 24)).split("\n")
        assert len(lines) == 25
        for line in lines:
            assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in line)
            assert "\u202e" not in line
            assert cell_len(line) <= width


def test_hostile_names_are_cleaned_with_colours():
    events = [appeared(job(1, HOSTILE_NAME * 4)), log_line(job(1, HOSTILE_NAME), 1, "x")]
    text = shown(emitted(events, logs=LogPane()), SMALL, colours=True)
    assert "\x1b]" not in text
    assert "\x1b[2J" not in text
    assert "[bold]x[/]" in text


def test_log_pane_names_each_job():
    pane = LogPane()
    pane.add(log_line(job(1, "unit"), 1, "one", "\x1b[31mone\x1b[0m"))
    pane.add(log_line(job(2, "a long name of a job to cut"), 1, "two"))
    pane.add(log_ended(job(1, "unit")))
    pane.add(JobLogFailed(key="k", project="a/b", job=job(2, "x"), reason="403 Forbidden"))
    dashboard = emitted([], logs=pane)
    lines = lines_of(dashboard, SMALL)
    assert any("unit                     │ one" in line for line in lines), lines
    assert any("a long name of a job to… │ two" in line for line in lines)
    assert any("│ log unavailable: 403 Forbidden" in line for line in lines)
    assert any(line.endswith("2 lines ─╯") for line in lines)
    assert any("app unit                 │ one" in line for line in lines_of(dashboard, LARGE))
    assert "\x1b[31mone" in shown(dashboard, SMALL, colours=True)


def test_log_pane_shows_a_single_job():
    pane, first, again = LogPane(only="first"), job(1, "first"), job(3, "first")
    section = ("step_script",)
    pane.add(log_line(first, 1, "one", section=section))
    pane.add(log_line(job(2, "second"), 1, "no"))
    pane.add(log_ended(job(2, "second")))
    pane.add(log_line(first, 2, "two", section=section))
    pane.add(log_ended(first))
    text = shown(emitted([], logs=pane), SMALL)
    assert "╭─ group/app · first · job 1 ─" in text
    assert all(word in text for word in ("▾ step_script", "   1  one", "   2  two", "2 lines"))
    assert "no" not in text.replace("no pipelines", "")
    pane.add(log_line(again, 1, "three"))
    text = shown(emitted([], logs=pane), SMALL)
    assert "first · job 3" in text
    assert "two" not in text


def test_footer_shows_the_budget():
    snapshot = BudgetSnapshot(limit=600, used=58, remaining=542, reset=None, waiting=3)
    (line,) = footer_lines(1234, 1, 0, snapshot, 100)
    assert line.plain.rstrip() == (
        "1,234 events · 1 target · 58 requests a minute · limit 600 · 542 left · 3 waiting"
    )
    lines = footer_lines(1234, 1, 2, snapshot, 60)
    assert [cell_len(line.plain) for line in lines] == [60, 60]


def test_many_unreachable_projects_take_few_lines():
    lines = problem_lines({f"group/{n}": "404 Not Found" for n in range(9)}, 60)
    assert [line.plain.rstrip() for line in lines] == [
        "✗ group/0 404 Not Found",
        "✗ group/1 404 Not Found",
        "✗ … and 7 more unreachable",
    ]


def test_thousands_of_jobs_fit_too():
    lines = lines_of(emitted(busy(1000, 10)), LARGE)
    assert len(lines) == LARGE[1]
    assert lines[-1].startswith("10,000 events")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def terminal():
    return Console(
        file=Terminal(), force_terminal=True, width=80, height=24, color_system=None,
        _environ={"TERM": "xterm"},
    )  # fmt: skip


async def test_burst_of_events_is_drawn_rarely():
    console = terminal()
    async with live_view(console, emitted([])) as tell:
        for event in busy(100, 10):
            tell(event)
    text = console.file.getvalue()
    assert text.count("no pipelines") == 1
    assert text.count("1,000 events") == 1
    assert text.index("\x1b[?1049h") < text.index("\x1b[?1049l") < text.index("1,000 events")
    assert len(asyncio.all_tasks()) == 1


async def test_interrupt_leaves_the_last_state():
    console = terminal()

    async def watch():
        async with live_view(console, emitted([])) as tell:
            tell(appeared(job(1)))
            await asyncio.Event().wait()

    task = asyncio.create_task(watch())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    text = console.file.getvalue()
    assert "1 events" not in text
    assert "1 event " in text.partition("\x1b[?1049l")[2]
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
    assert len(asyncio.all_tasks()) == 1


async def test_live_view_fills_the_screen():
    console = terminal()
    async with live_view(console, emitted([]), RefreshRate(fastest=0.001, slowest=0.0)):
        await until(lambda: "no pipelines" in console.file.getvalue())
    first = console.file.getvalue().partition("no pipelines")[2]
    assert first.partition("0 events")[0].count("\n") == 24 - 2


def test_narrow_terminal_omits_the_stage():
    lines = lines_of(emitted([appeared(job(1, "integration", "running"))]), (44, 14))
    assert lines[0].split() == ["job", "status", "time"]
    assert any(line.startswith("  integration") for line in lines)


async def test_times_tick_without_events():
    console = terminal()
    async with live_view(console, emitted([]), RefreshRate(fastest=0.001, slowest=0.0)):
        await until(lambda: console.file.getvalue().count("no pipelines") >= 5)


async def test_drawing_error_is_raised():
    console = terminal()
    dashboard = emitted([])

    async def watch():
        async with live_view(console, dashboard, RefreshRate(fastest=0.001, slowest=0.0)):
            dashboard.targets = lambda: (_ for _ in ()).throw(OSError("gone"))
            await until(lambda: len(asyncio.all_tasks()) == 1)
            dashboard.targets = lambda: 3

    with pytest.raises(OSError, match="gone"):
        await watch()


def test_headline_is_the_first_line():
    lines = lines_of(emitted([], headline="see \x1b[2Jthis"), SMALL)
    assert lines[0] == "see this"
    assert len(lines) == SMALL[1]


def test_unknown_status_is_shown():
    dashboard = emitted([appeared(job(1, status=JobStatus("dreaming")))])
    assert any("? dreaming" in line for line in lines_of(dashboard, SMALL))
