"""Add a checksum to each row of a checkpoint, so that a damaged row is refused.

SQLite checks the structure of its file, but not the content of rows. The checksum covers the name
of a row, too, so that one row cannot replace another.
"""

from zlib import crc32

_SIZE = 4
_OFFSET_SIZE = 8


class ChecksumError(ValueError):
    """A row was changed since it was written."""


def seal(name: str, data: bytes) -> bytes:
    """Return *data* with its checksum, for the row *name*."""
    return _checksum(name, data) + data


def unseal(name: str, stored: object) -> bytes:
    """Return the data that `seal` was given.

    Raises:
        ChecksumError: *stored* is not what `seal` returned.
    """
    if isinstance(stored, bytes) and len(stored) >= _SIZE:
        data = stored[_SIZE:]
        if stored[:_SIZE] == _checksum(name, data):
            return data
    raise ChecksumError(f"row {name!a} does not match its checksum")


def seal_offset(job_id: int, offset: int) -> bytes:
    """Return the byte *offset* of a job's log with its checksum."""
    return seal(str(job_id), offset.to_bytes(_OFFSET_SIZE))


def unseal_offset(job_id: int, stored: object) -> int:
    """Return the offset that `seal_offset` was given.

    Raises:
        ChecksumError: *stored* is not what `seal_offset` returned.
    """
    return int.from_bytes(unseal(str(job_id), stored))


def _checksum(name: str, data: bytes) -> bytes:
    # Without the separator, bytes could move from the name to the data.
    return crc32(data, crc32(name.encode(errors="replace") + b"\0")).to_bytes(_SIZE)
