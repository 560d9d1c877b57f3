"""Many lines of a chunk are parsed at once; the result is that of one line at a time."""

import pickle
import re

import pytest
from attrs import evolve
from attrs.exceptions import FrozenInstanceError
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.logs.parser import LogParser
from gitlab_jobs_async.logs.record_headers import end_of_records, start_of_records
from gitlab_jobs_async.logs.records import unfinished
from gitlab_jobs_async.models import LogLine

AT = b"2024-05-22T12:43:46.962646Z "
CLEAR = b"\r\x1b[0K"


def parse(*chunks, offset=0):
    parser = LogParser(offset)
    return [*(line for chunk in chunks for line in parser.feed(chunk)), *parser.close()]


def one_by_one(log):
    """Return the lines of a log that comes line by line, so that none can be read ahead."""
    return parse(*re.findall(rb"[^\n]*\n|[^\n]+\Z", log))


PLAIN = [b"one", b"two words", b"", b"tab\there", "é ✓ 日本".encode()]
ODD = [
    b"\x1b[32mgreen\x1b[0m", b"\x1b[0K\x1b[36;1mTitle\x1b[0;m", b"a\x0bb", b"a\x0cb", b"a\x1cb",
    b"a\xe2\x80\xa8b", b"a\xc2\x85b", b"a\xc2\xa0b", b"a\x85b", b"cut \xe2\x80", b"\xa9 rest",
    b"a\0b\0", b"\0", b"x\x08y", b"\x7f", b"\x1b[\x1b[0m0K", b"\x1b[\x1b[0K0m", b"\x1b\x1b[m[2J",
    b"\x1b]0;title\x07", b"\x1b[31", b"10%\r20%", b"10%\r", b"\r", b"section_start:1:a" + CLEAR,
    b"section_end:2:a" + CLEAR + b"after", b"section_start:3:b\r", b"x" * 8170,
]  # fmt: skip
TEXT = st.one_of(st.sampled_from(PLAIN), st.sampled_from(ODD))
BREAK = st.sampled_from([b"\n", b"\n", b"\r\n", b"\r\r\n"])
STREAM = st.sampled_from([b"01O ", b"01O ", b"01O+", b"01E ", b"01E+", b"00O ", b"00O+"])
BARE = st.lists(st.tuples(TEXT, BREAK).map(b"".join), max_size=30).map(b"".join)
STAMPED = st.lists(
    st.tuples(STREAM, TEXT, BREAK).map(lambda parts: AT + b"".join(parts)), max_size=30
).map(b"".join)


def same_lines(log):
    """Return whether the lines are the same, read ahead or not, and end in order.

    From which byte to resume may differ: who reads ahead knows earlier what is complete.
    """
    at_once, single = parse(log), one_by_one(log)
    for lines in (at_once, single):
        ends = [line.end for line in lines]
        assert ends == sorted(ends)
        assert all(end <= len(log) for end in ends)
    return [evolve(line, end=0) for line in at_once] == [evolve(line, end=0) for line in single]


@given(BARE | STAMPED)
def test_lines_at_once_equal_one_by_one(log):
    assert same_lines(log)


@given(STAMPED, BARE, STAMPED)
def test_bare_lines_between_equal_one_by_one(before, bare, after):
    assert same_lines(before + bare + after)


