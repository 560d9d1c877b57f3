"""Watching 1,000 projects for a simulated day: requests, and how late a change is seen.

Our own turns against one after the other (round robin), with the same watches, under the same
budget; and 10,000 projects on 100 requests a minute. Bars: an idle project (nothing has changed for
an hour) at most 1 request a minute; half of all changes seen 5 x sooner than by round robin.

`--quick` for a tenth of the projects on a tenth of the budget for 12 hours; `--plot FILE` for a
picture; `--costs` for the time and memory that a watched project takes.
"""

import argparse
import math
from collections.abc import Callable
from multiprocessing import Pool
from pathlib import Path
from statistics import quantiles

from activity import projects
from attrs import evolve, frozen
from costs import print_costs
from measuring import versions
from plotting import plot
from simulated_day import Record, RoundRobin, Simulation, Turns, adaptive

KINDS = {"all": "all changes", "busy": "busy", "bursts": "in bursts", "first": "first after 1 h"}


@frozen
class Case:
    """One way of watching: so many *projects*, of which one in *every* is simulated."""

    name: str
    projects: int
    per_minute: int | None
    turns: Callable[[int | None], Turns]
    hours: float = 24.0
    every: int = 1

    @property
    def title(self) -> str:
        """What it is, in a table."""
        budget = "no limit" if self.per_minute is None else f"{self.per_minute}/min"
        return f"{self.projects:,} on {budget}, {self.name}"


def round_robin(_: int | None) -> Turns:
    """One after the other."""
    return RoundRobin()


def each_minute(_: int | None) -> Turns:
    """Each every 60 seconds."""
    return RoundRobin(60.0)


CASES = [
    Case("ours", 1000, 600, adaptive),
    Case("round robin", 1000, 600, round_robin),
    Case("ours", 1000, 100, adaptive),
    Case("round robin", 1000, 100, round_robin),
    Case("each every 60 s", 1000, None, each_minute, every=10),
    Case("ours", 10_000, 100, adaptive),
    Case("round robin", 10_000, 100, round_robin),
]
"""No minute of the fourth case's fits into 600 requests; a tenth of it tells what it would see."""


def simulated(case: Case) -> Record:
    """What the day has shown."""
    watched = projects(case.projects // case.every, days=case.hours / 24)
    turns = case.turns(case.per_minute)
    is_naive = case.turns is round_robin
    return Simulation(watched, turns, case.per_minute, case.hours, has_naive=is_naive).run()


def quick(case: Case) -> Case:
    """A tenth of everything, and half a day."""
    budget = None if case.per_minute is None else case.per_minute // 10
    return evolve(case, projects=case.projects // 10, per_minute=budget, hours=12.0, every=1)


def percentile(delays: list[float], percent: int) -> float:
    """The delay within which so many per cent were seen."""
    return quantiles(delays, n=100)[percent - 1] if len(delays) > 1 else math.nan


def print_requests(case: Case, record: Record) -> None:
    """One line of the first table."""
    minutes = record.hours * 60
    quiet = sum(record.quiet.values()) / max(1e-9, record.quiet_minutes)
    print(
        f"{case.title:38} {record.requests * case.every:9,} "
        f"{record.requests * case.every / minutes:7.1f} "
        f"{max(record.per_minute.values()) * case.every:5} "
        f"{record.requests / record.looks:6.2f} {quiet:6.2f} {max(record.quiet.values()):4} "
        f"{record.longest:8.0f} {record.changes * case.every:9,} {record.lost:4}"
    )


def print_delays(case: Case, record: Record) -> None:
    """One line of the second table."""
    cells = (
        f"{percentile(delays, 50):8.1f} {percentile(delays, 95):8.1f}"
        for delays in record.delays.values()
    )
    print(f"{case.title:38} {'  '.join(cells)}")


def main() -> None:
    """Print the tables."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="a tenth of everything, 12 hours")
    options.add_argument("--plot", type=Path, metavar="FILE", help="write a picture of it")
    options.add_argument("--costs", action="store_true", help="only time and memory of our code")
    chosen = options.parse_args()
    print(versions(["gitlab_jobs_async"]))
    if chosen.costs:
        print_costs()
        return
    cases = [quick(case) for case in CASES] if chosen.quick else CASES
    with Pool(2) as pool:
        records = pool.map(simulated, cases, chunksize=1)
    both = list(zip(cases, records, strict=True))
    columns = ("requests", "a minute", "most", "a look", "idle", "most", "unseen s", "changes")
    print("\n" + " " * 38, *columns, "lost")
    for case, record in both:
        print_requests(case, record)
    print("\nseconds to see a change (50 %, 95 %)  ", *(f"{kind:>17} " for kind in KINDS.values()))
    for case, record in both:
        print_delays(case, record)
    print("\nwhat single pages of the 20 newest jobs would have lost, round robin:")
    for case, record in both:
        if case.turns is round_robin:
            print(
                f"{case.title:38} {record.naive_jobs:,} jobs never seen, "
                f"{record.naive_ends:,} ends, of {record.ended:,}"
            )
    if chosen.plot:
        plot([(case.title, record) for case, record in both], chosen.plot)


if __name__ == "__main__":
    main()
