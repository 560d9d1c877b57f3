"""Run one benchmark, and show its results on a terminal as they come."""

import importlib
from collections.abc import Iterator

from benchmarks.results import Chart, Page, Result, Size, Table


def measured(name: str, size: Size) -> list[Result]:
    """Return the results of a benchmark, each printed as it comes."""
    print(f"\n{name}", flush=True)
    results = []
    for result in importlib.import_module(f"benchmarks.{name}").measure(size):
        for line in shown(result):
            print(f"  {line}", flush=True)
        results.append(result)
    return results


def shown(result: Result) -> Iterator[str]:
    """Yield the lines that show a result on a terminal."""
    if isinstance(result, Chart):
        yield f"chart: {result.title}"
    elif isinstance(result, Page):
        yield f"page: {result.file}"
    elif isinstance(result, Table):
        yield result.title
        columns = list(zip(result.heads, *result.rows, strict=True))
        widths = [max(map(len, column)) for column in columns]
        for cells in (result.heads, *result.rows):
            yield "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    else:
        verdict = {None: "", True: "met", False: "MISSED"}[result.is_met]
        figures = "; by the wall ".join(filter(None, (result.cpu, result.wall)))
        bar = f" (bar: {result.bar}) {verdict}" if result.bar else ""
        yield f"{result.question}: {figures}{bar}"
        if result.details:
            yield f"    {result.details}"
