"""How fast each client lists jobs: ours and its peers, one project and many, without and with wait.

The server's responses are canned and come from another process. Each result is checked: every job
once, newest first. Without latency CPU seconds are judged, at 50 ms those by the wall.
"""

from collections.abc import Iterator, Mapping, Sequence

from attrs import frozen

from benchmarks.canned import CannedServer, Ids, dealt, serving
from benchmarks.clients import (
    Client,
    Rows,
    bare,
    bare_httpx,
    check,
    gidgetlab,
    ours,
    python_gitlab,
    typed_floor,
)
from benchmarks.measuring import Samples, interleaved, ratio, wall_ratio
from benchmarks.results import Row, Size, Table

CLIENTS: dict[str, Client] = {
    "ours": ours,
    "python-gitlab": python_gitlab,
    "gidgetlab": gidgetlab,
    "aiohttp + orjson": bare,
    "httpx + orjson": bare_httpx,
    "aiohttp + msgspec into structs": typed_floor,
}
HEADS = ("client", "CPU s", "spread", "wall s", "requests", "500s", "ours: x by CPU", "by wall")
MOST_FAILURES = 2
"""Answers of 500 that a listing may provoke."""


@frozen
class Case:
    """Jobs to list, at a latency in seconds, and how many times as fast as a peer ours must be."""

    title: str
    due: Ids
    latency: float
    rounds: int
    bars: Mapping[str, float]
    clients: Sequence[str] = tuple(CLIENTS)


@frozen
class Measured:
    """Times by client, and the most requests and answers of 500 of a listing."""

    times: Mapping[str, Samples]
    requests: dict[str, int]
    failures: dict[str, int]


def measure(size: Size) -> Iterator[Row | Table]:
    """Compare all clients on one project and on many, without latency and at 50 ms."""
    one = dealt(1, size.pick(10_000, 2_000, 120))
    many = dealt(size.pick(50, 10, 2), size.pick(200, 200, 50))
    rounds, slow_rounds = size.pick(9, 5, 1), size.pick(5, 3, 1)
    strict = {"gidgetlab": 2.0, "python-gitlab": 2.5, "aiohttp + orjson": 1.0}
    for cases in (
        (
            Case("list a long project", one, 0.0, rounds, strict),
            Case(
                "list a long project, 50 ms",
                one,
                0.05,
                slow_rounds,
                {"python-gitlab": 8.0},
                # All others wait for one page after the other, too.
                ("ours", "python-gitlab", "aiohttp + orjson"),
            ),
        ),
        (
            Case("list many projects concurrently", many, 0.0, rounds, {"aiohttp + orjson": 0.9}),
            Case("list many projects concurrently, 50 ms", many, 0.05, slow_rounds, {}),
        ),
    ):
        with serving(cases[0].due) as server:
            for case in cases:
                server.delay(case.latency)
                yield from results_of(case, measured(server, case))


def measured(server: CannedServer, case: Case) -> Measured:
    """Run all clients in turns."""
    requests, failures = dict.fromkeys(case.clients, 0), dict.fromkeys(case.clients, 0)
    last: dict[str, Rows] = {}

    def run(name: str) -> None:
        last[name] = CLIENTS[name](server.url, tuple(case.due))

    def begin(_: str) -> None:
        server.count()
        server.failures()

    def end(name: str) -> None:
        requests[name] = max(requests[name], server.count())
        failures[name] = max(failures[name], server.failures())
        check(name, last.pop(name), case.due)

    work = {name: lambda name=name: run(name) for name in case.clients}
    times = interleaved(work, case.rounds, before=begin, after=end)
    return Measured(times, requests, failures)


def results_of(case: Case, measured: Measured) -> Iterator[Row | Table]:
    """Yield a row for each bar, and the table of all clients."""
    times, mine = measured.times, measured.times["ours"]
    jobs = sum(map(len, case.due.values()))
    projects = f"{len(case.due)} projects" if len(case.due) > 1 else "one project"
    what = f"{jobs:,} jobs of {projects}, {mine.cpu_median / jobs * 1e6:.0f} µs of CPU a job"
    for peer, bar in case.bars.items():
        by_cpu, by_wall = ratio(times[peer], mine), wall_ratio(times[peer], mine)
        judged = by_wall if case.latency else by_cpu
        # The server answers 500 to empty pages, as GitLab does.
        is_met = judged >= bar and measured.failures["ours"] <= MOST_FAILURES
        yield Row(
            f"{case.title}, beside {peer}",
            f"at least {bar:g} x as fast{' by the wall' if case.latency else ''}",
            f"{by_cpu:.2f} x",
            f"{by_wall:.2f} x",
            is_met,
            what,
        )
    rows = [cells(name, measured) for name in case.clients]
    yield Table(case.title, HEADS, rows)


def cells(name: str, measured: Measured) -> Sequence[str]:
    """Return a client's line."""
    times, mine = measured.times[name], measured.times["ours"]
    return (
        name,
        f"{times.cpu_median:.3f}",
        f"{times.spread:.0%}",
        f"{times.wall_median:.3f}",
        str(measured.requests[name]),
        str(measured.failures[name]),
        f"{ratio(times, mine):.2f}",
        f"{wall_ratio(times, mine):.2f}",
    )
