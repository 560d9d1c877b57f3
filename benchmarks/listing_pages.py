"""How long `list_jobs` takes beside `iter_jobs`, for few pages and many.

On a server that answers 500 where a cursor leads to no row, as today's GitLab, and on an older one
that answers with no rows; at 20 ms and at 50 ms, the two by turns. Medians in seconds, the most
requests of a listing and the most answers of 500.

Bar: `list_jobs` takes at most one round trip more than `iter_jobs`, with at most two 500s.
"""

import argparse
import asyncio
import statistics
import time

from canned import CannedServer, dealt, serving
from clients import SIDE_BY_SIDE, TOKEN
from measuring import versions

from gitlab_jobs_async import GitLab

PAGES = (1, 2, 3, 25, 125)
LATENCIES = (0.02, 0.05)


async def timed(url: str, project: int, name: str) -> tuple[float, int]:
    """Seconds and rows of one listing, with a client of its own."""
    async with GitLab(url, auth=TOKEN, concurrency=SIDE_BY_SIDE) as gitlab:
        begun = time.perf_counter()
        if name == "list_jobs":
            count = len(await gitlab.project(project).list_jobs())
        else:
            count = len([job async for job in gitlab.project(project).iter_jobs()])
        return time.perf_counter() - begun, count


def row(server: CannedServer, project: int, count: int, latency: float, rounds: int) -> str:
    """One line: both ways, by turns."""
    took: dict[str, list[float]] = {"list_jobs": [], "iter_jobs": []}
    requests: dict[str, int] = {}
    failures = 0
    for _ in range(rounds):
        for name, seconds in took.items():
            server.count()
            server.failures()
            spent, rows = asyncio.run(timed(server.url, project, name))
            if rows != count:
                raise AssertionError(f"{name}: {rows} rows, not {count}")
            seconds.append(spent)
            requests[name] = max(requests.get(name, 0), server.count())
            failures = max(failures, server.failures())
    listed, iterated = (statistics.median(took[name]) for name in took)
    is_met = listed <= iterated + latency and failures <= 2
    return (
        f"{listed:10.3f}{iterated:10.3f}{requests['list_jobs']:10}{requests['iter_jobs']:10}"
        f"{failures:6}  {'met' if is_met else 'MISSED'}"
    )


def main() -> None:
    """Print a row for each server, latency and length."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of each, not five")
    rounds = 1 if parser.parse_args().quick else 5
    counts = dict(enumerate((pages * 100 - 37 for pages in PAGES), 1))
    due = {project: dealt(1, count)[1] for project, count in counts.items()}
    print(versions(["aiohttp"]))
    print(f"{'':22}{'pages':>6}{'list s':>10}{'iter s':>10}{'requests':>20}{'500s':>6}  bar")
    with serving(due, slim=True) as server:
        for older in (False, True):
            server.play(older=older)
            for latency in LATENCIES:
                server.delay(latency)
                for project, count in counts.items():
                    name = f"{'older' if older else 'today'} {latency * 1000:g} ms"
                    shown = row(server, project, count, latency, rounds)
                    print(f"{name:22}{PAGES[project - 1]:6}{shown}", flush=True)


if __name__ == "__main__":
    main()
