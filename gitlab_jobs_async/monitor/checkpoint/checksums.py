"""Rows of a checkpoint with a checksum each: what a disk has changed is refused, never believed.

SQLite checks the structure of its file, and not what is in it. The checksum covers the name of a
row, too, so that no row can pass for another.
"""

from zlib import crc32

_SIZE = 4
_OFFSET_SIZE = 8


class ChecksumError(ValueError):
    """A row is not as it was written."""


def sealed(name: str, data: bytes) -> bytes:
    """*data* as it is written under *name*."""
    return _checksum(name, data) + data


def unsealed(name: str, stored: object) -> bytes:
    """What `sealed` was given.

    Raises:
        WrongChecksumError: it was something else.
    """
    if isinstance(stored, bytes) and len(stored) >= _SIZE:
        data = stored[_SIZE:]
        if stored[:_SIZE] == _checksum(name, data):
            return data
    raise ChecksumError(f"the row of {name!a} is not as it was written")


def sealed_offset(job_id: int, offset: int) -> bytes:
    """The byte *offset* of a job's log, as it is written."""
    return sealed(str(job_id), offset.to_bytes(_OFFSET_SIZE))


def unsealed_offset(job_id: int, stored: object) -> int:
    """What `sealed_offset` was given.

    Raises:
        WrongChecksumError: it was something else.
    """
    return int.from_bytes(unsealed(str(job_id), stored))


def _checksum(name: str, data: bytes) -> bytes:
    return crc32(data, crc32(name.encode(errors="replace") + b"\0")).to_bytes(_SIZE)
