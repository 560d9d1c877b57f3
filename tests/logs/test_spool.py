"""Chunks come out as they were added, few or many, and the file is deleted."""

import errno
import tempfile
from tempfile import SpooledTemporaryFile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async import TraceChunk, TraceInterruptedError
from gitlab_jobs_async.logs import spool as spooling
from gitlab_jobs_async.logs.spool import Spool


@given(st.integers(0, 10**9), st.lists(st.integers(1, 400_000), max_size=8))
def test_spool_returns_what_was_added(start, sizes):
    with Spool() as spool:
        offset, data = start, b""
        for size in sizes:
            piece = bytes([size % 256]) * size
            spool.add(TraceChunk(offset, piece))
            spool.add(None)
            offset, data = offset + size, data + piece
        emitted = list(spool.take())
    assert b"".join(chunk.data for chunk in emitted) == data
    for before, after in zip([TraceChunk(start, b""), *emitted], emitted, strict=False):
        assert after.offset == before.end


def test_empty_chunk_is_kept():
    with Spool() as spool:
        spool.add(TraceChunk(0, b""))
        assert list(spool.take()) == [TraceChunk(0, b"")]


def test_file_is_closed_with_the_block():
    with Spool() as spool:
        spool.add(TraceChunk(0, b"a" * 2_000_000))
        chunks = spool.take()
        assert next(chunks).data
    with pytest.raises(ValueError, match="closed"):
        next(chunks)


def test_emptied_spool_is_reused():
    with Spool() as spool:
        for offset, data in ((5, b"abc"), (8, b"d" * 3_000_000), (3_000_008, b"e")):
            spool.add(TraceChunk(offset, data))
            assert spool.size == len(data)
            assert b"".join(chunk.data for chunk in spool.take()) == data
            assert spool.size == 0
        assert list(spool.take()) == []
        spool.add(TraceChunk(0, b""))
        assert list(spool.take()) == [TraceChunk(0, b"")]


class FullDisk(SpooledTemporaryFile):
    """A file on a disk that is full after 2 MB."""

    def write(self, data):
        if self.tell() + len(data) > 2_000_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)

    def close(self):
        super().close()
        raise OSError(errno.ENOSPC, "No space left on device")


def test_full_disk_is_an_error_with_offset(monkeypatch):
    monkeypatch.setattr(spooling, "SpooledTemporaryFile", FullDisk)
    with Spool() as spool:
        spool.add(TraceChunk(100, b"a" * 1_900_000))
        assert sum(len(chunk.data) for chunk in spool.take()) == 1_900_000
        spool.add(TraceChunk(1_900_100, b"b" * 1_900_000))
        with pytest.raises(TraceInterruptedError, match="No space left on device") as full:
            spool.add(TraceChunk(3_800_100, b"c" * 1_900_000))
    assert full.value.offset == 1_900_100
    assert full.value.__cause__.errno == errno.ENOSPC


def test_missing_directory_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(TraceInterruptedError, match="No such file or directory"):
        with Spool() as spool:
            spool.add(TraceChunk(0, b"a" * 1_900_000))
