"""Formatting of lines: prefixes, times, headers, colours, and no other control sequence."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async import LogLine
from gitlab_jobs_async.cli.errors import CommandError
from gitlab_jobs_async.cli.views.job_labels import JobLabels, ShownJob, colour_of
from gitlab_jobs_async.cli.views.log_lines import LogView
from gitlab_jobs_async.cli.views.log_style import LogStyle
from gitlab_jobs_async.logs.parser import LogParser
from gitlab_jobs_async.models import Section

AT = datetime(2025, 6, 15, 15, 6, 40, 123456, UTC)
BEGUN = Section(("build", "compile"), AT)
ENDED = Section(("build", "compile"), AT, datetime(2025, 6, 15, 15, 8, 0, 123456, UTC))
LINE = LogLine(1, "red", "\x1b[31mred", AT, "stdout", ("build", "compile"), (BEGUN,), 9)


def job(number=1, project="group/app", name="unit"):
    return ShownJob(project, number, name, "test", "main", 7)


def shown(line=LINE, *, coloured=False, **style):
    view = LogView(LogStyle(**style), is_coloured=coloured)
    return view.text(job(), line, is_shown=view.passes(line))


@pytest.mark.parametrize(
    ("style", "text"),
    [
        ({}, "red\n"),
        ({"timestamps": True}, "2025-06-15T15:06:40.123Z red\n"),
        ({"sections": True}, "  ▾ compile\nred\n"),
        ({"section": "build"}, "red\n"),
        ({"section": "other", "sections": True}, ""),
        ({"grep": ("blue",), "sections": True}, "  ▾ compile\n"),
        ({"grep": ("blue", "r.d")}, "red\n"),
        ({"exclude_lines": ("blue",)}, "red\n"),
        ({"exclude_lines": ("blue", "r"), "grep": ("red",)}, ""),
        ({"highlight": ("re",)}, "red\n"),
        (
            {"template": "{project}\\t{job} {id} {{{stage}}} {ref} {pipeline}: {line}"},
            "group/app\tunit 1 {test} main 7: red\n",
        ),
        ({"template": "{number} {time} {section}"}, "1 2025-06-15T15:06:40.123Z build/compile\n"),
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
    view = LogView(LogStyle(grep=("[b-f]",)), is_coloured=True)
    raws = ["\x1b[31ma", "b", "c\x1b[1m", "d\x1b[0;32m", "e\x1b[0;m", "f", "\x1b[1m\x1b[md"]
    lines = (LogLine(1, re.sub(r"\x1b\[[0-9;]*m", "", raw), raw) for raw in raws)
    assert [view.text(job(), line, is_shown=view.passes(line)) for line in lines] == [
        "",
        "\x1b[31mb\x1b[0m\n",
        "\x1b[31mc\x1b[1m\x1b[0m\n",
        "\x1b[31m\x1b[1md\x1b[0;32m\x1b[0m\n",
        "\x1b[0;32me\x1b[0;m\x1b[0m\n",
        "f\n",
        "\x1b[1m\x1b[md\x1b[0m\n",
    ]
    other = LogView(LogStyle(), is_coloured=True)
    assert other.text(job(), LogLine(1, "", "\x1b[1m" * 1000)).count("\x1b") == 1001
    assert other.text(job(), LogLine(2, "x", "x")).count("\x1b") == 9, "only a few are kept"
    assert other.text(job(2), LogLine(1, "x", "x")) == "x\n", "another job has its own colours"


def test_ended_section_shows_its_duration():
    after = LogLine(2, "next", "next", markers=(ENDED,))
    assert shown(after, sections=True) == "  ▴ compile 1m 20s\nnext\n"
    hidden = Section(ENDED.path, AT, ENDED.ended_at, {"hide_duration": "true"})
    assert shown(LogLine(2, "next", "next", markers=(hidden,)), sections=True) == "next\n"


NAMES = [
    (JobLabels(), "group/app unit 1", "group/app lint 22"),
    (JobLabels(has_project=False), "unit 1", "lint 22"),
    (JobLabels(width=24, has_project=False), "unit 1 ", "lint 22"),
    (JobLabels(width=16), "group/app unit 1", "app lint 22     "),
    (JobLabels(width=9), "app un… 1", "app l… 22"),
]


@pytest.mark.parametrize(("labels", "first", "second"), NAMES)
def test_label_is_cut_and_aligned(labels, first, second):
    other = job(22, name="\x1b]0;own\x07lint\u202e")
    labels.add(job())
    labels.add(other)
    view = LogView(LogStyle(sections=True), is_coloured=False, labels=labels)
    assert view.text(job(), LINE) == f"{first} |   ▾ compile\n{first} | red\n"
    assert view.text(other, LogLine(1, "x", "x")) == f"{second} | x\n"
    view.forget(22)
    assert view.text(other, LogLine(1, "x", "x")) == "x\n"


def test_colour_of_a_job_is_stable():
    assert colour_of(job()) == "\x1b[38;5;130m"
    assert len({colour_of(job(number)) for number in range(60)}) == 10
    labelled = LogView(LogStyle(), is_coloured=True, labels=JobLabels(has_project=False))
    labelled.labels.add(job())
    assert labelled.text(job(), LogLine(1, "x", "x")) == "\x1b[38;5;130munit 1 |\x1b[0m x\n"


@pytest.mark.parametrize(
    ("raw", "marked"),
    [
        ("the word", "the \x1b[7mword\x1b[27m"),
        ("word", "\x1b[7mword\x1b[27m"),
        ("\x1b[31mwo\x1b[0mrd red", "\x1b[31m\x1b[7mwo\x1b[0m\x1b[7mrd\x1b[27m red"),
        ("swords wordy", "s\x1b[7mword\x1b[27ms \x1b[7mword\x1b[27my"),
        ("wordwork", "\x1b[7mwordwork\x1b[27m"),
        ("none", "none"),
    ],
)
def test_highlight_marks_and_keeps_colours(raw, marked):
    view = LogView(LogStyle(highlight=("word", "dwork", "")), is_coloured=True)
    line = LogLine(1, re.sub(r"\x1b\[[0-9;]*m", "", raw), raw)
    assert view.text(job(), line).removesuffix("\n").removesuffix("\x1b[0m") == marked


@pytest.mark.parametrize(
    ("template", "error"),
    [
        ("{jobs}", "unknown field {jobs}: expected {project}, {job}, {id}"),
        ("{line.__class__}", "unknown field {line.__class__}"),
        ("{line[0]}", r"unknown field {line[0]}"),
        ("{line!r}", "unknown field {line!r}"),
        ("{line:>9}", "unknown field {line:>9}"),
        ("{}", "unknown field {}"),
        ("{line", "for a brace, {{ or }}"),
        ("line}", "for a brace, {{ or }}"),
    ],
)
def test_template_has_plain_fields_only(template, error):
    with pytest.raises(CommandError, match=re.escape(error)):
        shown(template=template)


def test_broken_expression_is_a_usage_error():
    with pytest.raises(CommandError, match="--grep '\\('"):
        shown(grep=("(",))


@given(
    st.lists(
        st.binary(max_size=12)
        | st.sampled_from([b"\x1b]0;", b"\x1b[2J", b"\x1b[31m", b"\n", b"\x07", b"\x1bP"])
        | st.sampled_from([b"section_start:1:x\r\x1b[0K", b"section_end:9:x\r\x1b[0K"])
    ).map(b"".join)
)
def test_only_colours_of_any_log_reach_a_terminal(log):
    parser = LogParser()
    view = LogView(LogStyle(sections=True, timestamps=True), is_coloured=True)
    view.labels.add(job())
    for line in parser.feed(log) + parser.close():
        written = re.sub(r"\x1b\[[0-9;:]*m", "", view.text(job(), line))
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", written)


@pytest.mark.parametrize(
    ("style", "arguments"),
    [
        ({}, []),
        ({"timestamps": True, "sections": True}, ["--timestamps", "--sections"]),
        ({"section": "a", "grep": ("-x y", "z")}, ["--grep=-x y", "--grep=z", "--section=a"]),
        (
            {"exclude_lines": ("a",), "template": "{line}"},
            ["--exclude-lines=a", "--template={line}"],
        ),
        ({"color": True}, ["--color"]),
        ({"color": False}, ["--no-color"]),
    ],
)
def test_style_returns_its_options(style, arguments):
    assert LogStyle(**style).arguments() == arguments
