"""Nothing that a server says can drive, reorder or hide what a terminal shows, on any way to it."""

import asyncio
import json
import logging
import re
import sys
import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from gitlab_jobs_async.cli import terminal
from gitlab_jobs_async.cli.cleaning import (
    clean,
    clean_log,
    ellipsis,
    escape_hidden,
    escape_non_ascii,
)
from gitlab_jobs_async.cli.commands.showing import job_facts
from gitlab_jobs_async.cli.output import print_facts, print_table
from gitlab_jobs_async.cli.runner import run_process
from gitlab_jobs_async.cli.terminal import WarningHandler, print_error
from gitlab_jobs_async.cli.views.archive_columns import ENTRY_COLUMNS
from gitlab_jobs_async.cli.views.board import Board
from gitlab_jobs_async.cli.views.board_layout import board_lines
from gitlab_jobs_async.cli.views.events import plain_event
from gitlab_jobs_async.cli.views.footer import problem_lines
from gitlab_jobs_async.cli.views.job_columns import JOB_COLUMNS
from gitlab_jobs_async.cli.views.job_labels import JobLabels, ShownJob
from gitlab_jobs_async.cli.views.log_lines import LogView, line_as_json
from gitlab_jobs_async.cli.views.log_pane import LogPane
from gitlab_jobs_async.cli.views.log_style import LogStyle
from gitlab_jobs_async.cli.views.rows import json_line, plain_line
from gitlab_jobs_async.cli.views.tables import jobs_table
from gitlab_jobs_async.events import (
    JobAppeared,
    JobFinished,
    JobLogLine,
    ProjectUnreachable,
)
from gitlab_jobs_async.logs.ansi import readable
from gitlab_jobs_async.models.artifacts import ArtifactEntry
from gitlab_jobs_async.models.jobs import Commit, Job, Runner, User
from gitlab_jobs_async.models.logs import LogLine, Section
from gitlab_jobs_async.models.pipelines import Pipeline
from gitlab_jobs_async.models.statuses import FailureReason, JobStatus

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
HIDING = "\u200b\u2060\u2063\ufeff\u00ad\u034f\u115f\u1160\u3164\u180e\ufff9\ufffb\U000e0100"
TAGS = "\U000e0001\U000e0020\U000e0041\U000e007f"
LINES = "\u2028\u2029\x85"
STARTS = "\x90\x98\x9b\x9d\x9e\x9f"
"""What begins a sequence that is left out whole."""
C1 = "".join(map(chr, range(0x80, 0xA0)))
NEVER = BIDI + HIDING + TAGS + LINES + C1 + "".join(map(chr, [*range(9), *range(0xB, 0x1B), 0x7F]))
HOSTILE = f"a{'b'.join(NEVER)}\x1b]0;owned\x07\x1b[2Jz"
HOSTILE_TEXT = st.text(
    st.sampled_from("\x1b\x9b[]m;0\\\u200d\u200c\ufe0f é日")
    | st.sampled_from(NEVER)
    | st.characters()
)


def seen(text):
    """Return the characters of *text* that must not reach a terminal."""
    return sorted({hex(ord(letter)) for letter in text if letter in NEVER})


@given(HOSTILE_TEXT)
def test_clean_text_holds_nothing_hidden(text):
    shown = clean(text)
    assert not seen(shown)
    assert "\x1b" not in shown
    assert clean(shown) == shown
    assert not any(unicodedata.category(letter) in {"Cc", "Zl", "Zp", "Cs"} for letter in shown)


@given(HOSTILE_TEXT)
def test_clean_log_keeps_colours_and_tabs_alone(text):
    shown = clean_log(text)
    assert not seen(shown.replace("\t", ""))
    assert not re.search(r"\x1b(?!\[[0-9;:]*m)", shown)
    assert clean_log(shown) == shown


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("a\x1b]0;x\x07", "a ]0;x "),
        ("\x1b[2J\x1b[1;31mred\x1b[m\x1b", " [2J\x1b[1;31mred\x1b[m "),
        ("a\tb", "a\tb"),
        ("a\r\nb", "a  b"),
    ],
)
def test_clean_log_is_a_second_barrier(line, shown):
    assert clean_log(line) == shown


