"""Values that a store takes and returns; it knows states and events as bytes only."""

from collections.abc import Mapping, Sequence
from zlib import crc32

from attrs import define, field, frozen

_GROUP, _WITHOUT_SUBGROUPS = "group ", " without subgroups"


def route_of(target: str) -> int:
    """Return the number that assigns *target* to a shard, the same in every process.

    The groups below one top-level group have the same, because a project may be in several.
    """
    if target.startswith(_GROUP):
        target = target.removesuffix(_WITHOUT_SUBGROUPS).partition("/")[0].casefold()
    return crc32(target.encode("utf-8", "surrogatepass"))


@frozen
class Shard:
    """One of *count* parts of all targets."""

    number: int
    count: int

    def has(self, route: int) -> bool:
        """Return whether the target with this route belongs to the shard."""
        return route % self.count == self.number

    @property
    def lease_name(self) -> str:
        """Name of the lease on this shard."""
        return f"shard {self.number} of {self.count}"


@define(eq=False, repr=False)
class Lease:
    """The right of *owner* to write under *name*.

    Each new owner gets a higher *epoch*. *version* counts the writes under this name: a store that
    was set back to an earlier one is noticed by it.
    """

    name: str
    owner: str
    epoch: int
    version: int

    def continues(self, earlier: "Lease") -> bool:
        """Return whether nothing happened under this name but what *earlier* has done."""
        return (self.epoch, self.version) == (earlier.epoch, earlier.version)


@frozen
class Change:
    """A new *state* of a row, `None` to delete it, and the events that led to it: keys and data.

    *route* says which shard has the row, `None` for a row of every shard.
    """

    name: str
    state: bytes | None
    route: int | None = None
    events: Sequence[tuple[str, bytes]] = ()


@frozen
class LogOffset:
    """The *bytes* of a log that were read, and the route of its target."""

    bytes: int
    route: int | None


@frozen
class Batch:
    """The content of one write of the owner of a shard.

    *acknowledged* are the keys of events that the monitor's consumer has processed. *offsets* are
    those of logs by job, `None` to delete one.
    """

    changes: Sequence[Change] = ()
    acknowledged: Sequence[str] = ()
    offsets: Mapping[int, LogOffset | None] = field(factory=dict[int, LogOffset | None])


@frozen
class Content:
    """The content of a shard: states by name, and offsets of logs by job.

    *routes* are those of states that are kept with another one. *last_place* is that of the last
    event which was recorded before.
    """

    states: Mapping[str, bytes] = field(factory=dict[str, bytes])
    offsets: Mapping[int, int] = field(factory=dict[int, int])
    routes: Mapping[str, int] = field(factory=dict[str, int])
    last_place: int = 0


@frozen
class StoredEvent:
    """A recorded event at a *place*, which increases; *route* is that of its target, if known."""

    place: int
    key: str
    event: bytes
    route: int | None = None


@frozen
class Unread:
    """The next events of a consumer group, and how many it has *missed* since the last answer."""

    events: Sequence[StoredEvent]
    missed: int = 0
