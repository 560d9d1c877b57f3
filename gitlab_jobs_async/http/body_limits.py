"""How large an answer may be and how slowly it may come; what is beyond that is an error."""

from typing import Any, Literal

from attrs import Attribute, define, field, frozen

from gitlab_jobs_async.errors import ResponseTooLargeError

_MIB = 1024 * 1024
_HEADERS = 16
"""How many header lines may be as long as one may be."""

Bound = Literal["page", "trace", "archive"]
"""Which field of `Limits` bounds an answer."""


def _is_size(_limits: object, attribute: "Attribute[Any]", value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{attribute.name} must be a whole number of bytes, not {value!r}")
    if value < 1:
        raise ValueError(f"{attribute.name} must be at least 1 byte, not {value!r}")


def _is_size_or_none(limits: object, attribute: "Attribute[Any]", value: object) -> None:
    if value is not None:
        _is_size(limits, attribute, value)


def _is_rate(_limits: object, attribute: "Attribute[Any]", value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{attribute.name} must be a number of bytes a second, not {value!r}")
    if not 0 <= value < float("inf"):
        raise ValueError(f"{attribute.name} must be 0 or more bytes a second, not {value!r}")


@frozen(kw_only=True)
class Limits:
    """Bound what a server can make a client hold: `GitLab(limits=Limits(page=8 * 1024 * 1024))`.

    All sizes are bytes, counted after decompression; an answer beyond one is a
    `ResponseTooLargeError`.

    Attributes:
        page: of an answer in JSON, such as a page of a listing. GitLab's largest pages of 100 jobs
            have about 0.3 MiB. Parsing one holds the event loop, so raise it with care.
        trace: of what `get_trace` returns, `None` for any size. Streamed and followed traces are
            not bounded, and held neither in memory nor on disk as a whole. GitLab itself ends a
            job at 100 MB of log (`ci_jobs_trace_size_limit`).
        archive: of what `stream_artifacts` yields and `get_artifact_file` returns. `None` leaves
            the stream unbounded, and bounds the file by *trace*.
        min_rate: bytes a second that a stream must bring on average while it is read, over spans of
            the client's `timeout`; slower is a `TimedOutError`. 0 for any rate.
        header: of one header line of an answer.
    """

    page: int = field(default=4 * _MIB, validator=_is_size)
    trace: int | None = field(default=256 * _MIB, validator=_is_size_or_none)
    archive: int | None = field(default=None, validator=_is_size_or_none)
    min_rate: float = field(default=256.0, validator=_is_rate)
    header: int = field(default=64 * 1024, validator=_is_size)

    @property
    def all_headers(self) -> int:
        """Return the bytes of all header lines of an answer together."""
        return _HEADERS * self.header

    def whole(self, bound: Bound) -> tuple[Bound, int | None]:
        """Return which field bounds an answer that is held in memory, and its bytes."""
        if bound == "archive" and self.archive is None:
            bound = "trace"
        return bound, getattr(self, bound)


@define
class Gauge:
    """Checks the bytes of one answer as they come."""

    bound: str
    most: int | None
    method: str
    url: str
    _seen: int = 0

    def add(self, count: int) -> None:
        """Count *count* more bytes.

        Raises:
            ResponseTooLargeError: these are too many.
        """
        self._seen += count
        if self.most is not None and self._seen > self.most:
            raise ResponseTooLargeError(self.bound, self.most, self.method, self.url)


@define
class Rate:
    """Whether bytes come at *least* a second or faster, over spans of *span* seconds."""

    least: float
    span: float
    _seconds: float = 0.0
    _bytes: int = 0

    def add(self, count: int, seconds: float) -> bool:
        """Count *count* bytes that took *seconds* to come; false if that is too slow."""
        self._seconds += seconds
        self._bytes += count
        if self._seconds < self.span:
            return True
        is_fast = self._bytes >= self.least * self._seconds
        self._seconds, self._bytes = 0.0, 0
        return is_fast
