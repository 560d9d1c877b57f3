"""Errors of what takes several requests, or none: waits, listings, archives, deliveries."""

from collections.abc import Sequence
from typing import Final

from gitlab_jobs_async import models
from gitlab_jobs_async.errors.base import GitLabError

_MAX_CANDIDATES: Final = 10
"""Names that the text of a `LookupFailedError` shows."""

_LONGEST_ENTRY: Final = 200
"""Characters of a name that the text of an `ArchiveError` shows."""


class TraceInterruptedError(GitLabError):
    """Following a trace ended early: errors outlasted `outage_timeout`, or the disk is full.

    Every byte before `offset` was emitted and none after it. Resume with
    `follow_trace(…, offset=error.offset)`. `reason` has the cause; the last error is chained.
    """

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(reason, offset)
        self.reason = reason
        self.offset = offset

    def __str__(self) -> str:
        return f"{self.reason}; the trace was read up to byte {self.offset}"


class WaitTimedOutError(GitLabError, TimeoutError):
    """A job or pipeline has not ended within the `timeout`, in seconds.

    `what` names it; `last` is its latest `Job` or `Pipeline`, None if no request succeeded. The
    job continues on the server: wait for it again if needed.
    """

    def __init__(
        self, what: str, timeout: float, last: "models.Job | models.Pipeline | None"
    ) -> None:
        super().__init__(what)  # OSError would interpret further arguments
        self.what = what
        self.timeout = timeout
        self.last = last

    # `args` has only the first argument, but pickling needs all three.
    def __reduce__(self) -> tuple[type["WaitTimedOutError"], tuple[object, ...]]:
        return type(self), (self.what, self.timeout, self.last)

    def __str__(self) -> str:
        seen = "never seen" if self.last is None else f"last seen {self.last.status}"
        return f"{self.what} has not ended within {self.timeout:g} s; it was {seen}"


class LookupFailedError(GitLabError, LookupError):
    """No row, or more than one, matches what a call was to find.

    `what` says what was looked up, and `candidates` has the names that come closest, or those that
    match.
    """

    def __init__(self, what: str, candidates: Sequence[str] = ()) -> None:
        super().__init__(what, tuple(candidates))
        self.what = what
        self.candidates = tuple(candidates)

    def __str__(self) -> str:
        shown = ", ".join(repr(name) for name in self.candidates[:_MAX_CANDIDATES])
        more = len(self.candidates) - _MAX_CANDIDATES
        return self.what + (f": {shown}" if shown else "") + (f" and {more} more" * (more > 0))


class ArchiveError(GitLabError):
    """An archive of artifacts is corrupt or unsafe to unpack; nothing of it is kept.

    `reason` has the cause, `entry` the name of the entry that has it; None for the whole archive.
    """

    def __init__(self, reason: str, entry: str | None = None) -> None:
        super().__init__(reason, entry)
        self.reason = reason
        self.entry = entry

    def __str__(self) -> str:
        where = "" if self.entry is None else f" entry {self.entry[:_LONGEST_ENTRY]!r}"
        return f"archive not unpacked:{where} {self.reason}"


class ListingChangedError(GitLabError):
    """A listing by offset changed faster than it could be read, so it may be incomplete.

    A later call may succeed. `method` and `url` name the listing.
    """

    def __init__(self, method: str, url: str) -> None:
        super().__init__(method, url)
        self.method = method
        self.url = url

    def __str__(self) -> str:
        return f"{self.method} {self.url}: rows moved faster than they could be read"


class StoreError(GitLabError):
    """A store is in use, corrupt or of another version; it is not changed.

    `name` is its file or address without credentials, `reason` the cause.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason

    def __str__(self) -> str:
        return f"store {self.name}: {self.reason}"


class StoreAwayError(StoreError):
    """A store does not answer; whether the last write has arrived is unknown. Try again later."""


class FencedError(StoreError):
    """Another process owns what was to be written, or the store was set back; nothing is written.

    Load the state again once the lease is held again.
    """


class WebhookRejectedError(GitLabError):
    """A webhook delivery is forged, invalid or of another kind.

    `reason` has the cause, `status` the HTTP status to answer GitLab: 202 for an event of another
    kind, else 4xx. GitLab disables a hook after four failures in a row.
    """

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason, status)
        self.reason = reason
        self.status = status

    def __str__(self) -> str:
        return f"webhook rejected with HTTP {self.status}: {self.reason}"
