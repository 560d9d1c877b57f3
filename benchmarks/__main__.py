"""Measure how fast, cheap and prompt this is, and write the results into `benchmarks/README.md`.

Without NAME all benchmarks run but the long ones, which take from minutes to hours.
"""

import argparse
import datetime as dt
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from attrs import frozen

import gitlab_jobs_async
from benchmarks import record as recording
from benchmarks.measuring import apart, busy, machine, versions
from benchmarks.plotting import can_draw, draw
from benchmarks.record import Record, Run
from benchmarks.results import Page, Result, Row, Size, Table
from benchmarks.running import measured

HERE = Path(__file__).parent
PACKAGES = (
    "aiohttp",
    "orjson",
    "attrs",
    "cattrs",
    "msgspec",
    "python-gitlab",
    "gidgetlab",
    "httpx",
)


@frozen
class Benchmark:
    """A module of this name that measures; *long* ones run only when they are named.

    `is_timed` says that the figures depend on the machine, so that a load may change them.
    """

    name: str
    is_long: bool = False
    is_timed: bool = True


BENCHMARKS = (
    Benchmark("decode"),
    Benchmark("listing"),
    Benchmark("listing_requests", is_timed=False),
    Benchmark("listing_pages", is_timed=False),
    Benchmark("parse"),
    Benchmark("import_time"),
    Benchmark("tail", is_timed=False),
    Benchmark("tail_many", is_timed=False),
    Benchmark("growth", is_timed=False),
    Benchmark("costs"),
    Benchmark("week", is_timed=False),
    Benchmark("soak", is_long=True, is_timed=False),
    Benchmark("features", is_long=True, is_timed=False),
    Benchmark("delays", is_long=True, is_timed=False),
    Benchmark("prompt", is_long=True, is_timed=False),
    Benchmark("replicas", is_long=True, is_timed=False),
    Benchmark("monitor", is_long=True, is_timed=False),
)
NAMES = [benchmark.name for benchmark in BENCHMARKS]


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    long = ", ".join(b.name for b in BENCHMARKS if b.is_long)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; long are {long}"
    )
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quick", action="store_true", help="smaller sizes and fewer rounds")
    sizes.add_argument("--tiny", action="store_true", help="to test the benchmarks themselves")
    columns = parser.add_mutually_exclusive_group()
    columns.add_argument(
        "--load", action="store_true", help="then measure again with one busy process per core"
    )
    columns.add_argument(
        "--before", action="store_true", help="fill the column of an older state instead"
    )
    parser.add_argument(
        "--output", type=Path, default=HERE, metavar="DIR", help="of README.md (default: here)"
    )
    options = parser.parse_args(given)
    if unknown := sorted(set(options.names) - set(NAMES)):
        parser.error(f"unknown benchmark {', '.join(unknown)}: expected {', '.join(NAMES)}")
    return options


def commit() -> str:
    """Return the commit of the measured package, with + if files are changed."""
    folder = Path(gitlab_jobs_async.__file__).parent

    def git(*words: str) -> str:
        command = ["git", "-C", str(folder), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    head = git("rev-parse", "--short", "HEAD")
    return head and head + ("+" if git("status", "--porcelain", "--", str(folder)) else "")


def this_run(size: Size) -> Run:
    """Describe the run that begins now."""
    today = dt.datetime.now(dt.UTC).date().isoformat()
    load = os.getloadavg()[0]
    return Run(today, commit(), size.value, machine(), versions(PACKAGES), (load, load))


def add(
    record: Record, name: str, results: Sequence[Result], run: int, column: str, to: Path
) -> None:
    """Put *results* into the record; only a quiet run of this state has tables and charts.

    A page is one of the repository, or of that name in another folder for output.
    """
    for result in results:
        if isinstance(result, Row):
            record.add_row(name, result, column, run)
        elif column == "quiet" and isinstance(result, Table):
            record.add_table(name, result, run)
        elif isinstance(result, Page):
            file = HERE.parent / result.file if to == HERE else to / Path(result.file).name
            file.write_text(recording.insert_text(result.text, file.read_text(), result.name))
        elif column == "quiet" and can_draw():
            draw(result, to / f"{result.name}.svg")
            record.add_chart(name, result, run)


def main(given: Sequence[str] | None = None) -> None:
    """Measure and write; each benchmark is written as soon as it has ended."""
    options = arguments(sys.argv[1:] if given is None else given)
    size = Size.QUICK if options.quick else Size.TINY if options.tiny else Size.FULL
    chosen = [b for b in BENCHMARKS if b.name in options.names or not (options.names or b.is_long)]
    page, file = options.output / "README.md", options.output / "results.json"
    record = recording.load(file)
    run = record.begin(this_run(size))
    for benchmark in chosen:
        columns = ["before" if options.before else "quiet"]
        columns += ["loaded"] if options.load and benchmark.is_timed else []
        for column in columns:
            load = busy(os.cpu_count() or 1) if column == "loaded" else nullcontext()
            with load:
                # A process of its own: no benchmark depends on those before it.
                results = apart(measured, benchmark.name, size)
            add(record, benchmark.name, results, run, column, options.output)
            record.finish(benchmark.name, column, run)
            record.end(run, os.getloadavg()[0])
            record.arrange(NAMES)
            recording.save(record, file)
            page.write_text(recording.insert(record, page.read_text()))


if __name__ == "__main__":
    main()
