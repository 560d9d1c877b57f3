"""Lines of a log: the same for any cuts, without any escape sequence but colours."""

import re
import time
import tracemalloc
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.logs.parser import LogParser
from gitlab_jobs_async.models import Section

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
        (b"text\r\r\n", ["text"]),
        (b"text\r\x1b[0m\n", ["text"]),
        (b"text\r\x1b[0m\r\x1b[?25h\r\n", ["text"]),
        (b"text\r\x1b]0;title\x07\n", ["text"]),
        (b"text\r\x1b[1K\n", ["text"]),
        (b"text\r\x00\n", ["text"]),
        (b"text\r\x1b[K\n", [""]),
        (b"text\r\x1b[2K\n", [""]),
        (b"text\r\x1b[J\n", [""]),
        (b"text\r\x1b[Knext\n", ["next"]),
        (b"text\x1b[2K\r\n", ["text"]),
        (b"text\r    \n", ["    "]),
        (b"text\r    \rnext\n", ["next"]),
        (b"text\r\x1b]0;no end\n", ["text"]),
        (b"text\r\xe2\x9c\x93\n", ["\u2713"]),
        (b"10%\x08\x08\x08100%\n", ["100%"]),
        (b"|\x08/\x08-\x08 \x08done\n", ["done"]),
        (b"_\x08ab\x08b\n", ["ab"]),
        (b"\x08\x08\x08text\x08\x08\n", ["text"]),
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


def test_timestamps_are_found_after_a_bare_line():
    log = AT + b"01O one\nbare\n" + AT + b"01O two\n"
    (bare, two) = LogParser(log.index(b"bare")).feed(log[log.index(b"bare") :])
    assert [(bare.text, bare.at), (two.text, two.stream)] == [("bare", None), ("two", "stdout")]


def test_lines_have_number_time_and_stream():
    one, two = parse(AT + b"01O hello\n" + AT + b"01E  oops\n")
    assert (one.number, one.text, one.stream) == (1, "hello", "stdout")
    assert one.at == datetime(2024, 5, 22, 12, 43, 46, 962646, UTC)
    assert (two.number, two.text, two.stream) == (2, " oops", "stderr")


def test_continued_line_keeps_its_stream():
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
def test_line_cut_at_the_buffer_is_joined(size):
    """The runner's buffer of 8192 bytes includes the header of 32."""
    log = AT + b"01O " + b"x" * size + b"\n" + AT + b"01O+" + b"y" * 10 + b"\n" + AT + b"01O z\n"
    assert texts(log) == ["x" * size + "y" * 10, "z"]


def test_cut_character_is_joined():
    cut = AT + b"01O " + b"x" * 8162 + b"\xc3\n" + AT + b"01O+\xa9\n"
    assert texts(cut) == ["x" * 8162 + "é"]


def test_marker_counts_before_its_line_ends():
    parts = [
        b"00O section_end:5:build" + CLEAR,
        b"01O section_start:6:test" + CLEAR + b"Title",
        b"01E first of test",
        b"01O rest",
    ]
    log = b"".join(AT + part + b"\n" for part in parts)
    lines = parse(AT + b"00O section_start:1:build" + CLEAR + b"\n" + log)
    assert [(line.text, line.section) for line in lines] == [
        ("Title", ("test",)),
        ("first of test", ("test",)),
        ("rest", ("test",)),
    ]


def test_line_without_header_is_text():
    assert texts(AT + b"01O a\nbare\n" + AT + b"01O b\n") == ["a", "bare", "b"]


def test_first_line_decides_on_timestamps():
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


def test_section_has_name_and_duration():
    begun = Section(("a", "b"), at(10))
    assert (begun.name, begun.duration) == ("b", None)
    assert Section(("a",), at(10), at(75)).duration == 65.0
    assert Section(("a",), at(10), at(9)).duration == 0.0, "clocks may be set back"
    assert hash(Section(("a",), at(10), options={"collapsed": "true"}))


def test_text_before_a_marker_is_a_line():
    log = b"no LF" + b"section_start:1:a" + CLEAR + b"in asection_end:2:a" + CLEAR + b"after\n"
    assert [(line.text, line.section) for line in parse(log)] == [
        ("no LF", ()),
        ("in a", ("a",)),
        ("after", ()),
    ]


