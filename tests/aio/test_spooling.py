"""Chunks come out as they went in, few or many, and nothing of them stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async import TraceChunk
from gitlab_jobs_async.aio.spooling import Spool


@given(st.integers(0, 10**9), st.lists(st.integers(1, 400_000), max_size=8))
def test_what_went_in_comes_out(start, sizes):
    with Spool() as spool:
        offset, data = start, b""
        for size in sizes:
            piece = bytes([size % 256]) * size
            spool.add(TraceChunk(offset, piece))
            spool.add(None)
            offset, data = offset + size, data + piece
        assert spool.has_any == bool(sizes)
        told = list(spool.chunks())
    assert b"".join(chunk.data for chunk in told) == data
    for before, after in zip([TraceChunk(start, b""), *told], told, strict=False):
        assert after.offset == before.end


def test_an_empty_chunk_is_told_too():
    with Spool() as spool:
        spool.add(TraceChunk(0, b""))
        assert list(spool.chunks()) == [TraceChunk(0, b"")]


def test_its_file_is_closed_with_its_block():
    with Spool() as spool:
        spool.add(TraceChunk(0, b"a" * 2_000_000))
        chunks = spool.chunks()
        assert next(chunks).data
    with pytest.raises(ValueError, match="closed"):
        next(chunks)
