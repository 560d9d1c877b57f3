"""What to expect of watching so many projects within a budget, reckoned without any request.

Each project is looked at after an interval of its own (pace.py); where the budget does not suffice,
all intervals stretch alike (rota.py). A change is seen at the next look, so that the delay is half
an interval in the middle. `benchmarks/monitor.py` simulates the same and says how far off this is.
"""

from attrs import frozen

from gitlab_jobs_async.api.parameters import positive_id, whole_number
from gitlab_jobs_async.monitor.schedule.interval import poll_interval
from gitlab_jobs_async.monitor.schedule.scheduler import JITTER
from gitlab_jobs_async.ratelimit.limits import JOBS_INDEX_PER_MINUTE, reserve

_STOOD = (20.0, 60.0, 180.0, 180.0)
"""For how many seconds the open jobs of a busy project have been as they are, typically."""

_DAY = 86_400.0
_ONE_LOOK = 1.03
_FALLEN_BEHIND = 0.015
_MOST_A_LOOK = 3.0
"""Requests: the rarer the looks, the more of them go back more than a page, or ask for more."""

_UNEVEN = 1.5
"""A busy project is not always as busy: so many intervals are what 95 % stay within."""


@frozen
class DetectionDelay:
    """How projects of one kind are looked at, and how late a change in them is seen; in seconds.

    `interval` is what lies between two looks; half of the changes are seen within `median`, 95 % of
    them within `most`.
    """

    projects: int
    requests_per_minute: float
    interval: float
    median: float
    most: float


@frozen
class Forecast:
    """What watching costs, and what it shows.

    Attributes:
        requests_per_minute: what will be sent, on average.
        stretch: how many times as long all intervals are as they would be without a limit.
        first_round: seconds until each project has been looked at once; what was there before is
            told then.
        busy: of the projects in which jobs run.
        idle: of those in which nothing has happened for a day; their first change is meant.
    """

    requests_per_minute: float
    stretch: float
    first_round: float
    busy: DetectionDelay
    idle: DetectionDelay


def forecast(projects: int, *, busy: int, per_minute: int | None = None) -> Forecast:
    """What to expect of watching *projects*, of which so many are *busy* at a time.

    *per_minute* is how many requests the budget allows; `None` stands for GitLab's own limit, 600
    listings of jobs a minute and user, which no budget takes away.

    Raises:
        ValueError, TypeError: a number is no whole one, *projects* or *per_minute* are not above 0,
            or more projects are busy than there are.
    """
    positive_id("projects", projects)
    if whole_number("busy", busy) > projects:
        raise ValueError(f"busy must be at most the {projects} of projects, not {busy}")
    allowed = JOBS_INDEX_PER_MINUTE
    if per_minute is not None:
        allowed = min(allowed, positive_id("per_minute", per_minute))
    supply = float(allowed - reserve(allowed))
    wanted = {
        "busy": (busy, _looked_at_every(_STOOD, 0.0)),
        "idle": (projects - busy, _looked_at_every((), _DAY)),
    }
    looks = sum(60.0 * count / every for count, every in wanted.values())
    per_look = min(_MOST_A_LOOK, _ONE_LOOK + _FALLEN_BEHIND * looks / supply)
    stretch = max(1.0, looks * per_look / supply)
    return Forecast(
        requests_per_minute=min(looks * per_look, supply),
        stretch=stretch,
        first_round=60.0 * projects / supply,
        busy=_detected(wanted["busy"], per_look, stretch, _UNEVEN),
        idle=_detected(wanted["idle"], per_look, stretch, 1.0),
    )


def _looked_at_every(stood: tuple[float, ...], quiet: float) -> float:
    return poll_interval(stood, quiet) * (1 + JITTER / 2)


def _detected(
    wanted: tuple[int, float], per_look: float, stretch: float, uneven: float
) -> DetectionDelay:
    projects, every = wanted[0], wanted[1] * stretch
    return DetectionDelay(
        projects=projects,
        requests_per_minute=60.0 * projects * per_look / every,
        interval=every,
        median=every / 2,
        most=every * uneven,
    )
