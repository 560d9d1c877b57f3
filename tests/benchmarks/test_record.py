"""The record of measurements: partial runs, columns, verdicts, and the page."""

import pytest

from benchmarks.record import Record, Run, insert, load, save, verdict
from benchmarks.results import Chart, Row, Table

PAGE = "# Page\n\n<!-- results -->\nold\n<!-- end of results -->\n\nThe end.\n"


def run(date="2026-01-01", size="full"):
    return Run(date, "abc1234", size, "2 cores", "Python 3.11", (0.1, 0.2))


def row(question="speed", cpu="2 x", *, is_met=True, bar="at least 1 x", details=""):
    return Row(question, bar, cpu, "", is_met, details)


@pytest.fixture
def record():
    """Hold two benchmarks of one run."""
    record = Record()
    number = record.begin(run())
    record.add_row("listing", row("list"), "quiet", number)
    record.add_row("monitor", row("watch", "20 s"), "quiet", number)
    record.add_table("monitor", Table("delays", ("way", "s"), [("REST", "20")]), number)
    return record


def test_partial_run_keeps_other_rows(record):
    number = record.begin(run("2026-02-02"))
    record.add_row("listing", row("list", "3 x"), "quiet", number)
    record.finish("listing", "quiet", number)
    record.arrange(["listing", "monitor"])
    assert [e.figures["quiet"].cpu for e in record.entries.values()] == ["3 x", "20 s"]
    assert [e.figures["quiet"].run for e in record.entries.values()] == [2, 1]
    assert record.runs.keys() == {1, 2}
    assert "delays" in record.details


def test_finish_drops_renamed_questions(record):
    number = record.begin(run())
    record.add_row("listing", row("list, renamed"), "quiet", number)
    record.add_row("listing", row("list", "1 x"), "before", number)
    record.finish("listing", "quiet", number)
    assert record.entries.keys() == {"list, renamed", "watch"}


def test_finish_keeps_figures_under_load(record):
    record.add_row("listing", row("list", "9 x"), "loaded", 1)
    number = record.begin(run())
    record.add_row("listing", row("list", "3 x"), "quiet", number)
    record.finish("listing", "quiet", number)
    assert record.entries["list"].figures["loaded"].cpu == "9 x"


def test_finish_drops_old_tables_and_charts(record):
    record.add_chart("monitor", Chart("old", "Old", "x", "y", {}), 1)
    number = record.begin(run())
    record.add_row("monitor", row("watch"), "quiet", number)
    record.finish("monitor", "quiet", number)
    assert not record.details
    assert not record.drawings


def test_arrange_drops_runs_without_rows(record):
    record.begin(run())
    record.arrange(["monitor", "listing"])
    assert record.runs.keys() == {1}
    assert list(record.entries) == ["watch", "list"]


def test_before_does_not_change_the_bar(record):
    record.add_row("listing", row("list", "1 x", bar="an older bar"), "before", 1)
    assert record.entries["list"].bar == "at least 1 x"


@pytest.mark.parametrize(
    ("quiet", "loaded", "shown"),
    [
        (True, None, "met"),
        (None, None, ""),
        (False, None, "**missed**"),
        (True, False, "met, under load **missed**"),
        (True, True, "met"),
    ],
)
def test_verdict_names_quiet_and_load(record, quiet, loaded, shown):
    record.add_row("listing", row("list", is_met=quiet), "quiet", 1)
    record.add_row("listing", row("list", is_met=loaded), "loaded", 1)
    record.add_row("listing", row("list", is_met=False), "before", 1)
    assert verdict(record.entries["list"]) == shown


def test_record_survives_its_file(record, tmp_path):
    save(record, tmp_path / "results.json")
    assert load(tmp_path / "results.json") == record


def test_missing_file_is_an_empty_record(tmp_path):
    assert load(tmp_path / "results.json") == Record()


def test_insert_replaces_between_markers(record):
    record.add_row("listing", row("list", "7 x", details="10 jobs"), "before", 1)
    record.add_row("listing", row("list", "8 x", details="20 jobs"), "quiet", 1)
    page = insert(record, PAGE)
    assert page.startswith("# Page\n\n<!-- results -->\n")
    assert page.endswith("<!-- end of results -->\n\nThe end.\n")
    assert "old" not in page
    assert "| list | at least 1 x | 7 x | 8 x |  |  |  | met | 1 |" in page
    assert "- list: 20 jobs" in page
    assert "| 1 | 2026-01-01 | abc1234 | full | 0.1, 0.2 | 2 cores | Python 3.11 |" in page
    assert "### delays" in page
    assert insert(record, page) == page


def test_insert_without_markers_is_an_error(record):
    with pytest.raises(ValueError, match="page without results: expected the lines"):
        insert(record, "# Page\n")
