"""Watching many projects for a simulated day: requests, and how late a change is seen.

Each way of watching has the same watches and the same budget: one project after the other (round
robin), by REST alone, with hints by GraphQL of which idle projects have changed, with scans of all
projects by GraphQL, and by REST with an oracle that knows the changes of the next 10 minutes. Bars:
1,000 projects on 100 requests a minute: an idle project's first change within 60 s for 95 %, all
changes 20 s median. 10,000 projects on 100: 10 s median, 60 s for 95 %.

A quick run has a tenth of the projects on a tenth of the budget.
"""

import math
from collections.abc import Iterator, Mapping
from functools import partial
from multiprocessing import get_context
from statistics import quantiles

from attrs import evolve, frozen

from benchmarks.activity import projects
from benchmarks.results import Chart, Row, Size, Table
from benchmarks.schemes import (
    Scheme,
    by_hints,
    by_oracle,
    by_rest,
    by_scans,
    each_minute,
    round_robin,
)
from benchmarks.simulated_day import Record

KINDS = {"all": "all changes", "busy": "busy", "bursts": "in bursts", "first": "first after 1 h"}


@frozen
class Case:
    """One way of watching *projects*, of which one in *every* is simulated."""

    name: str
    projects: int
    per_minute: int | None
    scheme: Scheme
    hours: float = 24.0
    every: int = 1
    is_restored: bool = False
    """Whether a checkpoint has the baselines."""

    @property
    def title(self) -> str:
        """Its name in a table."""
        budget = "no limit" if self.per_minute is None else f"{self.per_minute}/min"
        return f"{self.projects:,} on {budget}, {self.name}"


SIZES = [(100, 60, 12.0), (1000, 600, 6.0), (1000, 100, 12.0), (10_000, 100, 2.0)]
"""Projects, requests a minute and hours, which are fewer where a simulation takes long."""

SCHEMES: dict[str, Scheme] = {
    "round robin": round_robin,
    "REST": by_rest,
    "change hints": by_hints,
    "scan by GraphQL": by_scans,
    "oracle": by_oracle,
}
CASES = [
    Case(name, size, budget, scheme, hours, is_restored=size > 1000)
    for size, budget, hours in SIZES
    for name, scheme in SCHEMES.items()
]
CASES += [
    Case(f"hints in {latency} s", 1000, 100, partial(by_hints, latency=latency), 12.0)
    for latency in (0.3, 3.0)
]
# Its requests fit into no budget: a tenth of it shows what it would see.
CASES.append(Case("each every 60 s", 1000, None, each_minute, 12.0, every=10))


def simulated(case: Case) -> Record:
    """Return the record of the day."""
    watched = projects(case.projects // case.every, days=case.hours / 24)
    day = case.scheme(watched, case.per_minute, case.hours)
    day.is_restored = case.is_restored
    return day.run()


def part(case: Case, of: int, hours: float) -> Case:
    """Return a part of the projects and the budget."""
    budget = None if case.per_minute is None else max(6, case.per_minute // of)
    return evolve(case, projects=case.projects // of, per_minute=budget, hours=hours, every=1)


def percentile(delays: list[float], percent: int) -> float:
    """Return the delay within which *percent* per cent were seen."""
    return quantiles(delays, n=100)[percent - 1] if len(delays) > 1 else math.nan


def measure(size: Size) -> Iterator[Row | Table | Chart]:
    """Simulate all cases, two at a time."""
    cases = size.pick(CASES, CASES, [case for case in CASES if case.name in TINY_WAYS])
    run = size.pick(
        cases, [part(case, 10, 12.0) for case in cases], [part(case, 50, 0.1) for case in cases]
    )
    with get_context("spawn").Pool(2) as pool:
        records = pool.map(simulated, run, chunksize=1)
    found = {case.title: record for case, record in zip(cases, records, strict=True)}
    for bar in BARS:
        yield bar.row(found)
        yield from charts(bar.where, found)
    rows = [cells(case, record) for case, record in zip(cases, records, strict=True)]
    yield Table("seconds to see a change: 50 %, 95 %", HEADS, rows)


@frozen
class Bar:
    """The longest delays that are allowed by kind and per cent, *where* many are watched."""

    where: str
    question: str
    bar: str
    most: Mapping[tuple[str, int], float]

    def row(self, found: Mapping[str, Record]) -> Row:
        """Return the answer; a monitor of as many projects chooses scans by itself."""
        shown, lost = [], 0
        for way in SCHEMES:
            if (record := found.get(f"{self.where}, {way}")) is not None:
                lost += record.lost
                delays = "; ".join(f"{name} {pair(record.delays[kind])}" for kind, name in ASKED)
                shown.append(f"{way}: {delays}")
        delays = found[f"{self.where}, {CHOSEN}"].delays
        in_time = [percentile(delays[kind], n) <= most for (kind, n), most in self.most.items()]
        details = f"{'; '.join(shown)}; {lost} changes lost"
        chosen = f"{CHOSEN}: all {pair(delays['all'])}, first {pair(delays['first'])}"
        return Row(self.question, self.bar, "", chosen, all(in_time) and lost == 0, details)


CHOSEN = "scan by GraphQL"
TINY_WAYS = (CHOSEN, "REST")
ASKED = (("all", "all changes"), ("first", "the first after an hour"))
BARS = (
    Bar(
        "1,000 on 100/min",
        "watch 1,000 projects on 100 requests/min for a simulated half-day",
        "an idle project's first change within 60 s for 95 %; all changes 20 s median",
        {("first", 95): 60.0, ("all", 50): 20.0},
    ),
    Bar(
        "10,000 on 100/min",
        "watch 10,000 projects on 100 requests/min",
        "10 s median, 95 % 60 s",
        {("all", 50): 10.0, ("all", 95): 60.0},
    ),
)
HEADS = ("projects, budget, way", *KINDS.values(), "requests/min", "longest unseen", "lost")


def pair(delays: list[float]) -> str:
    """Return the delays within which a half and 95 % were seen."""
    return f"{percentile(delays, 50):.1f} s, {percentile(delays, 95):.1f} s"


def cells(case: Case, record: Record) -> tuple[str, ...]:
    """Return a line of the table."""
    delays = (pair(of).replace(" s", "") if of else "" for of in record.delays.values())
    rate = record.requests * case.every / (record.hours * 60)
    return (case.title, *delays, f"{rate:.1f}", f"{record.longest:.0f} s", str(record.lost))


def charts(where: str, found: Mapping[str, Record]) -> Iterator[Chart]:
    """Yield the share of changes that are seen within a time, by way of watching."""
    for kind, name in ASKED:
        lines = {}
        for way in SCHEMES:
            record = found.get(f"{where}, {way}")
            if record is not None and record.delays[kind]:
                lines[way] = cumulative(record.delays[kind])
        file = f"monitor-{where.partition(' ')[0].replace(',', '')}-{kind}"
        title = f"{where}: {name} seen within"
        if lines:
            yield Chart(file, title, "seconds", "%", lines, log_x=True)


def cumulative(delays: list[float]) -> list[tuple[float, float]]:
    """Return at most 200 points of the share in per cent that is seen within a time."""
    ordered, step = sorted(delays), max(1, len(delays) // 200)
    last = len(ordered)
    return [(max(ordered[n], 0.5), 100 * (n + 1) / last) for n in range(0, last, step)]
