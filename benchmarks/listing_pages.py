"""How long `list_jobs` takes beside `iter_jobs`, for few pages and many.

On a server that answers 500 where a cursor leads to no row, as today's GitLab, and on an older one
that answers with no rows; at 20 ms and at 50 ms, the two in turns. The latency is simulated, so
seconds are those of the wall.

Bar: `list_jobs` takes at most one round trip more than `iter_jobs`, with at most two 500s.
"""

import asyncio
from collections.abc import Iterator

from attrs import frozen

from benchmarks.canned import CannedServer, dealt, serving
from benchmarks.clients import SIDE_BY_SIDE, TOKEN
from benchmarks.measuring import interleaved
from benchmarks.results import Row, Size, Table
from gitlab_jobs_async import GitLab

WAYS = ("list_jobs", "iter_jobs")
LATENCIES = (0.02, 0.05)
HEADS = ("server", "pages", "`list_jobs` s", "`iter_jobs` s", "requests", "and", "500s", "bar")


@frozen
class Measured:
    """Medians in seconds and requests of `list_jobs` and `iter_jobs`, and the most 500s of one."""

    seconds: tuple[float, float]
    requests: tuple[int, int]
    failures: int

    def is_met(self, latency: float) -> bool:
        """Return whether the bar is met at this latency."""
        listed, iterated = self.seconds
        return listed <= iterated + latency and self.failures <= 2


async def listed(url: str, project: int, way: str) -> int:
    """Return the number of rows of one listing, with a client of its own."""
    async with GitLab(url, auth=TOKEN, concurrency=SIDE_BY_SIDE) as gitlab:
        if way == "list_jobs":
            return len(await gitlab.project(project).list_jobs())
        return len([job async for job in gitlab.project(project).iter_jobs()])


def compare(server: CannedServer, project: int, count: int, rounds: int) -> Measured:
    """Measure both ways in turns."""
    requests: dict[str, int] = dict.fromkeys(WAYS, 0)
    failures: list[int] = []

    def run(way: str) -> None:
        rows = asyncio.run(listed(server.url, project, way))
        if rows != count:
            raise AssertionError(f"{way}: {rows} rows, not {count}")

    def end(way: str) -> None:
        requests[way] = max(requests[way], server.count())
        failures.append(server.failures())

    server.count()
    server.failures()
    times = interleaved({w: lambda w=w: run(w) for w in WAYS}, rounds, after=end)
    seconds = (times[WAYS[0]].wall_median, times[WAYS[1]].wall_median)
    return Measured(seconds, (requests[WAYS[0]], requests[WAYS[1]]), max(failures))


def measure(size: Size) -> Iterator[Row | Table]:
    """Compare the two ways on each server, at each latency and length."""
    rounds = size.pick(5, 2, 1)
    lengths = size.pick((1, 2, 3, 25, 125), (1, 2, 3, 25), (1, 2))
    counts = {project: pages * 100 - 37 for project, pages in enumerate(lengths, 1)}
    due = {project: dealt(1, count)[1] for project, count in counts.items()}
    rows, verdicts, longest = [], [], ""
    with serving(due, slim=True) as server:
        for is_older in (False, True):
            server.play(older=is_older)
            for latency in LATENCIES:
                server.delay(latency)
                for project, count in counts.items():
                    found = compare(server, project, count, rounds)
                    name = f"{'older' if is_older else 'of today'}, {latency * 1000:g} ms"
                    verdicts.append(found.is_met(latency))
                    rows.append(cells(name, lengths[project - 1], found, is_met=verdicts[-1]))
                    longest = "{:.2f} s beside {:.2f} s".format(*found.seconds)
    yield Row(
        "`list_jobs` beside `iter_jobs`, few pages and many",
        "slower by one round trip at most, two answers of 500",
        "",
        f"{sum(verdicts)} of {len(verdicts)} cases; {lengths[-1]} pages at 50 ms {longest}",
        all(verdicts),
    )
    yield Table("`list_jobs` beside `iter_jobs`", HEADS, rows)


def cells(name: str, pages: int, found: Measured, *, is_met: bool) -> tuple[str, ...]:
    """Return a line of the table."""
    seconds = (f"{seconds:.3f}" for seconds in found.seconds)
    counts = map(str, (*found.requests, found.failures))
    return (name, str(pages), *seconds, *counts, "met" if is_met else "**missed**")
