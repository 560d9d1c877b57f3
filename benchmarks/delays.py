"""How soon the end of a job is reported, and each line of its log, and for how many requests.

Jobs of 5 seconds to 10 minutes on each kind of server: followed alone, many at once on a limit of
requests, and waited for. Real HTTP on the loopback, on a stepped clock: a response takes no time,
and the figures are the same on any machine. A log is uploaded as a runner does: 3 seconds after the
start, then every minute, and at the end. Every line is compared.

Bars, while the budget has room: an end within 5 s (median) and 10 s (worst), a line the same after
its upload with byte ranges, 15 requests a minute, bytes of the trace 1.05 x the log and 128 a poll
with byte ranges (column "bytes": 1 or less). 1,000 logs: an end within 30 s (median), no 429.
"""

import asyncio
import logging
import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from attrs import evolve, field, frozen

from benchmarks.delay_runs import (
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
from benchmarks.results import Row, Size, Table
from gitlab_jobs_async import PollPolicy

INTERVALS = (2.0, 3.0, 5.0, 10.0, 20.0, 60.0)
CROWDS = ((25, 100), (100, 100), (100, 600), (500, 600), (500, 2000), (2000, 2000))
"""Logs that are followed at once, and requests a minute, for the table of the guide."""
WAITS, WAITED_PROJECTS, WAIT_LIMIT = 300, 10, 600
PHASES = 10.0
"""Seconds over which the jobs of a row start after their followers."""
HEADS = ("server", "job", "end seen", "worst", "line", "worst", "req./min", "most", "429", "bytes")
HALF, WORST, PER_MINUTE = 5.0, 10.0, 15
"""Bars: seconds to see an end, median and worst, and requests a minute."""

Rows = list[tuple[str, ...]]


@frozen
class Summary:
    """Outcomes of the rows that answer one question."""

    outcomes: list[Outcome] = field(factory=list)

    @property
    def half(self) -> float:
        """The longest median of a row."""
        return max(statistics.median(outcome.ends) for outcome in self.outcomes)

    @property
    def worst(self) -> float:
        """The longest delay of an end."""
        return max(max(outcome.ends) for outcome in self.outcomes)

    @property
    def is_prompt(self) -> bool:
        """Whether the ends meet their bars."""
        return self.half <= HALF and self.worst <= WORST

    @property
    def most(self) -> int:
        """The most requests of a job within a minute."""
        return max(outcome.busiest for outcome in self.outcomes)

    @property
    def shown(self) -> str:
        """The delays of ends."""
        return f"{self.half:.1f} s, {self.worst:.1f} s"


def cells(name: str, job: str, outcome: Outcome) -> tuple[str, ...]:
    """Return a line: median and worst delays in seconds, requests a minute, and the rest."""
    lines = outcome.lines
    return (
        name,
        job,
        f"{statistics.median(outcome.ends):.1f}",
        f"{max(outcome.ends):.1f}",
        f"{statistics.median(lines):.1f}" if lines else "",
        f"{max(lines):.1f}" if lines else "",
        f"{statistics.median(outcome.rates):.1f}",
        str(outcome.busiest),
        str(outcome.refused),
        f"{outcome.bytes:.2f}" if outcome.bytes else "",
    )


def measure(size: Size) -> Iterator[Row | Table]:
    """Follow and wait for jobs in all ways."""
    logging.getLogger("gitlab_jobs_async").setLevel(logging.ERROR)
    jobs = size.pick(16, 4, 1)
    lengths = size.pick(LENGTHS, LENGTHS, LENGTHS[:1])
    yield from alone(jobs, lengths, size.pick(SERVERS, SERVERS, SERVERS[:1]))
    yield from waits(jobs, lengths, size.pick(WAITS, WAITS, 6))
    yield from crowds(size.pick((100, 1000), (100,), (6,)))
    yield tuning(jobs, size.pick(INTERVALS, INTERVALS, INTERVALS[:1]), size.pick(CROWDS, (), ()))


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


def alone(jobs: int, lengths: Sequence[float], servers: Sequence[Server]) -> Iterator[Row | Table]:
    """Follow jobs one at a time with `tail`."""
    rows: Rows = []
    sound, silent, faulty, ranged = Summary(), Summary(), Summary(), Summary()
    for server in servers:
        kind = faulty if server.fault else silent if server.has_one_line else sound
        for length in lengths:
            outcome = repeated(jobs, tail_alone, server, length)
            if not server.has_ranges:
                outcome.bytes = 0.0
            elif kind is sound:
                ranged.outcomes.append(outcome)
            kind.outcomes.append(outcome)
            rows.append(cells(server.name, f"{length:g} s", outcome))
    line = max(statistics.median(outcome.lines) for outcome in ranged.outcomes)
    slow = max(max(outcome.lines) for outcome in ranged.outcomes)
    yield Row(
        "see the end of a followed job of 5 s to 10 min, on any server",
        f"{HALF:g} s half, {WORST:g} s worst; {PER_MINUTE} requests/min;"
        " a line the same after its upload with byte ranges",
        "",
        f"{sound.shown}; at most {sound.most} requests/min; a line {line:.1f} s, {slow:.1f} s",
        sound.is_prompt and sound.most <= PER_MINUTE and line <= HALF and slow <= WORST,
    )
    bar = f"{HALF:g} s half, {WORST:g} s worst"
    if silent.outcomes:
        question = "the same, a log that does not say that its job has ended"
        yield Row(question, bar, "", silent.shown, silent.is_prompt)
    if faulty.outcomes:
        late = sum(max(outcome.ends) > WORST for outcome in faulty.outcomes)
        yield Row(
            "the same, every third answer a 502, a reset, a 429 or cut",
            f"{WORST:g} s worst",
            "",
            f"{faulty.shown}; {late} of {len(faulty.outcomes)} rows are late",
            faulty.worst <= WORST,
        )
    yield Table(f"followed alone with `tail()`, {jobs} jobs a row; seconds", HEADS, rows)


def waits(jobs: int, lengths: Sequence[float], count: int) -> Iterator[Row | Table]:
    """Wait for jobs and pipelines, one at a time and many at once."""
    rows: Rows = []
    single, many = Summary(), {}
    for call in (wait_for_job, wait_for_pipeline):
        for length in lengths:
            outcome = repeated(jobs, wait_alone, SERVERS[0], length, call)
            single.outcomes.append(outcome)
            rows.append((call.__name__, *cells("", f"{length:g} s", outcome)[1:]))
        outcome = asyncio.run(wait_crowd(SERVERS[0], count, WAITED_PROJECTS, WAIT_LIMIT, call))
        many[call.__name__] = Summary([outcome])
        name = f"{call.__name__}, {count} of {WAITED_PROJECTS} projects on {WAIT_LIMIT}/min"
        rows.append(cells(name, "all", outcome))
    yield Row(
        "`wait_for_job` and `wait_for_pipeline`, jobs of 5 s to 10 min",
        f"{HALF:g} s half, {WORST:g} s worst",
        "",
        single.shown,
        single.is_prompt,
        "; ".join(f"{count} by {name}: {of.shown}" for name, of in many.items()),
    )
    yield Table(f"waits, {jobs} jobs a row; seconds", HEADS, rows)


def crowds(counts: Sequence[int]) -> Iterator[Row | Table]:
    """Follow many jobs at once on 2,000 requests a minute."""
    rows, shown, is_met = list[tuple[str, ...]](), [], True
    for count in counts:
        outcomes = asyncio.run(tail_crowd(SERVERS[0], count, 2000))
        every = all_lengths(outcomes)
        for length, outcome in sorted(outcomes.items()):
            rows.append(cells(str(count), f"{length:g} s", outcome))
        rows.append(cells(str(count), "all", every))
        found = Summary([every])
        shown.append(f"{count:,}: {found.shown}, {every.refused} answers of 429")
        is_met = is_met and not every.refused and found.half <= (30 if count > 100 else HALF)
    yield Row(
        "follow many jobs of 50 projects at once on 2,000 requests/min",
        "no 429; 1,000 jobs: 30 s half",
        "",
        "; ".join(shown),
        is_met,
    )
    yield Table(f"jobs of {PROJECTS} projects with `tail_jobs()`; seconds", HEADS, rows)


def all_lengths(outcomes: dict[float, Outcome]) -> Outcome:
    """Return the outcome of a crowd, whose requests were counted for all lengths together."""
    every = Outcome()
    for outcome in outcomes.values():
        every.add(evolve(outcome, refused=0))
        every.refused = outcome.refused
    return every


def tuning(jobs: int, intervals: Sequence[float], crowds: Sequence[tuple[int, int]]) -> Table:
    """Return the table of the guide: intervals, and crowds on several limits."""
    rows: Rows = []
    for interval in intervals:
        policy = PollPolicy(interval=interval, max_interval=max(60.0, interval))
        # Status and trace alternate, so that everything repeats after two intervals.
        outcome = repeated(jobs, tail_alone, SERVERS[0], 300.0, phases=2 * interval, polling=policy)
        rows.append(cells(f"interval {interval:g} s", "300 s", outcome))
    for count, limit in crowds:
        outcomes = asyncio.run(tail_crowd(SERVERS[0], count, limit))
        rows.append(cells(f"{count} on {limit} requests/min", "all", all_lengths(outcomes)))
    return Table("intervals and limits; seconds", HEADS, rows)
