"""Logs as a person reads them: the same lines however cut, and nothing but colours in them."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async import Section
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
        (b"\x1b[31", [""]),
        (b"\x1b]0;a\x1bP\x1b_b\x1b\\c\x07d\n", ["cd"]),
        (b"\x1b\x1b[m[2Jx\x1b[>4;1my\n", ["[2Jxy"]),
        (b"tab\tstays\n", ["tab\tstays"]),
        (b"caf\xc3\xa9 \xff\xfe\n", ["café \ufffd\ufffd"]),
        (b"cut \xc3", ["cut \ufffd"]),
        (b"x" * 2_000_000 + b"\ny\n", ["x" * 2_000_000, "y"]),
    ],
)
def test_a_plain_log(log, lines):
    assert texts(log) == lines


def test_a_log_begun_at_a_line_without_a_timestamp_has_them_still():
    log = AT + b"01O one\nbare\n" + AT + b"01O two\n"
    (bare, two) = LogParser(log.index(b"bare")).feed(log[log.index(b"bare") :])
    assert [(bare.text, bare.at), (two.text, two.stream)] == [("bare", None), ("two", "stdout")]


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


@pytest.mark.parametrize("size", [8161, 8192, 100_000])
def test_a_line_the_runner_cut_at_its_buffer_is_whole_again(size):
    """Its buffer of 8192 bytes holds the header of 32, too."""
    log = AT + b"01O " + b"x" * size + b"\n" + AT + b"01O+" + b"y" * 10 + b"\n" + AT + b"01O z\n"
    assert texts(log) == ["x" * size + "y" * 10, "z"]


def test_a_character_that_the_runner_cut_is_whole_again():
    cut = AT + b"01O " + b"x" * 8162 + b"\xc3\n" + AT + b"01O+\xa9\n"
    assert texts(cut) == ["x" * 8162 + "é"]


def test_a_marker_counts_at_once_though_its_line_may_be_continued():
    parts = [
        b"00O section_end:5:build" + CLEAR,
        b"01O section_start:6:test" + CLEAR + b"Title",
        b"01E first of test",
        b"01O rest",
    ]
    log = b"".join(AT + part + b"\n" for part in parts)
    lines = parse(AT + b"00O section_start:1:build" + CLEAR + b"\n" + log)
    assert [(line.text, line.section) for line in lines] == [
        ("first of test", ("test",)),
        ("Title", ("test",)),
        ("rest", ("test",)),
    ]


def test_a_line_without_a_header_in_a_timestamped_log_is_text():
    assert texts(AT + b"01O a\nbare\n" + AT + b"01O b\n") == ["a", "bare", "b"]


def test_a_log_that_begins_without_timestamps_has_none():
    lines = parse(b"bare\n" + AT + b"01O a\n")
    assert lines[1].text == (AT + b"01O a").decode()
    assert lines[1].at is None


def at(second):
    return datetime.fromtimestamp(second, UTC)


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
    options = {"collapsed": "true", "hide_duration": "true"}
    build = Section(("build",), at(1), options=options)
    compiled = Section(("build", "compile"), at(2))
    test = Section(("test",), at(6))
    assert [(line.text, line.section, line.markers) for line in parse(log)] == [
        ("Title", ("build",), (build,)),
        ("cc", ("build", "compile"), (compiled,)),
        ("link", ("build",), (Section(compiled.path, at(2), at(3)),)),
        ("last ", ("build",), ()),
        ("in test", ("test",), (Section(build.path, at(1), at(5), options), test)),
    ]


def test_a_section_has_a_name_and_ended_a_duration():
    begun = Section(("a", "b"), at(10))
    assert (begun.name, begun.duration) == ("b", None)
    assert Section(("a",), at(10), at(75)).duration == 65.0
    assert Section(("a",), at(10), at(9)).duration == 0.0, "clocks may be set back"
    assert hash(Section(("a",), at(10), options={"collapsed": "true"}))


def test_what_stands_before_a_marker_is_a_line_of_its_own():
    log = b"no LF" + b"section_start:1:a" + CLEAR + b"in asection_end:2:a" + CLEAR + b"after\n"
    assert [(line.text, line.section) for line in parse(log)] == [
        ("no LF", ()),
        ("in a", ("a",)),
        ("after", ()),
    ]


def test_a_section_ends_with_the_one_that_holds_it():
    """A script that fails leaves its own sections open."""
    log = (
        b"section_start:1:step_script" + CLEAR + b"section_start:2:mine" + CLEAR + b"x\n"
        b"section_end:9:step_script" + CLEAR + b"section_end:10:mine" + CLEAR + b"y\n"
    )
    ended = parse(log)[1].markers
    assert [(section.name, section.duration) for section in ended] == [
        ("mine", 7.0),
        ("step_script", 8.0),
    ]


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_marker_at_the_very_end_is_not_lost(end):
    lines = parse(b"x\nsection_start:1:a" + CLEAR + b"section_end:4:a" + CLEAR + end)
    assert [line.text for line in lines] == ["x", ""]
    assert [section.duration for section in lines[1].markers] == [None, 3.0]


@pytest.mark.parametrize(
    "cut",
    [
        b"section_start:1:a",
        b"section_start:1:a\r",
        b"section_start:1:a\r\x1b[0",
        b"section_start:x:a" + CLEAR,
        b"section_start:1:a b" + CLEAR,
        b"section_start:1:a[b=c" + CLEAR,
        b"section_begin:1:a" + CLEAR,
    ],
)
def test_what_is_no_whole_marker_is_text(cut):
    (line,) = parse(cut + b"text" if cut.endswith(CLEAR) else cut)
    assert line.markers == ()
    assert line.text in {"section_start:1:a", "text", ""}


@pytest.mark.parametrize(
    ("written", "options"),
    [
        (b"[collapsed=true]", {"collapsed": "true"}),
        (b"[a=1, b=2]", {"a": "1", "b": "2"}),
        (b"[]", {}),
        (b"[collapsed]", {}),
        (b"", {}),
    ],
)
def test_the_options_of_a_section(written, options):
    (line,) = parse(b"section_start:1:a" + written + CLEAR + b"x\n")
    assert line.markers == (Section(("a",), at(1), options=options),)


def test_a_time_beyond_all_times_is_the_last():
    (line,) = parse(b"section_start:99999999999999999999:a" + CLEAR + b"x\n")
    assert line.markers[0].started_at.year == 9999


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


CONTROLS = [
    b"\x1b", b"\x1b[", b"\x1b[31m", b"\x1b[31", b"\x1b[0K", b"\x1b[>4;1m", b"\x1b[?1049h", b"m",
    b"\x1b]0;x", b"\x1b]8;;http://x", b"\x1b]52;c;", b"\x1bPq", b"\x1b_G", b"\x1b^", b"\x1bX",
    b"\x1b\\", b"\x07", b"\x9c", b"\xc2\x9c", b"\xc2\x9d0;x", b"\xc2\x90", b"\x9b31m", b"\x08",
    b"\xc2\x9b31m", b"\x1b\x1b[m[2J", b"\x1b(0", b"\x1b7", b"\x1b#8", b"\x0e", b"\x7f", b"\x18",
    b"\xe2\x80\xa8", b"\x0b",
]  # fmt: skip
TEXTS = [
    b"\n", b"\n", b"\r", b"\r\n", b"\t", b"text", "é✓".encode(), b"\xe2\x80", b"x" * 8200,
    b"section_start:1:a" + CLEAR, b"section_end:2:a" + CLEAR, b"section_end:2:b\r",
    b"section_start:1:b[collapsed=true]" + CLEAR, AT + b"01O ", AT + b"01O+", AT + b"00E+",
]  # fmt: skip
PARTS = st.one_of(st.binary(max_size=20), st.sampled_from(CONTROLS), st.sampled_from(TEXTS))
LOGS = st.lists(PARTS, max_size=25).map(b"".join)
STAMPED = st.lists(
    st.tuples(st.sampled_from([b"00O ", b"00O+", b"01O ", b"01O+", b"01E "]), LOGS), max_size=12
).map(lambda parts: b"".join(AT + flag + text + b"\n" for flag, text in parts))


@given(LOGS | STAMPED, st.lists(st.integers(1, 40), max_size=20))
def test_the_same_bytes_give_the_same_lines_however_they_are_cut(log, cuts):
    chunks, start = [], 0
    for size in cuts:
        chunks.append(log[start : start + size])
        start += size
    assert parse(*chunks, log[start:]) == parse(log)


@given(LOGS)
def test_byte_by_byte_is_no_other_log(log):
    assert parse(*(log[i : i + 1] for i in range(len(log)))) == parse(log)


@given(LOGS | STAMPED)
def test_nothing_but_colours_reaches_a_terminal(log):
    colour = re.compile(r"\x1b\[[0-9;:]*m")
    for line in parse(log):
        assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]", line.text)
        assert colour.sub("", line.raw) == line.text


@given(LOGS | STAMPED)
def test_from_the_end_of_a_line_on_nothing_is_missed(log):
    """And nothing is told again but what shared a line of the trace with others."""
    lines = parse(log)
    for told, line in enumerate(lines, start=1):
        assert line.end <= len(log)
        parser = LogParser(line.end)
        parser._is_timestamped = _is_timestamped(log)
        rest = iter([*parser.feed(log[line.end :]), *parser.close()])
        missed = [later for later in lines[told:] if later.text]
        assert all(any(later.raw == one.raw for one in rest) for later in missed)


def test_each_line_says_where_the_next_begins():
    log = b"one\n\xc3\xa9\r\n10%\r20%\nlast"
    assert [line.end for line in parse(log)] == [4, 8, 16, 20]
    assert [line.end for line in LogParser(100).feed(log)] == [104, 108, 116]


def test_a_line_that_is_held_back_is_not_passed():
    held = AT + b"01O 10%\r\n"
    between = AT + b"01E other\n"
    (line,) = LogParser().feed(held + between)
    assert (line.text, line.end) == ("other", 0)


def _is_timestamped(log):
    first = LogParser()
    first.feed(log + b"\n")
    return first._is_timestamped
