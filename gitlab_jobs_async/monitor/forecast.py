"""Estimate request rate and detection delay for N projects under a budget, without any request.

By REST, each project has its own poll interval (timer.py); under a small budget all of them
stretch alike (scheduler.py). A poll detects a change half an interval late on average. By GraphQL,
one question asks about many projects: for a hint where to poll, or for their jobs.
`benchmarks/monitor.py` compares this with a simulated day.
"""

from math import ceil
from typing import Final, Literal

from attrs import evolve, frozen

from gitlab_jobs_async.api.parameters import integer, positive_id
from gitlab_jobs_async.monitor.hints.questions import MAX_PROJECTS
from gitlab_jobs_async.monitor.schedule.scheduler import JITTER
from gitlab_jobs_async.monitor.schedule.timer import MIN_INTERVAL, poll_interval
from gitlab_jobs_async.ratelimit.limits import JOBS_INDEX_PER_MINUTE
from gitlab_jobs_async.ratelimit.windows import reserve

_BUSY_AGES: Final = (20.0, 60.0, 180.0, 180.0)
"""Typical seconds since the last change of each open job in a busy project."""

_DAY: Final = 86_400.0
# Requests per poll. Rarer polls have more to catch up with, and need more pages.
_REQUESTS_PER_POLL: Final = 1.03
_CATCH_UP: Final = 0.015
_MAX_REQUESTS_PER_POLL: Final = 3.0

_UNEVENNESS: Final = 1.5
"""Intervals within which 95 % of the changes in a busy project are detected."""

_ENDS_PER_MINUTE: Final = 1.0
"""Bursts of jobs that end in a busy project, a minute."""

SCAN_FROM: Final = 10
"""Projects for each request a minute from which on GraphQL is asked for jobs, too."""

_FEW_IDLE: Final = 10
_QUESTION_SECONDS: Final = 1.0
"""Duration of one question, in seconds; within 2 s, questions grow to 100 projects."""

_HINT_INTERVAL: Final = 20.0
_HINT_SHARE: Final = 1 / 3
_SETTLING_SHARE: Final = 0.2
"""Part of the requests that lists jobs by REST while GraphQL is asked for them."""


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
class Way:
    """One way to watch all projects, its cost and its delays.

    Attributes:
        name: "rest" lists the jobs of each project; "hints" asks GraphQL which idle projects to
            list; "scan" asks GraphQL for the jobs of many projects at once.
        requests_per_minute: average number of requests, questions by GraphQL included.
        questions_per_minute: questions by GraphQL among them.
        stretch: the slowdown of all intervals that the budget causes.
        busy: projects with running jobs.
        idle: projects without an event for a day; the delay is that of their first change.
    """

    name: Literal["rest", "hints", "scan"]
    requests_per_minute: float
    questions_per_minute: float
    stretch: float
    busy: DetectionDelay
    idle: DetectionDelay


@frozen
class Limits:
    """Requests a minute: the limit, the part that polls may use, and that of listings of jobs."""

    most: int
    all: float
    listings: float


@frozen
class Forecast:
    """The cost of a monitor, and its detection delays.

    Attributes:
        limits: requests a minute.
        first_round: seconds until the jobs of each project have been listed once; a start with a
            checkpoint has no such round.
        rest: without GraphQL.
        graphql: with GraphQL; `None` where it changes nothing.
        complete: requests a minute that `complete=True` adds.
    """

    limits: Limits
    first_round: float
    rest: Way
    graphql: Way | None
    complete: float


def forecast(
    projects: int,
    *,
    busy: int,
    per_minute: int | None = None,
    jobs_index_per_minute: int | None = JOBS_INDEX_PER_MINUTE,
) -> Forecast:
    """Estimate what a monitor of *projects* costs, *busy* of which have running jobs.

    *per_minute* is the limit of all requests, *jobs_index_per_minute* that of listings of jobs,
    by default GitLab's own 600 a minute and user. A limit that is `None` counts as that, too.

    Raises:
        ValueError, TypeError: a number is not an integer, is below its minimum, or *busy* exceeds
            *projects*.
    """
    positive_id("projects", projects)
    if integer("busy", busy) > projects:
        raise ValueError(f"busy must be at most the {projects} of projects, not {busy}")
    limits = _limits(per_minute, jobs_index_per_minute)
    kinds = _Kinds(busy, projects - busy)
    rest = _by_rest(kinds, limits.listings)
    scan = _by_scan(kinds, limits) if projects > SCAN_FROM * limits.most else None
    return Forecast(
        limits=limits,
        first_round=60.0 * projects / limits.listings,
        rest=rest,
        graphql=scan or _by_hints(kinds, limits),
        complete=0.0 if scan is None else _completing(scan),
    )


