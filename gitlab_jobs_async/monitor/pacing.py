"""Space the polls of a monitor by the budget, beside logs, waits and questions."""

from gitlab_jobs_async.polling.polls import Polls
from gitlab_jobs_async.ratelimit.budget import RequestBudget
from gitlab_jobs_async.ratelimit.limits import JOBS_INDEX


def poll_spacing(
    budget: RequestBudget, polls: Polls, targets: int, stretch: float, asked: float, now: float
) -> float:
    """Return the seconds between two polls, 0 if all *targets* may be polled now.

    *asked* is the part of the rate that questions about many projects use, and *stretch* how many
    times rarer the polls of one of several monitors are.
    """
    spacing = budget.min_poll_spacing(JOBS_INDEX, targets, now)
    if polls.pace.used:
        # Logs and waits need their part of each minute, which a burst of polls would use up.
        spacing = max(spacing, 1 / polls.monitor_rate)
    if spacing and (left := polls.pace.left * (1 - asked)):
        # Job listings have a limit of their own, which questions do not count in.
        spacing = max(spacing, 1 / left)
    return spacing * stretch
