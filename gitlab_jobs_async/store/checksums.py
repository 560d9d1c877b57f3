"""Add a checksum to each row of a checkpoint, so that a damaged row is refused.

SQLite checks the structure of its file, but not the content of rows. The checksum covers the name
and the route of a row, too, so that one row cannot replace another, or move to another shard.
"""

from zlib import crc32

_SIZE = 4
_OFFSET_SIZE = 8


class ChecksumError(ValueError):
    """A row was changed since it was written."""


def seal(name: str, data: bytes, route: int | None = None) -> bytes:
    """Return *data* with its checksum, for the row *name* with its *route*."""
    return _checksum(name, route, data) + data


def unseal(name: str, stored: object, route: object = None) -> bytes:
    """Return the data that `seal` was given.

    Raises:
        ChecksumError: *stored* is not what `seal` returned.
    """
    if isinstance(stored, bytes) and len(stored) >= _SIZE:
        data = stored[_SIZE:]
        if stored[:_SIZE] == _checksum(name, route, data):
            return data
    raise ChecksumError(f"row {name!a} does not match its checksum")


def seal_offset(job_id: int, offset: int, route: int | None = None) -> bytes:
    """Return the byte *offset* of a job's log with its checksum."""
    return seal(str(job_id), offset.to_bytes(_OFFSET_SIZE), route)


def unseal_offset(job_id: int, stored: object, route: object = None) -> int:
    """Return the offset that `seal_offset` was given.

    Raises:
        ChecksumError: *stored* is not what `seal_offset` returned.
    """
    return int.from_bytes(unseal(str(job_id), stored, route))


def check_sum(name: str, *numbers: object) -> None:
    """Check that the last of *numbers* complements the others to zero.

    Raises:
        ChecksumError: it does not: the row *name* was damaged.
    """
    whole = [number for number in numbers if isinstance(number, int)]
    if len(whole) < len(numbers) or sum(whole) != 0:
        raise ChecksumError(f"row {name!a} does not match its checksum")


def _checksum(name: str, route: object, data: bytes) -> bytes:
    # Without the separator, bytes could move from the name to the data.
    head = name if route is None else f"{name}\0{route}"
    return crc32(data, crc32(head.encode(errors="replace") + b"\0")).to_bytes(_SIZE)