def test_sections_are_tracked_to_a_depth_of_64():
    begun = b"".join(b"section_start:1:s%d" % number + CLEAR for number in range(100))
    ended = b"".join(b"section_end:2:s%d" % number + CLEAR for number in reversed(range(100)))
    inner, outer = parse(begun + b"inner\n" + ended + b"outer\n")
    assert (len(inner.section), len(inner.markers)) == (64, 64)
    assert (outer.section, len(outer.markers)) == ((), 64)


def test_markers_without_text_get_own_lines():
    pair = b"section_start:1:a" + CLEAR + b"section_end:2:a" + CLEAR + b"\n"
    lines = parse(pair * 1000)
    assert sum(len(line.markers) for line in lines) == 2000
    assert max(len(line.markers) for line in lines) <= 258
    assert {line.text for line in lines} == {""}


def test_section_ends_with_the_outer_one():
    """A failing script leaves its own sections open."""
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
def test_incomplete_marker_is_text(cut):
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
def test_parsing_takes_linear_time(piece):
    """A quadratic parser would not end within the timeout."""
    log = b"".join(piece % n if b"%d" in piece else piece for n in range(40_000))
    for line in parse(log + b"\n"):
        assert len(line.section) <= 64


@pytest.mark.parametrize("at", [b"2024-13-01T00:00:00.000000Z", b"0000-01-01T00:00:00.000000Z"])
def test_header_without_valid_time_is_text(at):
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
def test_cuts_do_not_change_lines(log, cuts):
    chunks, start = [], 0
    for size in cuts:
        chunks.append(log[start : start + size])
        start += size
    assert parse(*chunks, log[start:]) == parse(log)


@given(LOGS)
def test_byte_by_byte_gives_the_same_lines(log):
    assert parse(*(log[i : i + 1] for i in range(len(log)))) == parse(log)


@given(LOGS | STAMPED)
def test_nothing_but_colours_reaches_a_terminal(log):
    colour = re.compile(r"\x1b\[[0-9;:]*m")
    for line in parse(log):
        assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]", line.text)
        assert colour.sub("", line.raw) == line.text


@given(LOGS | STAMPED)
def test_resuming_at_a_line_misses_nothing(log):
    """Only lines that share a line of the trace are emitted again."""
    lines = parse(log)
    for emitted, line in enumerate(lines, start=1):
        assert line.end <= len(log)
        parser = LogParser(line.end)
        parser._is_timestamped = _is_timestamped(log)
        rest = iter([*parser.feed(log[line.end :]), *parser.close()])
        missed = [later for later in lines[emitted:] if later.text]
        assert all(any(later.raw == one.raw for one in rest) for later in missed)


def test_each_line_says_where_the_next_begins():
    log = b"one\n\xc3\xa9\r\n10%\r20%\nlast"
    assert [line.end for line in parse(log)] == [4, 8, 16, 20]
    assert [line.end for line in LogParser(100).feed(log)] == [104, 108, 116]


@pytest.mark.parametrize(
    "marker", [b"section_start:1:a", b"section_start:1:a[collapsed=true]", b"x section_end:1:a"]
)
def test_cut_marker_waits_for_its_end(marker):
    """A runner cuts after a carriage return, and an upload may end there."""
    parser = LogParser()
    parser.feed(AT + b"01O " + marker + b"\r\n")
    assert parser.flush(is_silent=False) == []
    lines = parser.feed(AT + b"01O+\x1b[0Ktext\n") + parser.close()
    assert [line.text for line in lines if line.text != "x "] == ["text"]
    emitted = LogParser()
    emitted.feed(AT + b"01O " + marker + b"\r\n")
    (line,) = emitted.flush(is_silent=True)
    assert line.text == marker.decode()


def test_an_open_line_keeps_its_place():
    log = AT + b"01O one\r\n" + AT + b"01E two\n"
    parser = LogParser()
    assert parser.feed(log) == []
    assert len(parser.waiting()) == 2
    one, two = parser.flush(is_silent=False)
    assert (one.text, two.text) == ("one", "two")
    assert log[one.end :].endswith(b"two\n")
    assert two.end == len(log)


def _is_timestamped(log):
    first = LogParser()
    first.feed(log + b"\n")
    return first._is_timestamped


