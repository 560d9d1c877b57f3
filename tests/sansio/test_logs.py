"""Logs as a person reads them: the same lines however cut, and nothing but colours in them."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.sansio.logs import LogParser

AT = b"2024-05-22T12:43:46.962646Z "
CLEAR = b"\r\x1b[0K"


def parse(*chunks):
    parser = LogParser()
    lines = [line for chunk in chunks for line in parser.feed(chunk)]
    return lines + parser.close()


def texts(*chunks):
    return [line.text for line in parse(*chunks)]


@pytest.mark.parametrize(
    ("log", "lines"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"one\ntwo\n", ["one", "two"]),
        (b"one\ntwo", ["one", "two"]),
        (b"one\r\n\r\ntwo\r\n", ["one", "", "two"]),
        (b"10%\r50%\r100%\ndone\n", ["100%", "done"]),
        (b"a\x0bb\xe2\x80\xa8c\x85\n", ["ab\u2028c\ufffd"]),
        (b"\x1b[32;1m$ make\x1b[0;m\n", ["$ make"]),
        (b"\x1b]0;evil title\x07shown\x1b[2J\x1b[10;20H!\n", ["shown!"]),
        (b"\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\\n", ["link"]),
        (b"\x1bP payload \x1b\\after\x1b(B\x1b7\x08\n", ["after"]),
        (b"before\x1b]52;c;never ends\nnext\n", ["before", "next"]),
        (b"tab\tstays\n", ["tab\tstays"]),
        (b"caf\xc3\xa9 \xff\xfe\n", ["café \ufffd\ufffd"]),
        (b"cut \xc3", ["cut \ufffd"]),
        (b"x" * 2_000_000 + b"\ny\n", ["x" * 2_000_000, "y"]),
    ],
)
def test_a_plain_log(log, lines):
    assert texts(log) == lines


def test_lines_are_numbered_and_say_when_and_on_which_stream():
    one, two = parse(AT + b"01O hello\n" + AT + b"01E  oops\n")
    assert (one.number, one.text, one.stream) == (1, "hello", "stdout")
    assert one.at == datetime(2024, 5, 22, 12, 43, 46, 962646, UTC)
    assert (two.number, two.text, two.stream) == (2, " oops", "stderr")


def test_a_continued_line_is_glued_to_its_own_stream():
    parts = [
        b"00O section_start:1716379486:prepare_executor\r",
        b"00O+\x1b[0KPreparing",
        b"01O 10%\r",
        b"01E other",
        b"01O+50%\r",
        b"01O+100%",
    ]
    log = b"".join(AT + part + b"\n" for part in parts)
    assert [(line.text, line.section) for line in parse(log)] == [
        ("Preparing", ("prepare_executor",)),
        ("other", ("prepare_executor",)),
        ("100%", ("prepare_executor",)),
    ]


def test_a_line_the_runner_cut_at_its_buffer_is_whole_again():
    log = AT + b"01O " + b"x" * 8192 + b"\n" + AT + b"01O+" + b"y" * 10 + b"\n" + AT + b"01O z\n"
    assert texts(log) == ["x" * 8192 + "y" * 10, "z"]


def test_a_line_without_a_header_in_a_timestamped_log_is_text():
    assert texts(AT + b"01O a\nbare\n" + AT + b"01O b\n") == ["a", "bare", "b"]


def test_a_log_that_begins_without_timestamps_has_none():
    lines = parse(b"bare\n" + AT + b"01O a\n")
    assert lines[1].text == (AT + b"01O a").decode()
    assert lines[1].at is None


def test_sections_nest_and_are_never_text():
    log = (
        b"section_start:1:build[collapsed=true,hide_duration=true]" + CLEAR + b"Title\n"
        b"section_start:2:compile" + CLEAR + b"\n"
        b"cc\n"
        b"section_end:3:compile" + CLEAR + b"link\n"
        b"section_end:4:never_opened" + CLEAR + b"\n"
        b"last section_end:5:build" + CLEAR + b"section_start:6:test" + CLEAR + b"\n"
        b"in test\n"
    )  # fmt: skip
    assert [(line.text, line.section) for line in parse(log)] == [
        ("Title", ("build",)),
        ("cc", ("build", "compile")),
        ("link", ("build",)),
        ("last ", ("build",)),
        ("in test", ("test",)),
    ]


def test_raw_keeps_colours_only():
    (line,) = parse(b"\x1b[1;32mgreen\x1b[0m\x1b[K\x1b[5A \x1b]0;t\x07plain\x1b[38:5:9mred\n")
    assert line.raw == "\x1b[1;32mgreen\x1b[0m plain\x1b[38:5:9mred"
    assert line.text == "green plainred"


@pytest.mark.parametrize(
    "piece",
    [
        b"section_start:1:s%d\r\x1b[0Kx\n",
        b"section_start:1:a[",
        b"section_start:1:a\r\x1b[0K\x1b[0m",
        b"section_start:1:a\r\x1b[0Kx\nsection_end:1:b\r\x1b[0K",
        AT + b"01O+50%%\r\n",
    ],
)
def test_what_a_job_prints_costs_no_more_than_its_size(piece):
    """Twice the log takes about twice the steps; a quadratic reading would not end here."""
    log = b"".join(piece % n if b"%d" in piece else piece for n in range(40_000))
    for line in parse(log + b"\n"):
        assert len(line.section) <= 64


@pytest.mark.parametrize("at", [b"2024-13-01T00:00:00.000000Z", b"0000-01-01T00:00:00.000000Z"])
def test_a_header_that_is_no_time_is_text(at):
    assert texts(at + b" 00O x\n") == [(at + b" 00O x").decode()]


PARTS = st.one_of(
    st.binary(max_size=20),
    st.sampled_from([
        b"\n", b"\r", b"\r\n", b"\x1b", b"\x1b[", b"\x1b[31m", b"\x1b]0;x", b"\x07", b"\x1b\\",
        b"section_start:1:a" + CLEAR, b"section_end:2:a" + CLEAR, AT + b"01O ", AT + b"01O+",
        AT + b"00E+", "é✓".encode(), b"x" * 8200, b"\xe2\x80", b"\x9b31m", b"\xc2\x9b31m",
    ]),
)  # fmt: skip
LOGS = st.lists(PARTS, max_size=25).map(b"".join)


@given(LOGS, st.lists(st.integers(1, 40), max_size=20))
def test_the_same_bytes_give_the_same_lines_however_they_are_cut(log, cuts):
    chunks, start = [], 0
    for size in cuts:
        chunks.append(log[start : start + size])
        start += size
    assert parse(*chunks, log[start:]) == parse(log)


@given(LOGS)
def test_nothing_but_colours_reaches_a_terminal(log):
    colour = re.compile(r"\x1b\[[0-9;:]*m")
    for line in parse(log):
        assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]", line.text)
        assert colour.sub("", line.raw) == line.text
