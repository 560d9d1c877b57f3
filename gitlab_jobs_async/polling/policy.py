"""Poll intervals of everything that is followed or waited for."""

from math import isfinite

from attrs import Attribute, field, frozen

from gitlab_jobs_async.api.parameters import seconds
from gitlab_jobs_async.retry.outage import outage_seconds


def _at_least_interval(policy: "PollPolicy", attribute: "Attribute[float]", value: float) -> None:
    if not seconds(attribute.name, value) >= policy.interval:
        raise ValueError(
            f"{attribute.name} must be at least interval, {policy.interval:g} s, not {value}"
        )


def _is_interval(_policy: "PollPolicy", attribute: "Attribute[float]", value: float) -> None:
    seconds(attribute.name, value)


@frozen(kw_only=True)
class PollPolicy:
    """Decides how often a job, its log or a pipeline is polled: `GitLab(polling=PollPolicy())`.

    While the request budget has room, one request is sent every *interval* for each job or pipeline
    that is followed or waited for. When many share the budget, all intervals grow in proportion.

    Attributes:
        interval: seconds between two requests for one job while the budget has room.
        max_interval: seconds, the longest interval that a short budget leads to.
        outage_timeout: seconds for which transient errors are tolerated: 0 raises them at once,
            `math.inf` tolerates them forever.

    Raises:
        ValueError, TypeError: an attribute is out of range.
    """

    interval: float = field(default=5.0, validator=_is_interval)
    max_interval: float = field(default=60.0, validator=_at_least_interval)
    outage_timeout: float = field(default=300.0, converter=outage_seconds)

    def stretched(self, factor: float) -> float:
        """Return *interval* times *factor* in seconds, at most *max_interval*."""
        interval = self.interval * factor
        return min(self.max_interval, interval) if isfinite(interval) else self.max_interval


def poll_policy(given: PollPolicy | None, default: PollPolicy) -> PollPolicy:
    """Return *given*, the `polling` argument of a call, or *default* without one.

    Raises:
        TypeError: *given* is not a `PollPolicy`.
    """
    if given is not None and not isinstance(given, PollPolicy):
        raise TypeError(f"polling must be a PollPolicy, not {given!r}")
    return default if given is None else given
