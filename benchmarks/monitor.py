"""Watching many projects for a simulated day: requests, and how late a change is seen.

Each way of watching has the same watches and the same budget: one project after the other (round
robin), by REST alone, with hints by GraphQL of which idle projects have changed, with scans of all
projects by GraphQL, and by REST with an oracle that knows the changes of the next 10 minutes. Bars:
1,000 projects on 100 requests a minute: an idle project's first change within 60 s for 95 %, all
changes 20 s median. 10,000 projects on 100: 10 s median, 60 s for 95 %.

`--quick` for a tenth of the projects on a tenth of the budget for 12 hours; `--only WORDS` for the
cases whose names have these; `--plot FILE` for a picture; `--costs` for the time and memory that a
watched project takes.
"""

import argparse
import math
import time
from functools import partial
from multiprocessing import Pool
from pathlib import Path
from statistics import quantiles

from activity import projects
from attrs import evolve, frozen
from costs import print_costs
from measuring import versions
from schemes import (
    Scheme,
    by_hints,
    by_oracle,
    by_rest,
    by_scans,
    each_minute,
    round_robin,
)
from simulated_day import Record

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


def simulated(case: Case) -> tuple[Record, float]:
    """Return the record of the day, and the CPU seconds that the simulation took."""
    watched = projects(case.projects // case.every, days=case.hours / 24)
    began = time.process_time()
    day = case.scheme(watched, case.per_minute, case.hours)
    day.is_restored = case.is_restored
    return day.run(), time.process_time() - began


def quick(case: Case) -> Case:
    """Return a tenth of everything, and half a day."""
    budget = None if case.per_minute is None else case.per_minute // 10
    return evolve(case, projects=case.projects // 10, per_minute=budget, hours=12.0, every=1)


def percentile(delays: list[float], percent: int) -> float:
    """Return the delay within which *percent* per cent were seen."""
    return quantiles(delays, n=100)[percent - 1] if len(delays) > 1 else math.nan


def print_requests(case: Case, record: Record, seconds: float) -> None:
    """Print one line of the first table."""
    minutes = record.hours * 60
    quiet = sum(record.quiet.values()) / max(1e-9, record.quiet_minutes)
    print(
        f"{case.title:32} {record.requests * case.every:9,} "
        f"{record.requests * case.every / minutes:7.1f} "
        f"{max(record.per_minute.values()) * case.every:5} "
        f"{quiet:6.2f} {max(record.quiet.values()):4} "
        f"{record.longest:8.0f} {record.changes * case.every:9,} {record.lost:4} {seconds:8.0f}"
    )


def print_delays(case: Case, record: Record) -> None:
    """Print one line of the second table."""
    cells = (
        f"{percentile(delays, 50):8.1f} {percentile(delays, 95):8.1f}"
        for delays in record.delays.values()
    )
    print(f"{case.title:32} {'  '.join(cells)}")


def main() -> None:
    """Print the tables."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="a tenth of everything, 12 hours")
    options.add_argument("--only", default="", metavar="WORDS", help="only cases named so")
    options.add_argument("--plot", type=Path, metavar="FILE", help="write a picture of it")
    options.add_argument("--costs", action="store_true", help="only time and memory of our code")
    chosen = options.parse_args()
    print(versions(["gitlab_jobs_async"]))
    if chosen.costs:
        print_costs()
        return
    cases = [case for case in CASES if chosen.only in case.title]
    cases = [quick(case) for case in cases] if chosen.quick else cases
    with Pool(2) as pool:
        results = pool.map(simulated, cases, chunksize=1)
    days = [(case, record) for case, (record, _) in zip(cases, results, strict=True)]
    columns = (
        "requests",
        "a minute",
        "most",
        "idle",
        "most",
        "unseen s",
        "changes",
        "lost",
        "CPU s",
    )
    print("\n" + " " * 32, *columns)
    for (case, record), (_, seconds) in zip(days, results, strict=True):
        print_requests(case, record, seconds)
    print("\nseconds to see a change (50 %, 95 %)", *(f"{kind:>17} " for kind in KINDS.values()))
    for case, record in days:
        print_delays(case, record)
    print("\nwhat single pages of the 20 newest jobs would have lost, round robin:")
    for case, record in days:
        if case.scheme is round_robin:
            print(
                f"{case.title:32} {record.naive_jobs:,} jobs never seen, "
                f"{record.naive_ends:,} ends, of {record.ended:,}"
            )
    if chosen.plot:
        # Imported late, since nothing else needs matplotlib.
        from plotting import plot  # noqa: PLC0415

        plot([(case.title, record) for case, record in days], chosen.plot)


if __name__ == "__main__":
    main()
