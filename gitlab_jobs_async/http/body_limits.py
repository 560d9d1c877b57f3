"""Limits on the size of responses and on the rate of streams."""

from typing import Any, Literal

from attrs import Attribute, define, field, frozen

from gitlab_jobs_async.errors import ResponseTooLargeError

_MIB = 1024 * 1024
# All header lines together may be as long as this number of longest lines.
_HEADERS = 16

Bound = Literal["page", "trace", "archive"]
"""Field of `Limits` that bounds a response."""


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
    """Size limits of responses: `GitLab(limits=Limits(page=8 * 1024 * 1024))`.

    All sizes are in bytes after decompression. A larger response raises `ResponseTooLargeError`.

    Attributes:
        page: size of a JSON response, such as a page of a listing. GitLab's largest pages of 100
            jobs have about 0.3 MiB. Parsing a page blocks the event loop.
        trace: size of the result of `get_trace`; `None` for any. Streamed and followed traces have
            no limit, since they are never held as a whole. GitLab limits a log to 100 MB
            (https://docs.gitlab.com/administration/instance_limits/, `ci_jobs_trace_size_limit`).
        archive: size of the result of `stream_artifacts` and `get_artifact_file`; `None` for any
            stream, and *trace* for a file.
        min_rate: bytes a second that a stream must reach on average over the client's `timeout`;
            a slower one raises `TimedOutError`. 0 for any.
        header: size of one header line.

    Raises:
        ValueError, TypeError: a limit is out of range.
    """

    page: int = field(default=4 * _MIB, validator=_is_size)
    trace: int | None = field(default=256 * _MIB, validator=_is_size_or_none)
    archive: int | None = field(default=None, validator=_is_size_or_none)
    min_rate: float = field(default=256.0, validator=_is_rate)
    header: int = field(default=64 * 1024, validator=_is_size)

    @property
    def all_headers(self) -> int:
        """Bytes of all header lines together."""
        return _HEADERS * self.header

    def whole(self, bound: Bound) -> tuple[Bound, int | None]:
        """Return the field that bounds a response held in memory, and its bytes."""
        # A file is held in memory, so it needs a limit even if archives have none.
        if bound == "archive" and self.archive is None:
            bound = "trace"
        return bound, getattr(self, bound)


@define(eq=False, repr=False)
class SizeLimit:
    """Counts the bytes of one response against its limit."""

    bound: str
    most: int | None
    method: str
    url: str
    _seen: int = 0

    def add(self, count: int) -> None:
        """Count *count* more bytes.

        Raises:
            ResponseTooLargeError: the limit is exceeded.
        """
        self._seen += count
        if self.most is not None and self._seen > self.most:
            raise ResponseTooLargeError(self.bound, self.most, self.method, self.url)


@define(eq=False, repr=False)
class MinRate:
    """Minimum rate in bytes a second, checked over spans of *span* seconds."""

    minimum: float
    span: float
    _seconds: float = 0.0
    _bytes: int = 0

    def add(self, count: int, seconds: float) -> bool:
        """Count *count* bytes that took *seconds*; return False if the rate is too low."""
        self._seconds += seconds
        self._bytes += count
        if self._seconds < self.span:
            return True
        is_fast = self._bytes >= self.minimum * self._seconds
        # Each span counts alone: a fast beginning does not excuse a stall.
        self._seconds, self._bytes = 0.0, 0
        return is_fast
