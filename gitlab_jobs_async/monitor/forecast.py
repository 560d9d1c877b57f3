"""Estimate request rate and detection delay for N projects under a budget, without any request.

By REST, each project has its own poll interval (timer.py); under a small budget all of them
stretch alike (scheduler.py). A poll detects a change half an interval late on average. By GraphQL,
one question asks about many projects: for a hint where to poll, or for their jobs.
`benchmarks/monitor.py` compares this with a simulated day.
"""

from math import ceil, exp
from typing import Final, Literal

from attrs import frozen

from gitlab_jobs_async.api.parameters import integer, positive_id
from gitlab_jobs_async.monitor.hints.planner import COMPARISON_INTERVALS, MAX_SCAN_INTERVAL, SWEEP
from gitlab_jobs_async.monitor.hints.question_rate import JOBS_PER_REQUEST, MIN_PROJECTS, SHARES
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

_CHANGES: Final = 0.11
"""Changes a second in a busy project, as in the simulated day."""

_ANSWER: Final = 1.0
"""Seconds of an answer by GraphQL. While it takes less than 2 s, questions have 100 projects."""

_STEPS: Final = 100


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
        first_round: seconds until the jobs of each project have been listed once, by REST; a start
            with a checkpoint has no such round.
        busy: projects with running jobs.
        idle: projects without an event for a day; the delay is that of their first change.
    """

    name: Literal["rest", "hints", "scan"]
    requests_per_minute: float
    questions_per_minute: float
    stretch: float
    first_round: float
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
        rest: without GraphQL.
        graphql: with GraphQL; `None` where it changes nothing.
        complete: requests a minute that `complete=True` adds.
    """

    limits: Limits
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
    is_crowded = projects > JOBS_PER_REQUEST * min(limits.all, limits.listings)
    scan = _by_scan(kinds, limits) if is_crowded else None
    return Forecast(
        limits=limits,
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


def _by_rest(kinds: _Kinds, supply: float, idle_every: float | None = None) -> Way:
    """Forecast polls by REST, of idle projects each *idle_every* seconds or at their interval."""
    busy_every = _own_interval(_BUSY_AGES, 0.0)
    if idle_every is None:
        idle_every = _own_interval((), _DAY)
    polls = 60.0 * (kinds.busy / busy_every + kinds.idle / idle_every)
    per_poll = min(_MAX_REQUESTS_PER_POLL, _REQUESTS_PER_POLL + _CATCH_UP * polls / supply)
    stretch = max(1.0, polls * per_poll / supply)
    return Way(
        name="rest",
        requests_per_minute=min(polls * per_poll, supply),
        questions_per_minute=0.0,
        stretch=stretch,
        first_round=60.0 * (kinds.busy + kinds.idle) / supply,
        busy=_polled(kinds.busy, busy_every * stretch, per_poll, _UNEVENNESS),
        idle=_polled(kinds.idle, idle_every * stretch, per_poll, 1.0),
    )


def _by_hints(kinds: _Kinds, limits: Limits) -> Way | None:
    """Forecast questions about idle projects, and polls by REST of those that changed."""
    if kinds.idle < MIN_PROJECTS:
        return None
    questions = _Questions("changes", limits, 60.0 / SWEEP)
    asked = questions.per_minute(kinds.idle)
    sweep = 60.0 * ceil(kinds.idle / MAX_PROJECTS) / asked
    rest = _by_rest(kinds, questions.left(kinds.idle), idle_every=COMPARISON_INTERVALS["changes"])
    # A poll that a hint asks for is one of the busiest project; without scarcity it is immediate.
    wait = MIN_INTERVAL * (rest.stretch - 1 / rest.stretch)
    idle = DetectionDelay(
        projects=kinds.idle,
        requests_per_minute=asked + rest.idle.requests_per_minute,
        interval=sweep,
        median=sweep / 2 + _ANSWER + wait,
        most=sweep + _ANSWER + wait * _UNEVENNESS,
    )
    return Way(
        name="hints",
        requests_per_minute=rest.requests_per_minute + asked,
        questions_per_minute=asked,
        stretch=rest.stretch,
        first_round=questions.first_round(kinds.idle, kinds.busy),
        busy=rest.busy,
        idle=idle,
    )


def _by_scan(kinds: _Kinds, limits: Limits) -> Way:
    """Forecast questions about the jobs of all projects, each at its own interval."""
    busy_every = poll_interval(_BUSY_AGES, 0.0)
    idle_every = min(MAX_SCAN_INTERVAL, poll_interval((), _DAY))
    wanted = 60.0 * (kinds.busy / busy_every + kinds.idle / idle_every)
    projects = kinds.busy + kinds.idle
    stretch = max(1.0, wanted / MAX_PROJECTS / (limits.all * SHARES["jobs"]))
    busy_every, idle_every = busy_every * stretch, idle_every * stretch
    # A question is sent as soon as a busy project is due, with all that have waited for half of
    # their interval. So few projects do not fill it.
    busiest = 60.0 * min(2, kinds.busy) / busy_every
    rate = max(wanted / projects, busiest / ceil(projects / MAX_PROJECTS))
    questions = _Questions("jobs", limits, rate)
    size = min(MAX_PROJECTS, wanted / stretch / questions.per_minute(projects))
    comparisons = 60.0 * projects / COMPARISON_INTERVALS["jobs"]
    return Way(
        name="scan",
        requests_per_minute=questions.per_minute(projects)
        + min(comparisons, questions.left(projects)),
        questions_per_minute=questions.per_minute(projects),
        stretch=stretch,
        first_round=questions.first_round(projects, 0),
        busy=_scanned(kinds.busy, busy_every, _UNEVENNESS, size),
        idle=_scanned(kinds.idle, idle_every, 1.0, size),
    )


def _scanned(projects: int, every: float, uneven: float, size: float) -> DetectionDelay:
    """Forecast questions about *size* projects each, which ask about each project *every* s."""
    return DetectionDelay(
        projects=projects,
        requests_per_minute=60.0 * projects / every / size,
        interval=every,
        median=every / 2 + _ANSWER,
        most=every * uneven + _ANSWER,
    )


@frozen
class _Questions:
    """Questions of a mode within limits, each project being asked about *rate* times a minute."""

    mode: Literal["changes", "jobs"]
    limits: Limits
    rate: float

    def per_minute(self, projects: int) -> float:
        """Return the questions a minute about *projects*."""
        return min(self.limits.all * SHARES[self.mode], self.rate * ceil(projects / MAX_PROJECTS))

    def left(self, projects: int, share: float = 1.0) -> float:
        """Return the listings a minute that questions leave, with at most *share* of the rate."""
        asked = self.rate * ceil(projects / MAX_PROJECTS) / self.limits.all
        used = min(SHARES[self.mode], share, asked)
        return min(self.limits.listings, self.limits.all * (1 - used))

    def first_round(self, asked: int, others: int) -> float:
        """Return the seconds until all have been listed; questions begin as they are."""
        step = asked / _STEPS
        listed = [step * (number + 0.5) for number in range(_STEPS)]
        minutes = sum(step / self.left(ceil(known), SHARES["changes"]) for known in listed)
        return 60.0 * (minutes + others / self.limits.listings)


def _completing(scan: Way) -> float:
    """Return the polls by REST that show changes with all fields: one for each changed answer."""
    changed = 1 - exp(-_CHANGES * scan.busy.interval)
    return scan.busy.projects * changed * 60.0 / scan.busy.interval


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
