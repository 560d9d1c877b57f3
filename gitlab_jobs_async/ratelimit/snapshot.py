"""State of a request budget at one moment."""

from attrs import frozen


@frozen(kw_only=True)
class BudgetSnapshot:
    """State of a `RequestBudget`; `None` where nothing is known. Times are unix seconds.

    Attributes:
        limit: requests a minute: the caller's own limit or the server's, whichever is lower. A
            server states the limit of an hour as requests a minute, too.
        used: requests of this client in the last minute, those in flight included.
        remaining: requests that may be sent now.
        reset: when a pause or the server's window ends.
        waiting: requests that wait for a slot or for the rate limit.
        in_flight: requests whose response has not been read completely, without streams.
        streams: open streams, and requests for one.
        paused_until: end of a pause of more than two minutes that the server has asked for, of all
            requests or of one kind.
        next_probe: when one request may test that pause; only one of more than an hour is tested.
        pause_reason: what the server said, and which requests are held back.
    """

    limit: int | None
    used: int
    remaining: int | None
    reset: float | None
    waiting: int
    in_flight: int = 0
    streams: int = 0
    paused_until: float | None = None
    next_probe: float | None = None
    pause_reason: str | None = None
