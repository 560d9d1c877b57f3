"""A log as rows: sections, folding, search, and lines that are wrapped."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from gitlab_jobs_async.cli.fullscreen.log_document import LogDocument, LogRow
from gitlab_jobs_async.cli.fullscreen.log_lines import LogText
from gitlab_jobs_async.logs.parser import LogParser
from tests.support.command import HOSTILE_LOG, NASTY

CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
NAMES = ("get_sources", "step_script", "own", "folded[collapsed=true]")
STEPS = st.lists(
    st.one_of(
        st.sampled_from([f"section_start:17:{name}\r\x1b[0K" for name in NAMES]),
        st.sampled_from([f"section_end:19:{name.partition('[')[0]}\r\x1b[0K" for name in NAMES]),
        st.sampled_from(["plain\n", "\x1b[31mred\n", "a word\n", "\x1b[0m\n"]),
    ),
    max_size=40,
)


def document_of(text):
    document, parser = LogDocument(), LogParser()
    for line in [*parser.feed(text.encode(errors="replace")), *parser.close()]:
        document.append(line)
    return document


def rows_when_rebuilt(document):
    shown = list(document.rows)
    document._rebuild()
    return shown, document.rows


@given(STEPS, st.lists(st.integers(0, 60), max_size=5))
@settings(max_examples=80)
def test_appended_rows_are_those_of_a_rebuild(steps, toggles):
    document = document_of("".join(steps))
    shown, rebuilt = rows_when_rebuilt(document)
    assert shown == rebuilt
    for place in toggles:
        if place < len(document.rows):
            document.toggle(document.rows[place])
    assert [document.rows[document.place_of(row)] for row in document.rows] == document.rows
    for line in range(len(document.lines)):
        place = document.reveal(line)
        assert document.rows[place] == LogRow(line, document.rows[place].section)
    assert sum(not row.is_header for row in document.rows) == len(document.lines)
    document.set_all(is_open=False)
    assert all(row.is_header or row.section < 0 for row in document.rows)


def test_runner_sections_fold_when_they_end():
    text = (
        "section_start:10:get_sources\r\x1b[0KFetching\n"
        "section_end:12:get_sources\r\x1b[0K"
        "section_start:12:step_script\r\x1b[0K$ make\nE assert\n"
        "section_end:19:step_script\r\x1b[0KERROR: Job failed: exit code 1\n"
    )
    document = document_of(text)
    view = LogText(document)
    shown = [view.text(line).plain for line in range(view.arrange(60))]
    assert shown == [
        "     ▹ get_sources  2s",
        "     ▾ step_script  7s",
        "   2 $ make",
        "   3 E assert",
        "   4 ERROR: Job failed: exit code 1",
    ]
    assert view.text(len(shown)).plain == ""
    document.toggle(document.rows[0])
    document.mark_failed(0)
    assert document.is_open(0)
    assert document.find("ASSERT") == []
    assert document.find("assert") == document.find("E assert") == [2]
    assert document.find("error") == [3]
    trimmed = document.trimmed(2)
    assert [trimmed.lines[row.line].text for row in trimmed.rows if not row.is_header] == [
        "E assert", "ERROR: Job failed: exit code 1",
    ]  # fmt: skip
    assert trimmed.line_numbered(4) == 1
    assert trimmed.line_numbered(1) is None


@given(st.lists(NASTY, max_size=8), st.integers(10, 90), st.booleans())
@settings(max_examples=80)
def test_wrapped_lines_hold_all_and_fit(texts, width, is_growing):
    document, parser = LogDocument(), LogParser()
    view = LogText(document, is_wrapped=True)
    for text in texts:
        for line in parser.feed(f"{text}\n".encode(errors="replace")):
            document.append(line)
            if is_growing:
                view.arrange(width)
    count = view.arrange(width)
    plain = LogText(document)
    plain.arrange(width)
    parts = {}
    for line in range(count):
        text = view.text(line)
        assert text.cell_len <= max(width, view.gutter + 8)
        assert not CONTROLS.search(text.plain)
        parts.setdefault(view.row_at(line), []).append(text.plain[view.gutter :])
    whole = {row: plain.text(row).plain[plain.gutter :] for row in range(len(document.rows))}
    assert {row: "".join(some) for row, some in parts.items()} == whole


def test_colours_of_earlier_lines_are_kept():
    document = document_of(HOSTILE_LOG.decode() + "still red\n\x1b[0mplain\n")
    view = LogText(document, query="still", failure=0)
    view.arrange(60)
    texts = [view.text(line) for line in range(len(document.rows))]
    assert all(text.plain.isprintable() for text in texts)
    still = next(text for text in texts if "still" in text.plain)
    styles = {str(span.style) for span in still.spans}
    assert any("color(1)" in style for style in styles)
    assert "reverse" in styles
    assert not any("color(1)" in str(span.style) for span in texts[-1].spans)
