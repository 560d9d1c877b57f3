"""The `Range` header of requests (RFC 9110, section 14.2)."""

import re
from typing import Final

_RANGE: Final = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


def requested_range(header: str, size: int) -> tuple[int, int] | None:
    """Return start and end, or None for an invalid range, which servers ignore (RFC 9110)."""
    match = _RANGE.fullmatch(header)
    first, last = match.groups() if match else ("", "")
    if not first:
        return (max(0, size - int(last)), size) if last else None
    if last and int(last) < int(first):
        return None
    return int(first), min(int(last) + 1, size) if last else size
