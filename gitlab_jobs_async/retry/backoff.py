"""Exponential backoff of retries, polls and probes."""

from attrs import frozen

LONGEST_PAUSE = 3600.0
"""Seconds; during a longer pause, a probe is sent at least this often."""

# A float power overflows above 2.0 ** 1023; every cap is reached long before.
_MAX_EXPONENT = 99


@frozen(eq=False, repr=False)
class Backoff:
    """Delays of *base* x *factor* ** n seconds, at most *cap*."""

    base: float
    factor: float
    cap: float

    def delay(self, n: int, jitter: float = 1.0) -> float:
        """Return the seconds to wait after *n* failures, scaled by *jitter* from 0 to 1."""
        return min(self.cap, self.base * self.factor ** min(n, _MAX_EXPONENT)) * jitter


PROBES = Backoff(60.0, 2.0, LONGEST_PAUSE)
"""Delays between two requests that test whether a long pause still holds."""
