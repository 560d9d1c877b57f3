"""Formatting of lines: prefixes, times, headers, colours, and no other control sequence."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async import LogLine
from gitlab_jobs_async.cli.errors import CommandError
from gitlab_jobs_async.cli.views.log_lines import LogStyle, LogView
from gitlab_jobs_async.logs.parser import LogParser
from gitlab_jobs_async.models import Section

AT = datetime(2025, 6, 15, 15, 6, 40, 123456, UTC)
BEGUN = Section(("build", "compile"), AT)
ENDED = Section(("build", "compile"), AT, datetime(2025, 6, 15, 15, 8, 0, 123456, UTC))
LINE = LogLine(1, "red", "\x1b[31mred", AT, "stdout", ("build", "compile"), (BEGUN,), 9)


def shown(line=LINE, *, coloured=False, labels=None, job_id=1, **style):
    return LogView(LogStyle(**style), is_coloured=coloured, labels=labels or {}).text(job_id, line)


@pytest.mark.parametrize(
    ("style", "text"),
    [
        ({}, "red\n"),
        ({"timestamps": True}, "2025-06-15T15:06:40.123Z red\n"),
        ({"sections": True}, "  ▾ compile\nred\n"),
        ({"section": "build"}, "red\n"),
        ({"section": "other", "sections": True}, ""),
        ({"grep": "blue", "sections": True}, "  ▾ compile\n"),
        ({"grep": "r.d"}, "red\n"),
    ],
)
def test_plain(style, text):
    assert shown(**style) == text


def test_every_colour_ends_with_its_line():
    assert shown(coloured=True) == "\x1b[31mred\x1b[0m\n"
    assert shown(coloured=True, timestamps=True, sections=True) == (
        "\x1b[1;36m  ▾ compile\x1b[0m\n\x1b[2m2025-06-15T15:06:40.123Z\x1b[0m \x1b[31mred\x1b[0m\n"
    )


def test_colour_lasts_until_its_reset():
    view = LogView(LogStyle(grep="[b-f]"), is_coloured=True)
    raws = ["\x1b[31ma", "b", "c\x1b[1m", "d\x1b[0;32m", "e\x1b[0;m", "f", "\x1b[1m\x1b[md"]
    lines = (LogLine(1, re.sub(r"\x1b\[[0-9;]*m", "", raw), raw) for raw in raws)
    assert [view.text(1, line) for line in lines] == [
        "",
        "\x1b[31mb\x1b[0m\n",
        "\x1b[31mc\x1b[1m\x1b[0m\n",
        "\x1b[31m\x1b[1md\x1b[0;32m\x1b[0m\n",
        "\x1b[0;32me\x1b[0;m\x1b[0m\n",
        "f\n",
        "\x1b[1m\x1b[md\x1b[0m\n",
    ]
    other = LogView(LogStyle(), is_coloured=True)
    assert other.text(1, LogLine(1, "", "\x1b[1m" * 1000)).count("\x1b") == 1001
    assert other.text(1, LogLine(2, "x", "x")).count("\x1b") == 9, "no more than a few are kept"
    assert other.text(2, LogLine(1, "x", "x")) == "x\n", "another job has colours of its own"


def test_ended_section_shows_its_duration():
    after = LogLine(2, "next", "next", markers=(ENDED,))
    assert shown(after, sections=True) == "  ▴ compile 1m 20s\nnext\n"
    hidden = Section(ENDED.path, AT, ENDED.ended_at, {"hide_duration": "true"})
    assert shown(LogLine(2, "next", "next", markers=(hidden,)), sections=True) == "next\n"


def test_several_jobs_get_prefixes_and_colours():
    labels = {1: "group/app/1 unit", 22: "group/app/22 \x1b]0;own\x07lint\u202e"}
    assert shown(labels=labels, sections=True) == (
        "group/app/1 unit  |   ▾ compile\ngroup/app/1 unit  | red\n"
    )
    assert shown(labels=labels, job_id=22) == "group/app/22 lint | red\n"
    first, second = (shown(labels=labels, job_id=job, coloured=True) for job in labels)
    assert first.startswith("\x1b[36mgroup/app/1 unit  |\x1b[0m ")
    assert second.startswith("\x1b[33mgroup/app/22 lint |\x1b[0m ")


def test_broken_expression_is_a_usage_error():
    with pytest.raises(CommandError, match="--grep '\\('"):
        shown(grep="(")


@given(
    st.lists(
        st.binary(max_size=12)
        | st.sampled_from([b"\x1b]0;", b"\x1b[2J", b"\x1b[31m", b"\n", b"\x07", b"\x1bP"])
        | st.sampled_from([b"section_start:1:x\r\x1b[0K", b"section_end:9:x\r\x1b[0K"])
    ).map(b"".join)
)
def test_only_colours_of_any_log_reach_a_terminal(log):
    parser = LogParser()
    view = LogView(LogStyle(sections=True, timestamps=True), is_coloured=True, labels={1: "a/1 b"})
    for line in parser.feed(log) + parser.close():
        written = re.sub(r"\x1b\[[0-9;:]*m", "", view.text(1, line))
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", written)


@pytest.mark.parametrize(
    ("style", "arguments"),
    [
        ({}, []),
        ({"timestamps": True, "sections": True}, ["--timestamps", "--sections"]),
        ({"section": "a", "grep": "-x y"}, ["--section=a", "--grep=-x y"]),
        ({"color": True}, ["--color"]),
        ({"color": False}, ["--no-color"]),
    ],
)
def test_style_returns_its_options(style, arguments):
    assert LogStyle(**style).arguments() == arguments
