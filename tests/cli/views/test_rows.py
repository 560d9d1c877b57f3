"""Rows: cleaned text, sizes, JSON and tables."""

import json
import re
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.console import Console

from gitlab_jobs_async.cli.cleaning import clean, ellipsis
from gitlab_jobs_async.cli.views.columns import select_columns
from gitlab_jobs_async.cli.views.job_columns import JOB_COLUMNS, JOB_DEFAULT
from gitlab_jobs_async.cli.views.rows import (
    json_line,
    plain_line,
    size,
    status_symbol,
)
from gitlab_jobs_async.cli.views.tables import jobs_table
from gitlab_jobs_async.models.jobs import Job
from gitlab_jobs_async.models.pipelines import Pipeline
from gitlab_jobs_async.models.statuses import JobStatus
from tests.support.command import NASTY

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def job(**fields):
    some = {"id": 1, "name": "unit", "stage": "test", "status": JobStatus.SUCCESS}
    return Job(**{**some, **fields})


def cells(listed):
    return [one.plain(listed) for one in select_columns(None, JOB_COLUMNS, JOB_DEFAULT)]


@given(NASTY)
def test_clean_text_is_one_line_without_controls(text):
    shown = clean(text)
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", shown)
    assert len(shown.splitlines()) <= 1
    assert clean(shown) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("unit 1/3", "unit 1/3"),
        ("größe ✓ 日本", "größe ✓ 日本"),
        ("👩‍👩‍👧", "👩‍👩‍👧"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;title never ends", ""),
        ("\x9b31mred", "red"),
        ("a\r\nb\tc", "a b c"),
        ("\u202egnp.exe", "gnp.exe"),
        ("[red]x[/]", "[red]x[/]"),
        (None, ""),
        (17, "17"),
    ],
)
def test_clean(text, shown):
    assert clean(text) == shown


def test_ellipsis():
    assert ellipsis("abcdef", 6) == "abcdef"
    assert ellipsis("abcdefg", 6) == "abcde…"


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 << 20, "3.0 MiB")]
)
def test_size(count, shown):
    assert size(count) == shown


def test_every_status_has_a_symbol_and_a_colour():
    assert "?" not in {status_symbol(status)[0] for status in JobStatus}
    assert status_symbol("from_the_future")[0] == "?"


@given(NASTY)
@example("\ud800")
def test_json_keeps_a_name_and_escapes_controls(name):
    line = json_line(job(name=name, created_at=NOW))
    read = json.loads(line)
    assert read["name"] == name
    assert read["created_at"] == "2026-01-02T03:04:05Z"
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", line[:-1])
    assert line.endswith("\n")


@given(NASTY, NASTY, NASTY)
def test_plain_line_has_fixed_columns(name, ref, stage):
    line = plain_line(cells(("group/app", job(name=name, ref=ref, stage=stage))))
    assert line.count("\t") == 8
    assert line.endswith("\n")
    assert len(line.splitlines()) == 1


@settings(max_examples=40)
@given(NASTY, NASTY, st.integers(60, 200))
def test_table_row_is_one_fitting_line(name, ref, width):
    console = Console(width=width, force_terminal=False, file=None, color_system=None)
    pipeline = Pipeline(id=12345, status=JobStatus.RUNNING)
    row = job(id=123456789, name=name, ref=ref, status=JobStatus("running"), pipeline=pipeline)
    with console.capture() as captured:
        console.print(jobs_table([("group/app", row), ("group/b", row)], NOW))
    lines = captured.get().splitlines()
    assert len(lines) == 4
    assert all("123456789" in line and "● running" in line for line in lines[2:])