@given(HOSTILE_TEXT)
def test_escaped_json_is_the_same_value(text):
    line = escape_hidden(json.dumps(text, ensure_ascii=False))
    assert json.loads(line) == text
    assert not seen(line)
    ascii_line = escape_non_ascii(line)
    assert (json.loads(ascii_line), ascii_line.isascii()) == (text, True)


@pytest.mark.parametrize("letter", NEVER)
def test_hidden_letter_reaches_no_text(letter):
    if letter not in STARTS:
        assert clean(f"pass{letter}word") in {"password", "pass word"}
    assert clean_log(f"pass{letter}word") in {"password", "pass word"}
    assert clean_log(f"pass{letter}word\t\x1b[31mred") in {
        f"pass{gap}word\t\x1b[31mred" for gap in ("", " ")
    }
    assert escape_hidden(f'"{letter}"').isascii()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("👩‍👩‍👧 family", "👩‍👩‍👧 family"),  # joined emoji
        ("❤️ 1️⃣", "❤️ 1️⃣"),
        ("🏳️‍🌈", "🏳️‍🌈"),
        ("می‌خواهم", "می‌خواهم"),  # Persian needs the non-joiner
        ("क्‍ष", "क्‍ष"),
        ("שלום عربي", "שלום عربي"),
        ("pass\u200dword", "password"),
        ("é\u200d\u200d\u200cé", "é\u200dé"),
        ("é\u200d", "é"),
        ("x\u200dé", "xé"),
        ("\u200d é", "é"),
        ("x\ufe0f\ufe01\ufe0f", "x\ufe0f"),
        ("🏴\U000e0067\U000e0062\U000e007f", "🏴"),
        ("ab\u202egnp.exe", "abgnp.exe"),
    ],
)
def test_joined_letters_stay_readable(text, shown):
    assert clean(text) == shown
    assert ellipsis(text, 100) == shown


def hostile_job(**more):
    return Job(
        id=1,
        name=HOSTILE,
        stage=HOSTILE,
        status=JobStatus(f"failed{HOSTILE}"),
        ref=HOSTILE,
        failure_reason=FailureReason(HOSTILE),
        coverage=HOSTILE,
        user=User(id=1, username=HOSTILE),
        commit=Commit(id=HOSTILE, short_id=HOSTILE, title=HOSTILE),
        runner=Runner(id=1, description=HOSTILE),
        tag_list=(HOSTILE,),
        web_url=HOSTILE,
        pipeline=Pipeline(id=2, status=JobStatus(HOSTILE), ref=HOSTILE, name=HOSTILE),
        **more,
    )


def printed(*values):
    console = Console(width=200, force_terminal=True, color_system="truecolor", file=sys.stderr)
    with console.capture() as captured:
        for value in values:
            console.print(value)
    return captured.get()


LINE = LogLine(
    1,
    *readable(HOSTILE),
    section=(HOSTILE,),
    markers=(Section((HOSTILE,), NOW), Section((HOSTILE,), NOW, NOW)),
)


def boarded():
    board = Board()
    board.add(JobAppeared(key="1", project=HOSTILE, job=hostile_job()), 1.0)
    return board


def paned():
    pane = LogPane(only=HOSTILE)
    pane.add(JobLogLine(key="1", project=HOSTILE, job=hostile_job(), line=LINE))
    return pane


SHOWN_JOB = ShownJob(HOSTILE, 1, HOSTILE, HOSTILE, HOSTILE)


def tailed(*, is_coloured, **style):
    labels = JobLabels()
    labels.add(SHOWN_JOB)
    view = LogView(LogStyle(sections=True, **style), is_coloured=is_coloured, labels=labels)
    return view.text(SHOWN_JOB, LINE)


