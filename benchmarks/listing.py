"""How many jobs a second each client lists, and with how many requests: ours and its peers.

One project of 10,000 jobs and 50 of 200, at no latency and at 50 ms. The server's answers are
canned and come from another process. Rounds of all clients by turns, medians; each result is
checked to be complete.

Bars for one project: without latency more jobs/s than python-gitlab, twice gidgetlab and half of
bare aiohttp + orjson; at 50 ms 8 x python-gitlab.
"""

import argparse
import gc
import statistics
import time
from collections.abc import Iterator

from attrs import field, frozen
from canned import CannedServer, Ids, dealt, serving
from clients import Client, bare, check, gidgetlab, ours, python_gitlab
from measuring import versions

CLIENTS: dict[str, Client] = {
    "ours": ours,
    "python-gitlab": python_gitlab,
    "gidgetlab": gidgetlab,
    "aiohttp + orjson": bare,
}
BARS = {
    0.0: {"python-gitlab": 1.0, "gidgetlab": 2.0, "aiohttp + orjson": 0.5},
    0.05: {"python-gitlab": 8.0},
}
PACKAGES = ("aiohttp", "orjson", "cattrs", "python-gitlab", "gidgetlab")


@frozen
class Measured:
    """What the rounds of one client took: seconds by the wall and of this process, requests."""

    wall: list[float] = field(factory=list)
    processor: list[float] = field(factory=list)
    requests: list[int] = field(factory=list)
    failures: list[int] = field(factory=list)


def rounds_of(server: CannedServer, due: Ids, rounds: int) -> dict[str, Measured]:
    """Every client, by turns."""
    measured = {name: Measured() for name in CLIENTS}
    for _ in range(rounds):
        for name, client in CLIENTS.items():
            gc.collect()
            server.count()
            server.failures()
            wall, processor = time.perf_counter(), time.process_time()
            rows = client(server.url, tuple(due))
            measured[name].wall.append(time.perf_counter() - wall)
            measured[name].processor.append(time.process_time() - processor)
            measured[name].requests.append(server.count())
            measured[name].failures.append(server.failures())
            check(name, rows, due)
            del rows
    return measured


def report(
    title: str, due: Ids, measured: dict[str, Measured], bars: dict[str, float]
) -> Iterator[str]:
    """The lines of one table."""
    total = sum(map(len, due.values()))
    pages = sum(-(-len(ids) // 100) for ids in due.values())
    speeds = {name: total / statistics.median(of.wall) for name, of in measured.items()}
    yield f"\n{title} ({total} jobs, {pages} pages)"
    heads = f"{'jobs/s':>9}{'wall s':>9}{'cpu s':>8}{'requests':>10}{'500s':>6}{'ours is':>9}"
    yield f"{'':18}{heads}  bar"
    for name, of in measured.items():
        ratio = speeds["ours"] / speeds[name]
        bar = f"{bars[name]:g} {'met' if ratio >= bars[name] else 'MISSED'}" if name in bars else ""
        yield (
            f"{name:18}{speeds[name]:9.0f}{statistics.median(of.wall):9.3f}"
            f"{statistics.median(of.processor):8.3f}{max(of.requests):10}{max(of.failures):6}"
            f"{ratio:7.2f} x  {bar}"
        )


def main() -> None:
    """Print a table for each case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fifth of the jobs, fewer rounds")
    quick = parser.parse_args().quick
    cases = {
        "one project": dealt(1, 2_000 if quick else 10_000),
        "many projects side by side": dealt(10 if quick else 50, 200),
    }
    print(versions(PACKAGES))
    for what, due in cases.items():
        with serving(due) as server:
            for latency, bars in BARS.items():
                server.delay(latency)
                rounds = (3 if quick else 7) if latency == 0 else (1 if quick else 3)
                measured = rounds_of(server, due, rounds)
                title = f"{what}, {latency * 1000:g} ms"
                is_judged = len(due) == 1 and not quick
                print("\n".join(report(title, due, measured, bars if is_judged else {})))


if __name__ == "__main__":
    main()
