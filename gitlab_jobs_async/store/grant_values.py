"""Values of the requests that a shared store grants to processes."""

from collections.abc import Mapping, Sequence

from attrs import frozen


@frozen
class GrantRequest:
    """A wish to send *wanted* requests of one *kind*, of which *per_minute* may be granted."""

    kind: str
    wanted: int
    per_minute: int


@frozen
class Refusal:
    """A pause that a server has asked for: of *kind* ("" for all), for *seconds* from now."""

    kind: str
    seconds: float


@frozen
class LastAnswer:
    """Facts of the last answer to requests for grants, which the next question repeats.

    *serial* counts all grants of the store, under an *incarnation* that a new store draws: they
    show a store that was lost or set back. *time* is that by which grants expire, and *store_time*
    what the store's clock said, both in seconds. Since that answer between *shortest* and *longest*
    seconds have passed for the process that asks.
    """

    incarnation: str
    serial: int
    time: float = 0.0
    store_time: float = 0.0
    shortest: float = 0.0
    longest: float = 0.0


@frozen
class Grants:
    """The answer to requests for grants: *counts* by kind, good for `GRANT_SECONDS`.

    *retry_after* is in seconds, `None` if all were granted. *answer* is for the next question.
    *refusals* are the pauses that any process of the store has met and that still last.
    """

    counts: Mapping[str, int]
    retry_after: float | None
    answer: LastAnswer
    refusals: Sequence[Refusal] = ()
