"""The ways of watching that a simulated day compares."""

from collections.abc import Callable, Sequence

from benchmarks.activity import SimulatedProject
from benchmarks.asking import Asking
from benchmarks.oracle import Oracle
from benchmarks.scheduling import RoundRobin
from benchmarks.simulated_day import Simulation
from gitlab_jobs_async.monitor.hints.question_rate import QuestionMode
from gitlab_jobs_async.monitor.schedule.scheduler import PollScheduler
from gitlab_jobs_async.ratelimit.windows import reserve

Scheme = Callable[[Sequence[SimulatedProject], int | None, float], Simulation]
"""Make the simulation of some projects on a budget a minute, for a number of hours."""


def spacing(per_minute: int | None) -> float:
    """Return the seconds between two requests; a tenth of the budget is left to the caller."""
    return 0.0 if per_minute is None else 60 / (per_minute - reserve(per_minute))


def round_robin(
    projects: Sequence[SimulatedProject], per_minute: int | None, hours: float
) -> Simulation:
    """Poll one project after the other."""
    return Simulation(projects, RoundRobin(), per_minute, hours, has_naive=True)


def each_minute(
    projects: Sequence[SimulatedProject], per_minute: int | None, hours: float
) -> Simulation:
    """Poll each project every 60 seconds."""
    return Simulation(projects, RoundRobin(60.0), per_minute, hours)


def by_rest(
    projects: Sequence[SimulatedProject], per_minute: int | None, hours: float
) -> Simulation:
    """Poll each project by REST, as often as its jobs make worthwhile."""
    return Simulation(projects, PollScheduler(spacing(per_minute)), per_minute, hours)


def by_oracle(
    projects: Sequence[SimulatedProject], per_minute: int | None, hours: float
) -> Simulation:
    """Poll each project by REST, as often as its coming changes make worthwhile."""
    return Simulation(projects, Oracle(projects, spacing(per_minute)), per_minute, hours)


def by_hints(
    projects: Sequence[SimulatedProject], per_minute: int | None, hours: float, latency: float = 1.0
) -> Simulation:
    """Ask which idle projects have changed, and poll the others by REST."""
    return _asking(projects, per_minute, hours, latency, QuestionMode.CHANGES)


def by_scans(
    projects: Sequence[SimulatedProject], per_minute: int | None, hours: float, latency: float = 1.0
) -> Simulation:
    """Ask for the jobs of all projects, and poll by REST what an answer does not show."""
    return _asking(projects, per_minute, hours, latency, QuestionMode.JOBS)


def _asking(
    projects: Sequence[SimulatedProject],
    per_minute: int | None,
    hours: float,
    latency: float,
    mode: QuestionMode,
) -> Simulation:
    scheduler = PollScheduler(spacing(per_minute))
    day = Simulation(projects, scheduler, per_minute, hours, latency=latency)
    day.questions = Asking(scheduler, day, spacing(per_minute), mode)
    return day
