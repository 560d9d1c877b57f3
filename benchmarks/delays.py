"""How soon the end of a job is reported, and each line of its log, and for how many requests.

Jobs of 5 seconds to 10 minutes on each kind of server: followed alone, many at once on a limit of
requests, and waited for. Real HTTP on the loopback, on a stepped clock: a response takes no time,
and the figures are the same on any machine. A log is uploaded as a runner does: 3 seconds after the
start, then every minute, and at the end. Every line is compared.

Bars, while the budget has room: an end within 5 s (median) and 10 s (worst), a line the same after
its upload with byte ranges, 15 requests a minute, bytes of the trace 1.05 x the log and 128 a poll
with byte ranges (column "bytes": 1 or less). 1,000 logs: an end within 30 s (median), no 429.
"""

import argparse
import asyncio
import logging
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from attrs import evolve
from delay_runs import (
    LENGTHS,
    PROJECTS,
    SERVERS,
    Outcome,
    Server,
    tail_alone,
    tail_crowd,
    wait_alone,
    wait_crowd,
    wait_for_job,
    wait_for_pipeline,
)

INTERVALS = (2.0, 3.0, 5.0, 10.0, 20.0, 60.0)
CROWDS = ((25, 100), (100, 100), (100, 600), (500, 600), (500, 2000), (2000, 2000))
"""Logs that are followed at once, and requests a minute, for the table of the guide."""
WAITS, WAITED_PROJECTS, WAIT_LIMIT = 300, 10, 600
PHASES = 10.0
"""Seconds over which the jobs of a row start after their followers."""
TITLES = ("server", "job", "end seen", "worst", "line", "worst", "req./min", "most", "429", "bytes")
WIDTHS = (36, 7, 9, 7, 7, 7, 9, 6, 6, 7)


def print_row(cells: Iterable[object]) -> None:
    """One row of a table."""
    first, *others = cells
    row = f"{first:{WIDTHS[0]}}"
    for width, cell in zip(WIDTHS[1:], others, strict=True):
        text = f"{cell:.1f}" if isinstance(cell, float) else str(cell)
        row += f"{text:>{width}}"
    print(row, flush=True)


def print_title(title: str) -> None:
    """The head of a table."""
    print(f"\n{title}; seconds")
    print_row(TITLES)


def print_outcome(name: str, job: str, outcome: Outcome) -> None:
    """One row: median and worst delays, requests a minute, and the rest."""
    lines = outcome.lines
    print_row(
        (
            name,
            job,
            statistics.median(outcome.ends),
            max(outcome.ends),
            statistics.median(lines) if lines else "",
            max(lines) if lines else "",
            statistics.median(outcome.rates),
            outcome.busiest,
            outcome.refused,
            f"{outcome.bytes:.2f}" if outcome.bytes else "",
        )
    )


def repeated(
    jobs: int, run: Callable[..., Any], *arguments: Any, phases: float = PHASES, **options: Any
) -> Outcome:
    """Run *run* with as many jobs, whose starts are evenly spread over *phases* seconds."""
    outcome = Outcome()
    for number in range(jobs):
        server, length, *rest = arguments
        phase = phases * (number + 0.37) / jobs
        outcome.add(asyncio.run(run(server, length, phase, *rest, **options)))
    return outcome


def print_alone(servers: Sequence[Server], jobs: int) -> None:
    """The table of jobs that are followed one at a time."""
    print_title(f"followed alone with tail(), {jobs} jobs a row")
    for server in servers:
        for length in LENGTHS:
            outcome = repeated(jobs, tail_alone, server, length)
            if not server.has_ranges:
                outcome.bytes = 0.0
            print_outcome(server.name, f"{length:g} s", outcome)


def print_waits(servers: Sequence[Server], jobs: int) -> None:
    """The tables of `wait_for_job` and `wait_for_pipeline`, which read no log."""
    found = [server for server in servers if server.has_ranges and not server.has_one_line]
    for call in (wait_for_job, wait_for_pipeline):
        print_title(f"{call.__name__}(), {jobs} jobs a row")
        for server in found:
            for length in LENGTHS:
                outcome = repeated(jobs, wait_alone, server, length, call)
                print_outcome(server.name, f"{length:g} s", outcome)
        outcome = asyncio.run(wait_crowd(SERVERS[0], WAITS, WAITED_PROJECTS, WAIT_LIMIT, call))
        print_outcome(f"{WAITS} of {WAITED_PROJECTS} projects on {WAIT_LIMIT}/min", "all", outcome)


def all_lengths(outcomes: Mapping[float, Outcome]) -> Outcome:
    """The outcome of a crowd, whose requests were counted for all lengths together."""
    every = Outcome()
    for outcome in outcomes.values():
        every.add(evolve(outcome, refused=0))
        every.refused = outcome.refused
    return every


def print_crowd(servers: Sequence[Server], count: int, limit: int) -> None:
    """The table of many jobs that are followed at once."""
    print_title(f"{count} jobs of {PROJECTS} projects with tail_jobs(), {limit} requests/min")
    for server in servers:
        outcomes = asyncio.run(tail_crowd(server, count, limit))
        for length, outcome in sorted(outcomes.items()):
            print_outcome(server.name, f"{length:g} s", outcome)
        print_outcome(server.name, "all", all_lengths(outcomes))


def print_crowds(server: Server) -> None:
    """The table of crowds on several limits."""
    print_title(f"tail_jobs(), jobs of {PROJECTS} projects, byte ranges")
    for count, limit in CROWDS:
        outcomes = asyncio.run(tail_crowd(server, count, limit))
        print_outcome(f"{count} on {limit} requests/min", "all", all_lengths(outcomes))


def print_intervals(server: Server, jobs: int) -> None:
    """The table of intervals: jobs of 5 minutes, followed one at a time."""
    # Not at the top: the other tables are measured on older states, too.
    from gitlab_jobs_async import PollPolicy  # noqa: PLC0415

    print_title(f"tail(polling=PollPolicy(interval=...)), {jobs} jobs a row")
    for interval in INTERVALS:
        policy = PollPolicy(interval=interval, max_interval=max(60.0, interval))
        # Status and trace alternate, so that everything repeats after two intervals.
        outcome = repeated(jobs, tail_alone, server, 300.0, phases=2 * interval, polling=policy)
        print_outcome(f"interval {interval:g} s", "300 s", outcome)


PARTS = ("alone", "waits", "100", "1000", "intervals", "crowds")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"tables, of {', '.join(PARTS)}")
    parser.add_argument("--jobs", type=int, default=16, help="jobs a row (default 16)")
    parser.add_argument("--server", default="", help="only servers with this in their names")
    options = parser.parse_args()
    parts = options.parts or PARTS
    if unknown := set(parts) - set(PARTS):
        parser.error(f"unknown parts {sorted(unknown)}: expected some of {', '.join(PARTS)}")
    logging.getLogger("gitlab_jobs_async").setLevel(logging.ERROR)
    servers = [server for server in SERVERS if options.server in server.name]
    if "alone" in parts:
        print_alone(servers, options.jobs)
    if "waits" in parts:
        print_waits(servers, options.jobs)
    if "100" in parts:
        print_crowd(servers, 100, 2000)
    if "1000" in parts:
        print_crowd(servers, 1000, 2000)
    if "intervals" in parts:
        print_intervals(SERVERS[0], options.jobs)
    if "crowds" in parts:
        print_crowds(SERVERS[0])


if __name__ == "__main__":
    main()
