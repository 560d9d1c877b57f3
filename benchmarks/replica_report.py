"""The plan of a run of the benchmark `replicas`, its report, and the tables of that."""

from collections.abc import Iterator, Sequence

from attrs import frozen

from benchmarks.results import Row, Table


@frozen
class Plan:
    """The size of a run of *seconds*, with leases of *lease* seconds.

    Of the projects, the first *busy* ones have most jobs, and the last *quiet* ones none but one at
    the end.
    """

    seconds: float
    nodes: int
    shards: int
    projects: int
    busy: int
    quiet: int
    per_minute: int
    job_interval: float
    durations: tuple[float, ...]
    lease: float
    kills: int
    others: int
    """Number of each other kind of fault."""
    stores: tuple[str, ...]


@frozen
class Report:
    """The faults of a run with *store*, and what they did to the events and the budget."""

    store: str
    plan: Plan
    faults: dict[str, int]
    jobs: int
    events: int
    wrong: dict[str, int]
    groups: dict[str, dict[str, int]]
    takeovers: dict[str, tuple[int, float, float]]
    most_requests: int
    refused: int
    unreachable: int
    fenced: int
    blocks: list[float]
    delays: dict[str, str]
    away: str
    starved: float
    """Part of the time for which the process of server and proxies has waited for a core."""

    @property
    def is_right(self) -> bool:
        """Whether nothing was lost, repeated or falsely reported, and the budget was kept."""
        counts = [self.wrong, *self.groups.values()]
        is_exact = not any(sum(count.values()) for count in counts) and not self.unreachable
        return is_exact and self.most_requests <= self.plan.per_minute


def results(report: Report) -> Iterator[Row | Table]:
    """Yield the row and the tables of a run."""
    plan, wrong = report.plan, report.wrong
    lost = wrong["lost"] + sum(group["lost"] for group in report.groups.values())
    repeated = wrong["repeated"] + sum(group["repeated"] for group in report.groups.values())
    yield Row(
        f"{plan.nodes} processes with one store that are killed, frozen, cut off: {report.store}",
        f"0 lost, 0 repeated; at most {plan.per_minute} requests in any minute",
        "",
        f"{lost} lost, {repeated} repeated of {report.events} events,"
        f" {report.unreachable} unreachable; at most {report.most_requests}",
        report.is_right,
        f"{report.jobs} jobs, {sum(report.faults.values())} faults",
    )
    yield Table(
        f"Replicas with {report.store}: what was counted", ("what", "figure"), _counted(report)
    )
    yield Table(
        f"Replicas with {report.store}: seconds until another process has a shard",
        ("fault", "shards", "median", "worst"),
        [
            (kind, str(count), f"{middle:.2f}", f"{worst:.2f}")
            for kind, (count, middle, worst) in report.takeovers.items()
        ],
    )


def _counted(report: Report) -> list[tuple[str, str]]:
    plan = report.plan
    return [
        ("processes, shards, projects", f"{plan.nodes}, {plan.shards}, {plan.projects}"),
        ("lease, seconds", f"{plan.lease:g}"),
        ("faults", _listed(report.faults)),
        ("jobs, recorded events", f"{report.jobs}, {report.events}"),
        ("recorded", _listed(report.wrong)),
        *((f"read by group {name}", _listed(count)) for name, count in report.groups.items()),
        *((f"end of a job to group {name}", delay) for name, delay in report.delays.items()),
        ("group absent, after it came back", report.away),
        ("most requests in any 60 s", f"{report.most_requests} of {plan.per_minute}"),
        ("requests answered with 429", str(report.refused)),
        ("projects said to be unreachable", str(report.unreachable)),
        ("writes that were fenced", str(report.fenced)),
        ("loop blocked above 50 ms", _blocked(report.blocks)),
        ("server and proxies wait for a core", f"{report.starved:.0%} of the time"),
    ]


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _blocked(blocks: Sequence[float]) -> str:
    return f"{len(blocks)} times, at most {max(blocks) * 1000:.0f} ms" if blocks else "never"
