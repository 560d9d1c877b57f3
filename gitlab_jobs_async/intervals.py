"""Bounds of a poll interval, and an interval in proportion to the time since a change."""

from attrs import frozen


@frozen
class PollIntervals:
    """The *shortest* and the *longest* time between two polls, in seconds."""

    shortest: float
    longest: float

    def clamp(self, interval: float) -> float:
        """Return *interval*, in seconds, limited to the bounds."""
        return min(self.longest, max(self.shortest, interval))

    def for_age(self, age: float, share: float) -> float:
        """Return *share* of *age*, the seconds since the last change, within the bounds."""
        # The longer nothing has changed, the less likely is a change soon: short steps are
        # seen at once, and a long one costs few requests.
        return self.clamp(age * share)
