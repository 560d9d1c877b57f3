"""Lines of a polled log: the same for any polls, and none held back for long."""

from itertools import chain, combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.logs.line_reader import LineReader
from gitlab_jobs_async.logs.parser import LogParser

CLEAR = b"\r\x1b[0K"
INTERVAL = 60.0


def stamped(*records):
    return b"".join(
        b"2026-01-02T10:00:%02d.000000Z %s\n" % (second, record)
        for second, record in enumerate(records)
    )


def whole(log):
    parser = LogParser()
    return [*parser.feed(log), *parser.close()]


def polled(*polls, every=5.0, **options):
    """Return the lines that each of *polls* and the end bring; an empty poll brings nothing."""
    reader, emitted = LineReader(0.0, INTERVAL, **options), []
    for number, data in enumerate(polls, start=1):
        lines = list(reader.read(data)) if data else []
        emitted.append([*lines, *reader.polled(number * every)])
    return [*emitted, list(reader.ended())]


def flat(emitted):
    return list(chain.from_iterable(emitted))


def cut(log, *places):
    places = [0, *sorted(places), len(log)]
    return [log[start:end] for start, end in pairwise(places)]


LOGS = {
    "windows": stamped(
        b"00O section_start:1:a" + CLEAR, b"00O+Title\r", b"01O one\r", b"01E two\r", b"01O three\r"
    ),
    "bar": stamped(b"01O 1%\r", b"01E x", b"01O+2%\r", b"01O+\x1b[0m\r", b"01O+3%", b"01O done"),
    "cut": stamped(b"01O " + b"x" * 8161, b"01E \xc3\xa9\r", b"01O+y\r", b"01O z"),
    "marker": stamped(b"00O section_start:1:a\r", b"01E in a", b"00O+\x1b[0KTitle", b"00O b\r"),
    "plain": b"one\r\ntwo\r3\r\nsection_start:1:a" + CLEAR + b"Title\r\n\xe2\x9c\x93",
    "wide": "日本語\r\né ✓\r\n".encode("utf-16-le"),
}


