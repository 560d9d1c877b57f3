"""Estimate request rate and detection delay for N projects under a budget, without any request.

Each project has its own poll interval (timer.py); under a small budget all of them
stretch alike (scheduler.py). A poll detects a change half an interval late on average.
`benchmarks/monitor.py` compares this with a simulated day.
"""

from attrs import frozen

from gitlab_jobs_async.api.parameters import integer, positive_id
from gitlab_jobs_async.monitor.schedule.scheduler import JITTER
from gitlab_jobs_async.monitor.schedule.timer import poll_interval
from gitlab_jobs_async.ratelimit.limits import JOBS_INDEX_PER_MINUTE
from gitlab_jobs_async.ratelimit.windows import reserve

_BUSY_AGES = (20.0, 60.0, 180.0, 180.0)
"""Typical seconds since the last change of each open job in a busy project."""

_DAY = 86_400.0
# Requests per poll. Rarer polls have more to catch up with, and need more pages.
_REQUESTS_PER_POLL = 1.03
_CATCH_UP = 0.015
_MAX_REQUESTS_PER_POLL = 3.0

_UNEVENNESS = 1.5
"""Intervals within which 95 % of the changes in a busy project are detected."""


@frozen
class DetectionDelay:
    """The poll interval of one kind of project, and its detection delay, in seconds.

    Half of the changes are detected within `median`, 95 % within `most`.
    """

    projects: int
    requests_per_minute: float
    interval: float
    median: float
    most: float


@frozen
class Forecast:
    """The cost of a monitor, and its detection delays.

    Attributes:
        requests_per_minute: average number of requests.
        stretch: the slowdown of all intervals that the budget causes.
        first_round: seconds until each project has been polled once.
        busy: projects with running jobs.
        idle: projects without an event for a day; the delay is that of their first change.
    """

    requests_per_minute: float
    stretch: float
    first_round: float
    busy: DetectionDelay
    idle: DetectionDelay


def forecast(projects: int, *, busy: int, per_minute: int | None = None) -> Forecast:
    """Estimate what a monitor of *projects* costs, *busy* of which have running jobs.

    *per_minute* is the request budget; `None` and larger values mean GitLab's own limit of 600
    listings of jobs a minute and user.

    Raises:
        ValueError, TypeError: a number is not an integer, is below its minimum, or *busy* exceeds
            *projects*.
    """
    positive_id("projects", projects)
    if integer("busy", busy) > projects:
        raise ValueError(f"busy must be at most the {projects} of projects, not {busy}")
    allowed = JOBS_INDEX_PER_MINUTE
    if per_minute is not None:
        allowed = min(allowed, positive_id("per_minute", per_minute))
    # A monitor leaves a reserve to other requests of the same user.
    supply = float(allowed - reserve(allowed))
    wanted = {
        "busy": (busy, _average_interval(_BUSY_AGES, 0.0)),
        "idle": (projects - busy, _average_interval((), _DAY)),
    }
    polls = sum(60.0 * count / every for count, every in wanted.values())
    per_poll = min(_MAX_REQUESTS_PER_POLL, _REQUESTS_PER_POLL + _CATCH_UP * polls / supply)
    stretch = max(1.0, polls * per_poll / supply)
    return Forecast(
        requests_per_minute=min(polls * per_poll, supply),
        stretch=stretch,
        first_round=60.0 * projects / supply,
        busy=_detected(wanted["busy"], per_poll, stretch, _UNEVENNESS),
        idle=_detected(wanted["idle"], per_poll, stretch, 1.0),
    )


def _average_interval(ages: tuple[float, ...], quiet: float) -> float:
    return poll_interval(ages, quiet) * (1 + JITTER / 2)


def _detected(
    wanted: tuple[int, float], per_poll: float, stretch: float, uneven: float
) -> DetectionDelay:
    projects, every = wanted[0], wanted[1] * stretch
    return DetectionDelay(
        projects=projects,
        requests_per_minute=60.0 * projects * per_poll / every,
        interval=every,
        median=every / 2,
        most=every * uneven,
    )