def stamped(*records):
    """Return a log with timestamps a second apart, of records that begin with their stream."""
    return b"".join(
        b"2026-01-02T10:00:%02d.000000Z %s\n" % (second, record)
        for second, record in enumerate(records)
    )


WINDOWS = stamped(
    b"00O section_start:1:step_script" + CLEAR,
    b"00O+Executing",
    b"01O PS> ./build.ps1\r",
    b"01E warning on stderr\r",
    b"01O compiling\r",
    b"0fO a service\r",
    b"01O FATAL: it broke here\r",
    b"00O section_end:5:step_script" + CLEAR,
    b"00O+ERROR: Job failed: exit code 1",
)


def test_lines_keep_order_section_and_time():
    lines = [(line.text, line.section, line.at.second) for line in parse(WINDOWS)]
    assert lines == [
        ("Executing", ("step_script",), 1),
        ("PS> ./build.ps1", ("step_script",), 2),
        ("warning on stderr", ("step_script",), 3),
        ("compiling", ("step_script",), 4),
        ("a service", ("step_script",), 5),
        ("FATAL: it broke here", ("step_script",), 6),
        ("ERROR: Job failed: exit code 1", (), 8),
    ]


@pytest.mark.parametrize(
    ("records", "lines"),
    [
        # Cut at 8 KiB: the line stands where it began.
        ([b"01O " + b"x" * 9000, b"01E other", b"01O+y"], [("x" * 9000 + "y", 0), ("other", 1)]),
        # A progress bar: each state wipes the one before, and the last stands where it was written.
        ([b"01O 10%\r", b"01E other", b"01O+20%\r", b"01O+30%"], [("other", 1), ("30%", 3)]),
        ([b"01O \r1%", b"01E a", b"01O+\r2%", b"01E b"], [("a", 1), ("2%", 2), ("b", 3)]),
        # What prints nothing wipes nothing.
        ([b"01O text\r", b"01E other", b"01O+"], [("text", 0), ("other", 1)]),
        ([b"01O text\r", b"01E other", b"01O+\x1b[0m\r", b"01O+\r"], [("text", 0), ("other", 1)]),
        ([b"01O text\r", b"01E other", b"01O+\x1b[0m\r", b"01O+new"], [("other", 1), ("new", 3)]),
        ([b"01O \rab", b"01E other", b"01O+cd"], [("abcd", 0), ("other", 1)]),
        ([b"01O text\r", b"01O+\x1b[K"], [("", 1)]),
        # A marker makes no text, wherever the runner cuts it.
        ([b"01O text\r", b"01O+section_start:1:a" + CLEAR + b"in a"], [("text", 0), ("in a", 1)]),
        ([b"01O section_start:1:a\r", b"01E in a", b"01O+\x1b[0Kalso"], [("in a", 1), ("also", 2)]),
        ([b"01O one\r", b"bare", b"01O two\r"], [("one", 0), ("bare", None), ("two", 2)]),
        # The others are not kept waiting for long.
        (
            [b"01O 10%\r", *[b"01E x"] * 16, b"01O+20%"],
            [("10%", 0), *[("x", n) for n in range(1, 17)], ("20%", 17)],
        ),
        (
            [b"01O 10%\r", *[b"01E x"] * 15, b"01O+20%"],
            [*[("x", n) for n in range(1, 16)], ("20%", 16)],
        ),
    ],
)  # fmt: skip
def test_continued_records(records, lines):
    log = stamped(*records).replace(b"2026-01-02T10:00:01.000000Z bare", b"bare")
    assert [(line.text, line.at and line.at.second) for line in parse(log)] == lines


def test_colours_outlive_a_carriage_return():
    bar = b"\x1b[1m\x1b[0m\x1b[32m10%\r20%\r30%\x1b[0m\n"
    assert parse(bar)[0].raw == "\x1b[0m\x1b[32m30%\x1b[0m"
    (line,) = parse(stamped(b"01O \x1b[32m10%\r", b"01O+20%\r", b"01O+30%\x1b[0m"))
    assert line.raw == "\x1b[32m30%\x1b[0m"
    assert parse(b"\x1b[31m" * 100 + b"a\rb\n")[0].raw == "\x1b[31m" * 8 + "b"


