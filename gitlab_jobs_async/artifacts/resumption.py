"""Decide how a download continues after a lost connection: from which byte, or from the start."""

import re

from attrs import define

from gitlab_jobs_async.api.requests import Pairs
from gitlab_jobs_async.api.responses import Response, check_archive, http_date, reject_html

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")
# Ranges count the bytes that are sent, so they must be those of the archive.
_PLAIN: Pairs = (("Accept-Encoding", "identity"),)
# RFC 9110, 8.8.2.2, asks for a second; a minute also covers clocks that differ.
_OLD_ENOUGH = 60.0


@define(eq=False, repr=False)
class Resumption:
    """The state of one download: the bytes that were received, and what identifies the archive.

    Follows RFC 9110, sections 13.1.5 (If-Range) and 14.4 (Content-Range).
    """

    received: int = 0
    _validator: str | None = None
    _total: int | None = None
    _is_refused: bool = False

    def request_headers(self) -> Pairs:
        """Return the headers of the next request."""
        if not self.resumes:
            return _PLAIN
        ranged = ("Range", f"bytes={self.received}-")
        return (*_PLAIN, ranged, ("If-Range", self._validator or ""))

    def accept(self, head: Response) -> bool:
        """Return whether the body continues the bytes received; if not, it is the whole archive.

        Raises:
            DecodeError: the response is a web page or no archive.
        """
        if head.status == 206 and self.resumes:
            reject_html(head, "an archive")
            return self._continues(head)
        check_archive(head)
        self.received = 0
        self._validator, self._total = _validator_of(head), _length_of(head)
        return False

    def refuse(self) -> None:
        """Request the whole archive from now on: the server's ranges are not those requested."""
        self._is_refused = True

    @property
    def total(self) -> int | None:
        """Bytes of the archive; None if unknown."""
        return self._total

    @property
    def missing(self) -> int:
        """Bytes of the archive that are missing; 0 also if its size is unknown, < 0 if too many."""
        return 0 if self._total is None else self._total - self.received

    @property
    def resumes(self) -> bool:
        """Whether the next request asks for the rest of the archive."""
        is_known = self._validator is not None and self._total is not None
        return is_known and self.received > 0 and not self._is_refused

    def _continues(self, head: Response) -> bool:
        """Return whether a partial response is exactly the rest of the same archive."""
        match = _CONTENT_RANGE.fullmatch(head.headers.get("content-range", ""))
        expected = (self.received, (self._total or 0) - 1, self._total)
        if match is None or tuple(map(int, match.groups())) != expected:
            return False
        # A proxy that ignores If-Range shows another ETag for another archive.
        return _validator_of(head) == self._validator


def _validator_of(head: Response) -> str | None:
    """Return the strong validator of a response; None without one."""
    if "content-encoding" in head.headers:
        return None
    etag = head.headers.get("etag", "")
    if etag:
        return etag if etag.startswith('"') else None
    modified = head.headers.get("last-modified", "")
    at, sent = http_date(modified), http_date(head.headers.get("date", ""))
    if at is None or sent is None or sent - at < _OLD_ENOUGH:
        return None
    return modified


def _length_of(head: Response) -> int | None:
    if "content-encoding" in head.headers:
        return None
    length = head.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() else None
