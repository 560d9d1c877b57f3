"""The record of all measurements, `results.json`, and the page that is rendered from it.

A run replaces its own rows only, so that those of long runs keep their figures, with the run that
measured them.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from attrs import define, evolve, field, frozen
from cattrs.preconf.json import make_converter

from benchmarks.results import Chart, Row, Table

COLUMNS = ("before", "quiet", "loaded")
"""Kinds of measurements: of an older state, of this one, and of this one under load."""
_HEADS = (
    "question",
    "bar",
    "before",
    "measured, by CPU",
    "by the wall",
    "under load, by CPU",
    "by the wall",
    "verdict",
    "runs",
)


@frozen
class Run:
    """One call of the command: where and when, and the load (1 minute) at its start and end."""

    date: str
    commit: str
    size: str
    machine: str
    versions: str
    load: tuple[float, float]


@frozen
class Figures:
    """The figures of a question in one column, and the number of their run."""

    cpu: str
    wall: str
    is_met: bool | None
    run: int
    details: str = ""


@define
class Entry:
    """One line of the table: figures by column."""

    name: str
    bar: str
    figures: dict[str, Figures] = field(factory=dict[str, Figures])


@frozen
class Drawing:
    """A chart of the benchmark *name*, in a file of its own."""

    name: str
    title: str
    run: int


@frozen
class Detail:
    """A detail table, and the number of its run."""

    name: str
    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    run: int


@define
class Record:
    """All that was measured: entries by question, in the order of the table."""

    runs: dict[int, Run] = field(factory=dict[int, Run])
    entries: dict[str, Entry] = field(factory=dict[str, Entry])
    details: dict[str, Detail] = field(factory=dict[str, Detail])
    drawings: dict[str, Drawing] = field(factory=dict[str, Drawing])

    def begin(self, run: Run) -> int:
        """Add a run; return its number."""
        number = max(self.runs, default=0) + 1
        self.runs[number] = run
        return number

    def end(self, number: int, load: float) -> None:
        """Note the load at the end of a run."""
        run = self.runs[number]
        self.runs[number] = evolve(run, load=(run.load[0], load))

    def add_row(self, name: str, row: Row, column: str, run: int) -> None:
        """Put the figures of *row*, measured by the benchmark *name*, into a column."""
        entry = self.entries.setdefault(row.question, Entry(name, row.bar))
        if column != "before":
            entry.name, entry.bar = name, row.bar
        entry.figures[column] = Figures(row.cpu, row.wall, row.is_met, run, row.details)

    def add_table(self, name: str, table: Table, run: int) -> None:
        """Put a detail table in place of the earlier one of its title."""
        rows = tuple(map(tuple, table.rows))
        self.details[table.title] = Detail(name, table.title, tuple(table.heads), rows, run)

    def add_chart(self, name: str, chart: Chart, run: int) -> None:
        """Note that a chart was drawn."""
        self.drawings[chart.name] = Drawing(name, chart.title, run)

    def finish(self, name: str, column: str, run: int) -> None:
        """Drop what the benchmark *name* showed in this column before *run*, and no longer does."""
        for question, entry in list(self.entries.items()):
            if entry.name == name and column in entry.figures:
                if entry.figures[column].run != run:
                    del entry.figures[column]
                if not entry.figures.keys() - {"before"} and column != "before":
                    del self.entries[question]
        if column == "quiet":
            for parts in (self.details, self.drawings):
                for key, part in list(parts.items()):
                    if part.name == name and part.run != run:
                        del parts[key]

    def arrange(self, names: Sequence[str]) -> None:
        """Sort everything by the order of the benchmarks, and drop runs that nothing is of."""
        places = {name: place for place, name in enumerate(names)}
        for parts in (self.entries, self.details, self.drawings):
            items = sorted(parts.items(), key=lambda item: places.get(item[1].name, len(places)))
            parts.clear()
            parts.update(items)
        used = {figures.run for e in self.entries.values() for figures in e.figures.values()}
        used |= {part.run for part in (*self.details.values(), *self.drawings.values())}
        self.runs = {number: run for number, run in self.runs.items() if number in used}


def load(file: Path) -> Record:
    """Read a record; without the file, an empty one."""
    return _converter.loads(file.read_text(), Record) if file.exists() else Record()


def save(record: Record, file: Path) -> None:
    """Write a record, so that a change of one row changes few lines."""
    file.write_text(_converter.dumps(record, indent=1, ensure_ascii=False) + "\n")


def insert(record: Record, page: str) -> str:
    """Return *page* with the results between its markers.

    Raises:
        ValueError: the page does not have both markers.
    """
    return insert_text("\n".join(render(record)), page, "results")


def insert_text(text: str, page: str, name: str) -> str:
    """Return *page* with *text* between the markers of this name.

    Raises:
        ValueError: the page does not have both markers.
    """
    first, last = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, begin, rest = page.partition(first)
    _, end, after = rest.partition(last)
    if not (begin and end):
        raise ValueError(f"page without {name}: expected the lines {first} and {last}")
    return f"{before}{begin}\n\n{text}\n\n{end}{after}"


def render(record: Record) -> Iterator[str]:
    """Yield the lines of all results."""
    yield from table_lines(_HEADS, [_cells(key, entry) for key, entry in record.entries.items()])
    if notes := list(_notes(record)):
        yield from ("", *notes)
    yield ""
    heads = ("run", "date", "commit", "size", "load at start and end", "machine", "versions")
    yield from table_lines(heads, [_run_cells(*item) for item in sorted(record.runs.items())])
    for file, drawing in record.drawings.items():
        yield from ("", f"![{drawing.title}]({file}.svg)")
    for detail in record.details.values():
        yield from ("", f"### {detail.title}", "", f"By `{detail.name}`, run {detail.run}.", "")
        yield from table_lines(detail.heads, detail.rows)


def verdict(entry: Entry) -> str:
    """Return whether the bar is met, quiet and under load."""
    found = [
        ("" if column == "quiet" else "under load ", figures.is_met)
        for column, figures in entry.figures.items()
        if column != "before" and figures.is_met is not None
    ]
    if all(is_met for _, is_met in found):
        return "met" if found else ""
    return ", ".join(prefix + ("met" if is_met else "**missed**") for prefix, is_met in found)


def _cells(question: str, entry: Entry) -> tuple[str, ...]:
    empty = Figures("", "", None, 0)
    before, quiet, loaded = (entry.figures.get(column, empty) for column in COLUMNS)
    runs = sorted({figures.run for figures in entry.figures.values()})
    measured = (quiet.cpu, quiet.wall, loaded.cpu, loaded.wall)
    shown_before = before.cpu or before.wall
    return (question, entry.bar, shown_before, *measured, verdict(entry), ", ".join(map(str, runs)))


def _notes(record: Record) -> Iterator[str]:
    for question, entry in record.entries.items():
        figures = entry.figures.get("quiet") or entry.figures.get("loaded")
        if figures is not None and figures.details:
            yield f"- {question}: {figures.details}"


def _run_cells(number: int, run: Run) -> tuple[str, ...]:
    start, end = run.load
    load = f"{start:.1f}, {end:.1f}" if run.machine else ""
    return (str(number), run.date, run.commit, run.size, load, run.machine, run.versions)


def table_lines(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table in Markdown."""
    for cells in (heads, ["---"] * len(heads), *rows):
        yield "| " + " | ".join(re.sub(r"\s*\n\s*", " ", cell) for cell in cells) + " |"


_converter = make_converter()