def test_colours_stay_where_reading_may_go_on():
    """Reading resumed at the line between would not know the colours."""
    log = stamped(b"01O \x1b[32m10%\r", b"01E other", b"01O+20%")
    other, state = parse(log)
    assert (other.text, state.raw) == ("other", "20%")
    assert LogParser(other.end).feed(log[other.end :])[0].raw == state.raw


def test_backspaces_keep_colours():
    (line,) = parse(b"\x1b[32mab\x08\x1b[1mc\x1b[0md\x08\x08\x08\x08ok\n")
    assert (line.text, line.raw) == ("okd", "\x1b[0mokd")
    (line,) = parse(b"a\x1b[32mb\x1b[31mc\x08\x08\x08d\n")
    assert (line.text, line.raw) == ("dbc", "\x1b[32m\x1b[31md\x1b[0m\x1b[32mb\x1b[31mc")


TEXT = "Zugriff verweigert\r\né ✓ Привет, мир\r\n\r\nlast 日本\n"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("prefix", [b"", "\ufeff".encode("utf-16-be")])
def test_utf_16_is_read(encoding, prefix):
    prefix = prefix if encoding == "utf-16-be" else b""
    lines = TEXT.replace("\r", "").splitlines()
    assert texts(prefix + TEXT.encode(encoding)) == lines
    written = (prefix + TEXT.encode(encoding)).split(b"\n")
    assert texts(stamped(*(b"01O " + line for line in written[:-1]))) == lines


@pytest.mark.parametrize(
    ("printed", "text"),
    [
        (b"a\0b\0", "ab"),
        (b"file one\0file two\0", "file onefile two"),
        (b"\xef\xbf\xbd\xef\xbf\xbdZ\0u\0g\0\r\0", "\ufffd\ufffdZug"),
        (b"ELF\x02\0\xff text", "ELF\ufffd text"),
        (b"\0\0\0", ""),
        (b"\0text", "text"),
        (b"\xe9\0", "\ufffd"),
    ],
)
def test_nulls_are_no_text(printed, text):
    (line,) = parse(printed + b"\n")
    assert line.text == text


def test_markers_among_utf_16():
    wide = "Zugriff\r\n".encode("utf-16-le")
    log = wide + b"section_start:1:a" + CLEAR + b"in a\n" + wide
    assert [(line.text, line.section) for line in parse(log)] == [
        ("Zugriff", ()),
        ("in a", ("a",)),
        ("Zugriff", ("a",)),
    ]
    marker = ("section_start:1:a" + CLEAR.decode() + "in a\r\n").encode("utf-16-le")
    assert [(line.text, line.section) for line in parse(wide + marker)][1] == ("in a", ("a",))


@pytest.mark.parametrize("size", [1, 4096, 100_000, 10**8])
@pytest.mark.parametrize("stamp", [b"", AT + b"01O "])
def test_a_long_line_is_split_alike(size, stamp):
    """The split is at 4 MiB for any pieces, and never within a character."""
    log = stamp + "é".encode() * 4_500_000 + b"\nnext\n"
    pieces = (log[at : at + size] for at in range(0, len(log), size)) if size > 1 else [log]
    lines = parse(*pieces)
    assert [len(line.text.encode()) for line in lines[:-1]] == [
        4 * 1024 * 1024 - len(stamp),
        4 * 1024 * 1024,
        9_000_000 - 8 * 1024 * 1024 + len(stamp),
    ]
    assert "\ufffd" not in "".join(line.text for line in lines)
    assert {line.stream for line in lines[:-1]} == ({"stdout"} if stamp else {None})
    assert lines[-1].end == len(log)
    assert LogParser(lines[0].end).feed(log[lines[0].end :])[0].text == lines[1].text


def test_first_part_of_a_long_line_waits_for_none():
    (line,) = LogParser().feed(AT + b"01O " + b"x" * (4 * 1024 * 1024 + 100))
    assert len(line.text) == 4 * 1024 * 1024 - len(AT + b"01O ")


def test_a_line_of_cut_records_is_split():
    record = AT + b"01O" + b"%s" + b"y" * 100_000 + b"\n"
    log = record % b" " + record % b"+" * 99 + AT + b"01O+end\n"
    lengths = [len(text) for text in texts(log)]
    assert sum(lengths) == 10_000_003
    assert max(lengths) <= 4 * 1024 * 1024
    assert len(lengths) == 3