EVENTS = [
    JobFinished(key="1", project=HOSTILE, job=hostile_job(), previous=JobStatus(HOSTILE)),
    JobLogLine(key="1", project=HOSTILE, job=hostile_job(), line=LINE),
    ProjectUnreachable(key="1", project=HOSTILE, reason=HOSTILE),
]
SHOWN = {
    "list": lambda: printed(jobs_table([(HOSTILE, hostile_job()), ("b", hostile_job())], NOW)),
    "list in a pipe": lambda: plain_line(
        one.plain((HOSTILE, hostile_job())) for one in JOB_COLUMNS
    ).replace("\t", ""),
    "board": lambda: printed(*board_lines(boarded(), 2.0, 200, 40)),
    "log pane": lambda: printed(paned().panel(200, 10)),
    "problem": lambda: printed(*problem_lines({HOSTILE: HOSTILE}, 200)),
    "tail": lambda: tailed(is_coloured=True),
    "tail in a pipe": lambda: tailed(is_coloured=False),
    "tail by a template": lambda: tailed(
        is_coloured=False, template="{project}{job}{stage}{ref}{section}{line}"
    ),
    "events": lambda: "".join(plain_event(event, NOW) for event in EVENTS).replace("\t", ""),
    "json": lambda: json_line(hostile_job()) + "".join(map(json_line, EVENTS)),
    "json of a line": lambda: line_as_json(SHOWN_JOB, LINE),
}


@pytest.mark.parametrize("name", SHOWN)
def test_no_view_shows_anything_hidden(name):
    shown = SHOWN[name]()
    assert "owned" not in shown or name.startswith("json")
    assert not seen(shown.replace("\n", ""))
    assert not re.search(r"\x1b(?!\[[0-9;:]*m)", shown)


def test_commands_print_nothing_hidden(capfd):
    entry = ArtifactEntry(name=HOSTILE, path=HOSTILE, type="file", size=1)
    job = hostile_job()
    for as_json in (False, True):
        print_facts(job_facts(job), job, json=as_json)
    for as_json in (False, True):
        print_table([entry], ENTRY_COLUMNS, [entry], nothing="", json=as_json)
    print_error(HOSTILE)
    out, err = capfd.readouterr()
    assert not seen(out.replace("\n", "").replace("\t", ""))
    assert not seen(err.replace("\n", ""))


def test_warning_of_the_sdk_is_one_clean_line(capfd):
    handler = WarningHandler(logging.WARNING)
    words, error = "log unavailable: %s", ValueError(HOSTILE)
    handler.handle(logging.LogRecord("x", logging.WARNING, "", 1, words, (HOSTILE,), None))
    handler.handle(
        logging.LogRecord("x", logging.ERROR, "", 1, words, ("",), (ValueError, error, None))
    )
    err = capfd.readouterr().err
    assert err.count("\n") == 2
    assert err.splitlines()[1].startswith("gitlab-jobs: log unavailable: : abb")
    assert not seen(err.replace("\n", ""))


@pytest.mark.usefixtures("capfd")
def test_process_cleans_unhandled_warnings(monkeypatch):
    monkeypatch.setattr(logging, "lastResort", logging.lastResort)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    assert run_process(["--version"]) == 0
    assert isinstance(logging.lastResort, WarningHandler)
    assert logging.lastResort.level == logging.WARNING


async def test_pause_is_reported_after_a_moment(capsys, monkeypatch):
    monkeypatch.setattr(terminal, "_PAUSE_SECONDS", 0.01)
    reason = "requests paused by the server: HTTP 429"
    record = logging.LogRecord("x", logging.WARNING, "", 0, reason, (), None)
    WarningHandler().emit(record)
    assert capsys.readouterr().err == ""
    await asyncio.sleep(0.05)
    assert capsys.readouterr().err == f"gitlab-jobs: {reason}\n"
