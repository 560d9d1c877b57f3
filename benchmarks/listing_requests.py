"""How many requests a complete listing costs, whatever the spread of the ids.

GitLab numbers the jobs of all its projects in one row, so the ids of one project have gaps: even,
in bursts, or of any size at all. Each listing is checked to be complete; the most requests of all
worlds count, at no latency, at 50 ms, and at 50 to 100 ms, where answers overtake each other.

Bars, with a window of 16: pages + 2 windows + 2 for even spreads, twice the pages + 2 windows + 2
for the worst; pages + 4 up to 5 pages, also for each of 50 concurrent projects.
"""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate

from attrs import field, frozen

from benchmarks.canned import CannedServer, Ids, dealt, serving
from benchmarks.clients import SIDE_BY_SIDE, check, ours
from benchmarks.results import Row, Size, Table
from gitlab_jobs_async.simulator import World

DELAYS = {"0 ms": (0.0, 0.0), "50 ms": (0.05, 0.0), "50-100 ms": (0.05, 0.05)}
Spread = Callable[[int, int], list[int]]


def simulated(gaps: str) -> Spread:
    """Return the spread of the simulator's ids with such gaps."""

    def spread(count: int, seed: int) -> list[int]:
        world = World(seed=seed)
        jobs = world.add_finished_jobs(world.add_project("spread"), count, gaps=gaps)
        return [job.id for job in jobs]

    return spread


def two_ages(count: int, _: int) -> list[int]:
    """Half of the jobs long ago, half now, and nothing of the project in between."""
    half = count // 2
    return [*range(1, 1 + half), *range(10**9, 10**9 + count - half)]


def islands(count: int, seed: int) -> list[int]:
    """Return runs of 1 to 1,000 jobs with 1 to a million foreign ids between them."""
    chance = random.Random(seed)
    gaps: list[int] = []
    while len(gaps) < count:
        gaps.append(int(math.exp(chance.uniform(0, math.log(1e6)))))
        gaps += [1] * int(math.exp(chance.uniform(0, math.log(1e3))))
    return list(accumulate(gaps[:count]))


EVEN: dict[str, Spread] = {"dense": simulated("dense"), "uniform": simulated("uniform")}
UNEVEN: dict[str, Spread] = {
    "bursty": simulated("bursty"),
    "heavy-tailed": simulated("heavy_tailed"),
    "islands": islands,
    "two ages": two_ages,
}


CONCURRENT = "concurrent projects"


@frozen
class Case:
    """Listings that have one bar: of one project each, or of several concurrently."""

    name: str
    pages: int
    bar: int
    listings: Sequence[Ids] = field(repr=False)

    @property
    def question(self) -> str:
        """The row that it belongs to."""
        kind = f" of {self.name}" if self.name == CONCURRENT else ""
        return f"requests for {self.pages} pages{kind}"


def cases(worlds: int, lengths: Sequence[int], projects: int) -> Iterator[Case]:
    """Yield every spread at several lengths, in *worlds* worlds, and concurrent *projects*."""
    for pages in lengths:
        for name, spread in {**EVEN, **UNEVEN}.items():
            bar = pages * (1 if name in EVEN else 2) + 2 * SIDE_BY_SIDE + 2
            listings = [{0: spread(pages * 100, seed)} for seed in range(worlds)]
            yield Case(name, pages, pages + 4 if pages <= 5 else bar, listings)
    yield Case(CONCURRENT, 2 * projects, projects * (2 + 4), [dealt(projects, 200)])


def most(server: CannedServer, case: Case, first: int) -> int:
    """Return the most requests of its listings; projects count from *first*."""
    requests = 0
    for ids in case.listings:
        due = {first + n: rows for n, rows in enumerate(ids.values())}
        first += len(due)
        server.count()
        rows = ours(server.url, tuple(due))
        requests = max(requests, server.count())
        check(case.name, rows, due)
    return requests


def measure(size: Size) -> Iterator[Row | Table]:
    """Count the requests of each spread and length."""
    worlds, lengths = size.pick(5, 1, 1), size.pick((1, 2, 5, 20, 100), (1, 2, 5, 20, 100), (2,))
    every = list(cases(worlds, lengths, size.pick(50, 50, 3)))
    numbered = [rows for case in every for ids in case.listings for rows in ids.values()]
    found: dict[str, list[tuple[Case, list[int]]]] = {}
    with serving(dict(enumerate(numbered, 1)), slim=True) as server:
        first = 1
        for case in every:
            counts = []
            for delay in DELAYS.values():
                server.delay(*delay)
                counts.append(most(server, case, first))
            found.setdefault(case.question, []).append((case, counts))
            first += sum(map(len, case.listings))
    for question, group in found.items():
        bars = sorted({case.bar for case, _ in group})
        shown = ", ".join(f"{case.name} {max(counts)}" for case, counts in group)
        is_met = all(max(counts) <= case.bar for case, counts in group)
        bar = f"{bars[0]}" + (f" where ids are evenly spread, else {bars[-1]}" if bars[1:] else "")
        yield Row(question, f"at most {bar}", shown, "", is_met)
    rows = [
        (case.name, str(case.pages), *map(str, counts), str(case.bar))
        for group in found.values()
        for case, counts in group
    ]
    yield Table("requests by spread", ("spread", "pages", *DELAYS, "bar"), rows)
