"""How many requests a complete listing costs, whatever the spread of the ids.

GitLab numbers the jobs of all its projects in one row, so the ids of one project have gaps: even,
in bursts, or of any size at all. Each listing is checked to be complete; the most requests of all
worlds are printed, at no latency, at 50 ms, and at 50 to 100 ms, where answers overtake each other.

Bars, with a window of 16: pages + 2 windows + 2 for even spreads, twice the pages + 2 windows + 2
for the worst; pages + 4 up to 5 pages, also for each of 50 projects side by side.
"""

import argparse
import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate

from attrs import field, frozen
from canned import CannedServer, Ids, dealt, serving
from clients import SIDE_BY_SIDE, check, ours
from measuring import versions

from gitlab_jobs_async.simulator import World

DELAYS = {"0 ms": (0.0, 0.0), "50 ms": (0.05, 0.0), "50-100 ms": (0.05, 0.05)}
Spread = Callable[[int, int], list[int]]


def simulated(gaps: str) -> Spread:
    """The simulator's ids with such gaps."""

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
    """Runs of 1 to 1,000 jobs with 1 to a million foreign ids between them, all sizes alike."""
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


@frozen
class Case:
    """Listings that have one bar: of one project each, or of several side by side."""

    name: str
    pages: int
    bar: int
    listings: Sequence[Ids] = field(repr=False)


def cases(worlds: int) -> Iterator[Case]:
    """Every spread at several lengths, in that many worlds."""
    for pages in (1, 2, 5, 20, 100):
        for name, spread in {**EVEN, **UNEVEN}.items():
            bar = pages * (1 if name in EVEN else 2) + 2 * SIDE_BY_SIDE + 2
            listings = [{0: spread(pages * 100, seed)} for seed in range(worlds)]
            yield Case(name, pages, pages + 4 if pages <= 5 else bar, listings)
    yield Case("50 side by side", 100, 50 * (2 + 4), [dealt(50, 200)])


def most(server: CannedServer, case: Case, first: int) -> tuple[int, float]:
    """The most requests of its listings and the longest time; projects count from *first*."""
    requests, longest = 0, 0.0
    for ids in case.listings:
        due = {first + n: rows for n, rows in enumerate(ids.values())}
        first += len(due)
        server.count()
        begun = time.perf_counter()
        rows = ours(server.url, tuple(due))
        longest = max(longest, time.perf_counter() - begun)
        requests = max(requests, server.count())
        check(case.name, rows, due)
    return requests, longest


def main() -> None:
    """Print a row for each spread and length."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one world of each kind, not five")
    every = list(cases(1 if parser.parse_args().quick else 5))
    listings = [rows for case in every for ids in case.listings for rows in ids.values()]
    print(versions(["aiohttp"]))
    print(f"{'':18}{'pages':>6}" + "".join(f"{name:>20}" for name in DELAYS) + f"{'bar':>6}")
    with serving(dict(enumerate(listings, 1)), slim=True) as server:
        first = 1
        for case in every:
            shown, worst = "", 0
            for delay in DELAYS.values():
                server.delay(*delay)
                requests, longest = most(server, case, first)
                shown, worst = f"{shown}{requests:11} {longest:6.2f} s", max(worst, requests)
            verdict = "met" if worst <= case.bar else "MISSED"
            print(f"{case.name:18}{case.pages:6}{shown}{case.bar:6}  {verdict}", flush=True)
            first += sum(map(len, case.listings))


if __name__ == "__main__":
    main()