@pytest.mark.parametrize("log", LOGS.values(), ids=LOGS)
def test_polls_change_no_line(log):
    """Text, order, section, time and offset stay the same."""
    expected = whole(log)
    end = len(log)
    places = range(1, end) if end < 500 else [*range(1, 40), *range(8150, end)]
    pairs = list(combinations(places, 2))[:: 1 + end // 40]
    for where in [*zip(places), *pairs]:
        assert flat(polled(*cut(log, *where))) == expected


@given(st.sampled_from(list(LOGS.values())), st.data())
def test_many_polls_change_no_line(log, data):
    places = data.draw(st.sets(st.integers(1, len(log) - 1), max_size=12))
    assert flat(polled(*cut(log, *places))) == whole(log)


@given(st.data())
def test_idle_polls_change_no_windows_line(data):
    streams = st.sampled_from([b"00O ", b"01O ", b"01E ", b"0fO "])
    records = data.draw(st.lists(streams, min_size=1, max_size=9))
    log = stamped(*(stream + b"line %d\r" % n for n, stream in enumerate(records)))
    places = data.draw(st.lists(st.integers(0, len(log)), max_size=9))
    assert flat(polled(*cut(log, *places))) == whole(log)


NEWEST = [
    (b"01O Deploying, this takes an hour\r", 1),
    (b"01O Zugriff\r\0", 1),
    (b"01O text\r\x1b[0m", 1),
    (b"01O \r10%", 12),  # may go on; a runner uploads at least once in an interval
    (b"01O " + b"x" * 9000, 12),
    (b"01O text", 0),
]


@pytest.mark.parametrize(("record", "after"), NEWEST)
def test_the_newest_line_is_not_kept(record, after):
    emitted = polled(stamped(record), *[b""] * 15)
    assert [len(lines) for lines in emitted].index(1) == after
    assert flat(emitted) == whole(stamped(record))


def test_bar_state_is_held_for_an_interval():
    first, second, last = stamped(b"01O 1%\r", b"01O+2%\r", b"01O+3%\r").splitlines(keepends=True)
    emitted = polled(first + second, *[b""] * 10, last, *[b""] * 14)
    assert [[line.text for line in lines] for lines in emitted if lines] == [["3%"]]
    emitted = polled(first, b"", second, *[b""] * 14, last)
    assert [[line.text for line in lines] for lines in emitted if lines] == [["1%"], ["2%"], ["3%"]]


def test_open_line_holds_others_briefly():
    """Each poll brings one line of another stream."""
    log = stamped(b"01O one\r", *[b"01E more"] * 20).splitlines(keepends=True)
    emitted = polled(*log)
    assert [len(lines) for lines in emitted[:17]] == [0] * 16 + [17]


def test_half_a_record_is_not_silence():
    log = stamped(b"01O 10%\r", b"01O+20%")
    emitted = polled(log[:50], b"", log[50:])
    assert flat(emitted) == whole(log)


@pytest.mark.parametrize("last", [0, 1, 2, 3, 9])
@pytest.mark.parametrize("idle", [0, 1, 2])
def test_the_last_lines_count_open_ones(last, idle):
    there = stamped(b"01O one\r", b"01E two\r", b"01O three\r")
    more = stamped(b"01E four\r", b"01O five\r")
    emitted = polled(there, *[b""] * idle, more, last=last)
    texts = [line.text for line in flat(emitted)]
    assert texts == [*["one", "two", "three"][3 - min(last, 3) :], "four", "five"]


@pytest.mark.parametrize("last", [0, 1, 2, 3, 9])
@pytest.mark.parametrize("idle", [0, 1, 2])
def test_the_last_lines_count_matching_ones(last, idle):
    """Of an open line, the match is that of its text at the first poll."""
    there = stamped(b"01O a1", b"01O b1", b"01O a2\r", b"01E b2\r", b"01O a3\r", b"01O b3\r")
    more = stamped(b"01E b4\r", b"01O a4\r")
    polls = [there, *[b""] * idle, more]
    emitted = polled(*polls, last=last, matching=lambda line: line.text.startswith("a"))
    texts = [line.text for line in flat(emitted)]
    assert texts == [*["a1", "a2", "a3"][3 - min(last, 3) :], "a4"]


def test_markers_are_not_counted_as_lines():
    there = stamped(b"01O text\r", b"00O section_start:1:a" + CLEAR)
    emitted = polled(there, stamped(b"01O new", b"01O newer"), last=0)
    assert [line.text for line in flat(emitted)] == ["new", "newer"]


def test_a_replaced_log_begins_anew():
    reader = LineReader(0.0, INTERVAL, last=2)
    reader.read(stamped(b"01O old\r"))
    reader.restart()
    reader.read(b"new\nlines\nagain\n")
    assert [(line.number, line.text) for line in reader.polled(5.0)] == [(2, "lines"), (3, "again")]


@pytest.mark.parametrize("log", LOGS.values(), ids=LOGS)
def test_reading_goes_on_where_a_line_ended(log):
    """Nothing is lost; only lines cut at 8 KiB may be repeated in part."""
    lines = whole(log)
    for number, line in enumerate(lines, start=1):
        rest = iter(flat(polled(log[line.end :], b"", offset=line.end)))
        assert all(any(later.text == one.text for one in rest) for later in lines[number:])


ENDING = stamped(
    b"01O one\r",
    b"01E two\r",
    b"00O section_end:1:a" + CLEAR + b"three\r",
    b"01O 1%\r",
    b"00E four\r",
    b"01O+2%\r",
)


@pytest.mark.parametrize("last", range(6))
def test_records_without_a_line_are_not_counted(last):
    lines = [line.text for line in flat(polled(ENDING, last=last))]
    assert lines == ["one", "two", "three", "four", "2%"][5 - last :]


def test_overwritten_old_line_hides_no_new_one():
    """The last lines were counted before a carriage return overwrote one of them."""
    first, second = stamped(b"01O 1%\r"), stamped(b"01O+2%")
    assert [line.text for line in flat(polled(first, second, last=0))] == ["2%"]