def test_a_line_of_many_cut_records_is_one():
    between = AT + b"01E between\n"
    log = AT + b"01O " + b"y" * 8200 + b"\n"
    for number in range(99):
        log += AT + b"01O+" + b"y" * 8200 + b"\n" + between * (number % 30 == 5)
    assert [len(text) for text in texts(log)] == [820_000, 7, 7, 7, 7]


def test_a_line_full_of_controls_is_split_early():
    marker = b"section_start:1:a" + CLEAR
    filling = b"\x1b[31mx" * (256 * 1024 // 6)
    assert len(texts(filling)) == 1
    *begun, marked = parse(filling[: 256 * 1024 - 10] + marker + b"in a\n")
    assert (marked.text, marked.section) == ("in a", ("a",))
    assert len(begun) == 2
    assert set("".join(line.text for line in begun)) == {"x"}
    assert len(texts(b"x" * 300_000)) == 1


HOSTILE = {
    "no LF": b"x" * 100,
    "returns": b"\r",
    "progress": b"10%\r",
    "returns that wipe nothing": b"\r\x1b[0m",
    "erasing": b"a\r\x1b[K",
    "sections without end": b"section_start:1:a" + CLEAR,
    "sections without text": b"section_start:1:a" + CLEAR + b"section_end:1:a" + CLEAR,
    "sections within each other": b"section_start:1:a" + CLEAR + b"x\n",
    "half a marker": b"section_start:1:a[x=" + b"y" * 1000,
    "escapes": b"\x1b",
    "escapes without end": b"\x1b[0;",
    "titles without end": b"\x1b]0;x\r",
    "controls": b"\xc2\x9b31m",
    "nulls": b"\0",
    "utf-16": "привет, мир\r\n".encode("utf-16-le"),
    "backspaces": b"a\x08",
    "states": AT + b"01O+50%\r\n",
    "colours of states": AT + b"01O+\x1b[31m\r\n",
    "cut lines": AT + b"01O+" + b"y" * 8170 + b"\n",
    "cut markers": AT + b"01O+section_start:1:a\r\n",
    "many streams": b"".join(AT + b"%02xO x\r\n" % stream for stream in range(256)),
    "headers": AT + b"01O ",
}


def fed(piece, size):
    """Return a parser that was fed *piece* repeatedly, and the seconds of the longest feeding."""
    parser, chunk = LogParser(), piece * (16 * 1024 // len(piece) + 1)
    parser.feed(AT + b"01O x\n" if piece.startswith(AT) else b"")
    longest = 0.0
    for _ in range(size // len(chunk) + 1):
        begun = time.process_time()
        parser.feed(chunk)
        longest = max(longest, time.process_time() - begun)
    return parser, longest


@pytest.mark.timeout(30)
@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.no_cover("measures time")
def test_hostile_logs_take_bounded_time(piece):
    """A quadratic parser would not end; the loop is held for a part of a line at most."""
    parser, longest = fed(piece, 2_000_000)
    assert longest < 1.0  # ten times what it takes on an idle machine
    assert len(parser.waiting()) <= 17


@pytest.mark.parametrize("kind", ["no LF", "cut lines", "sections without text"])
def test_hostile_logs_take_bounded_memory(kind):
    tracemalloc.start()
    fed(HOSTILE[kind], 1_000_000 if kind.startswith("sections") else 12_000_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32 * 1024 * 1024


@pytest.mark.parametrize(
    "log",
    [
        AT + b"00O \0section_start:1:a" + CLEAR + b"\x80\n" + AT + b"00O next\n",
        AT + b"01O \r\nbare\n" + AT + b"01O+\x1b[m\r \n",
        AT + b"01O \xe9\0section_start:1:a" + CLEAR + "д\r\n".encode("utf-16-le") + b"\n",
    ],
)
def test_odd_logs_are_read_alike(log):
    """Each was once parsed differently by another cut, or from another line on."""
    lines = parse(log)
    assert parse(*(log[at : at + 1] for at in range(len(log)))) == lines
    for emitted, line in enumerate(lines, start=1):
        raws = [one.raw for one in parse(AT + b"00O x\n", log[line.end :])]
        assert all(later.raw in raws for later in lines[emitted:])