@pytest.mark.parametrize(
    ("odd", "text", "raw"),
    [
        (b"\x1b[32mok\x1b[0m", "ok", "\x1b[32mok\x1b[0m"),
        (b"\x1b[0K\x1b[1mok\x1b[0;m", "ok", "\x1b[1mok\x1b[0;m"),
        (b"\x1b[\x1b[0m0K", "0K", "\x1b[0m0K"),
        (b"\x1b[\x1b[0K0m", "0m", "0m"),
        (b"a\x0bb\x0cc\x1cd", "abcd", "abcd"),
        (b"a\xe2\x80\xa8b", "a\u2028b", "a\u2028b"),
        (b"a\xc2\x85b\xc2\x9dc", "abc", "abc"),
        (b"\xc2\xa7 1\xc2\xa0", "\xa7 1\xa0", "\xa7 1\xa0"),
        (b"cut \xe2\x80", "cut \ufffd", "cut \ufffd"),
        (b"\xff\xc2", "\ufffd\ufffd", "\ufffd\ufffd"),
        (b"a\0b", "ab", "ab"),
        (b"10%\r20%", "20%", "20%"),
    ],
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("header", [b"", AT + b"01O "])
def test_odd_line_among_plain_ones(odd, text, raw, end, header):
    lines = parse(b"".join(header + line + end for line in (b"before", odd, b"after")))
    expected = [("before", "before"), (text, raw), ("after", "after")]
    assert [(line.text, line.raw) for line in lines] == expected


def test_resumed_lines_have_numbers_and_ends():
    log = b"one\r\n\xc3\xa9\n" + AT + b"01E two\n" + b"three\n"
    lines = parse(log, offset=100)
    assert [(line.number, line.text, line.end - 100) for line in lines] == [
        (1, "one", 5),
        (2, "é", 8),
        (3, "two", 8 + 36),
        (4, "three", 8 + 36 + 6),
    ]


def test_lines_are_frozen_values():
    (line, other) = parse(AT + b"01O one\n" + AT + b"01O two\n")
    assert type(line) is LogLine
    copy = LogLine(1, "one", "one", line.at, "stdout", (), (), 36)
    assert (line, hash(line), repr(line)) == (copy, hash(copy), repr(copy))
    assert pickle.loads(pickle.dumps(line)) == line != other
    with pytest.raises(FrozenInstanceError):
        line.text = "other"


def records(*parts):
    return [AT + part for part in parts]


MARKER = b"00O section_start:1:a" + CLEAR


@pytest.mark.parametrize(
    ("log", "numbers"),
    [
        (records(b"01O one", b"01O two"), []),
        (records(b"01O one\r", b"01O two\r", b"01E three"), [1]),
        (records(b"01O one\r", b"01E two\r", b"01O three"), [1]),
        (records(b"01O one\r", b"01E two", b"01O+three"), [0]),
        (records(b"01O " + b"x" * 8161, b"01O+y"), [0]),
        (records(b"01O " + b"x" * 8160, b"01O+y"), []),
        (records(MARKER, b"00O+Title"), []),
        (records(MARKER + b"\r", b"00O+Title"), []),
        (records(MARKER + b"Title\r", b"01O x"), [0]),
        (records(b"01O 1%\r", *[b"01E x"] * 15, b"01O+2%"), [0]),
        (records(b"01O 1%\r", *[b"01E x"] * 16, b"01O+2%"), []),
        (records(b"01O 1%\r", *[b"01E x"] * 15), [0]),
        (records(b"01O 1%\r", *[b"01E x"] * 16), []),
    ],
)
def test_next_records_show_which_are_complete(log, numbers):
    assert unfinished(log) == numbers


def test_records_end_at_a_bare_line():
    log = AT + b"01O one\n" + AT + b"01E+two\nbare\n" + AT + b"1O no\n" + AT + b"0fO three\n"
    bare, last = log.index(b"bare"), log.index(b"0fO") - len(AT)
    assert end_of_records(log, 0) == bare
    assert end_of_records(log, bare) == bare
    assert start_of_records(log, bare) == last
    assert start_of_records(log, last) == len(log)


def test_late_record_continues_none():
    """A long line of another stream, still open, does not keep a record open with it."""
    cut, more = b"01E " + b"x" * 8161, b"01E+" + b"x" * 8161
    between = [*[b"02E x"] * 8, more, *[b"02E x"] * 8]
    log = b"".join(line + b"\n" for line in records(cut, b"01O 1%\r", *between, b"01O+2%"))
    lines = one_by_one(log)
    assert {"1%", "2%"} <= {line.text for line in lines}
    assert parse(log) == lines


def test_impossible_time_makes_a_bare_line():
    """The header looks right, but no year has a month 13."""
    wrong = b"2024-13-22T12:43:46.962646Z 01O two"
    log = AT + b"01O one\n" + wrong + b"\n" + AT + b"01O three\n"
    lines = [(line.text, line.at is None) for line in parse(log)]
    assert lines == [("one", False), (wrong.decode(), True), ("three", False)]


@pytest.mark.parametrize("at", range(1, len(b"section_start:1:a" + CLEAR)))
def test_marker_cut_at_the_buffer_is_joined(at):
    """A runner cuts a long line anywhere, within a marker, too."""
    marker, text = b"section_start:1:a" + CLEAR, b"x" * 8200
    log = AT + b"01O " + text + marker[:at] + b"\n" + AT + b"01O+" + marker[at:] + b"in a\n"
    lines = [(len(line.text), line.section) for line in parse(log)]
    assert lines == [(8200, ()), (4, ("a",))]
