"""Bounds of a poll interval, and an interval in proportion to the time since a change."""

from attrs import field, frozen

from gitlab_jobs_async.api.parameters import seconds


@frozen
class PollIntervals:
    """The *shortest* and the *longest* time between two polls, in seconds.

    Raises:
        TypeError, ValueError: a bound is not a number above 0, or they are in the wrong order.
    """

    shortest: float = field(default=3.0)
    longest: float = field(default=60.0)

    @shortest.validator
    def _is_time(self, _attribute: object, value: object) -> None:
        seconds("min_interval", value)

    @longest.validator
    def _is_longer(self, _attribute: object, value: object) -> None:
        if seconds("max_interval", value) < self.shortest:
            raise ValueError(
                f"max_interval must be at least min_interval, {self.shortest:g} s, not {value}"
            )

    def clamp(self, interval: float) -> float:
        """Return *interval*, in seconds, limited to the bounds."""
        return min(self.longest, max(self.shortest, interval))

    def for_age(self, age: float, share: float) -> float:
        """Return *share* of *age*, the seconds since the last change, within the bounds."""
        # The longer nothing has changed, the less likely is a change soon: short steps are
        # seen at once, and a long one costs few requests.
        return self.clamp(age * share)