@frozen
class _Kinds:
    """Numbers of busy and of idle projects."""

    busy: int
    idle: int


def _limits(per_minute: int | None, jobs_index_per_minute: int | None) -> Limits:
    every = JOBS_INDEX_PER_MINUTE if per_minute is None else positive_id("per_minute", per_minute)
    listings = every
    if jobs_index_per_minute is not None:
        listings = min(every, positive_id("jobs_index_per_minute", jobs_index_per_minute))
    # A monitor leaves a reserve to other requests of the same user.
    return Limits(every, float(every - reserve(every)), float(listings - reserve(listings)))


def _by_rest(kinds: _Kinds, supply: float) -> Way:
    busy_every, idle_every = _own_interval(_BUSY_AGES, 0.0), _own_interval((), _DAY)
    polls = 60.0 * (kinds.busy / busy_every + kinds.idle / idle_every)
    per_poll = min(_MAX_REQUESTS_PER_POLL, _REQUESTS_PER_POLL + _CATCH_UP * polls / supply)
    stretch = max(1.0, polls * per_poll / supply)
    return Way(
        name="rest",
        requests_per_minute=min(polls * per_poll, supply),
        questions_per_minute=0.0,
        stretch=stretch,
        busy=_polled(kinds.busy, busy_every * stretch, per_poll, _UNEVENNESS),
        idle=_polled(kinds.idle, idle_every * stretch, per_poll, 1.0),
    )


def _by_hints(kinds: _Kinds, limits: Limits) -> Way | None:
    """Forecast questions about idle projects, and listings of those that changed."""
    if kinds.idle < _FEW_IDLE:
        return None
    questions = ceil(kinds.idle / MAX_PROJECTS)
    round_seconds = max(_HINT_INTERVAL, 60.0 * questions / (limits.all * _HINT_SHARE))
    questions_per_minute = 60.0 * questions / round_seconds
    # A listing that a hint asks for waits as long as the poll of the busiest project.
    left = min(limits.listings, limits.all - questions_per_minute)
    rest = _by_rest(_Kinds(kinds.busy, 0), left)
    wait = MIN_INTERVAL * rest.stretch
    return Way(
        name="hints",
        requests_per_minute=rest.requests_per_minute + questions_per_minute,
        questions_per_minute=questions_per_minute,
        stretch=rest.stretch,
        busy=rest.busy,
        idle=DetectionDelay(
            projects=kinds.idle,
            requests_per_minute=questions_per_minute,
            interval=round_seconds,
            median=round_seconds / 2 + _QUESTION_SECONDS + wait,
            most=round_seconds + _QUESTION_SECONDS + _UNEVENNESS * wait,
        ),
    )


def _by_scan(kinds: _Kinds, limits: Limits) -> Way:
    """Forecast questions about the jobs of many projects, polled as by REST."""
    listings = min(limits.listings, limits.all * _SETTLING_SHARE)
    questions = limits.all - listings
    scan = _by_rest(kinds, questions * MAX_PROJECTS)
    asked = min(questions, scan.requests_per_minute / MAX_PROJECTS)
    return Way(
        name="scan",
        requests_per_minute=asked + listings,
        questions_per_minute=asked,
        stretch=scan.stretch,
        busy=_later(scan.busy),
        idle=_later(scan.idle),
    )


def _later(delay: DetectionDelay) -> DetectionDelay:
    """Return *delay* of a question, which takes longer than a listing and asks about many."""
    return evolve(
        delay,
        requests_per_minute=delay.requests_per_minute / MAX_PROJECTS,
        median=delay.median + _QUESTION_SECONDS,
        most=delay.most + _QUESTION_SECONDS,
    )


def _completing(scan: Way) -> float:
    """Return the listings a minute that fetch what GraphQL lacks: one for each burst of ends."""
    return scan.busy.projects * min(_ENDS_PER_MINUTE, 60.0 / scan.busy.interval)


def _own_interval(ages: tuple[float, ...], quiet: float) -> float:
    return poll_interval(ages, quiet) * (1 + JITTER / 2)


def _polled(projects: int, every: float, per_poll: float, uneven: float) -> DetectionDelay:
    return DetectionDelay(
        projects=projects,
        requests_per_minute=60.0 * projects * per_poll / every,
        interval=every,
        median=every / 2,
        most=every * uneven,
    )
