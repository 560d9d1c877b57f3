"""Unit tests of decompression: the whole body, or an error if it is truncated."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.http.decompression import (
    TruncatedBodyError,
    UnknownEncodingError,
    decoder_for,
)


def decode(encoding, *chunks):
    decoder = decoder_for(encoding)
    pieces = [piece for chunk in chunks for piece in decoder.feed(chunk)]
    decoder.finish()
    return b"".join(pieces)


def raw(data):
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


@given(st.binary(max_size=500), st.lists(st.integers(1, 50), max_size=9))
@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("", bytes),
        ("identity", bytes),
        ("gzip", gzip.compress),
        (" X-Gzip ", gzip.compress),
        ("gzip", lambda data: gzip.compress(data[:7]) + gzip.compress(data[7:])),
        ("deflate", zlib.compress),
        ("deflate", gzip.compress),
        ("deflate", raw),
        ("identity, gzip", gzip.compress),
        (",gzip,", gzip.compress),
        ("gzip", lambda data: gzip.compress(data) + bytes(512)),
        ("gzip", lambda data: gzip.compress(b"") * 300 + gzip.compress(data)),
    ],
)
def test_body_is_read_in_any_chunks(encoding, compress, data, cuts):
    body, chunks = compress(data), []
    for size in cuts:
        chunks.append(body[:size])
        body = body[size:]
    assert decode(encoding, *chunks, body) == data


@given(st.binary(max_size=500), st.data())
def test_truncated_gzip_raises(content, data):
    body = gzip.compress(content)
    end = data.draw(st.integers(1, len(body) - 1))
    with pytest.raises(TruncatedBodyError, match="truncated compressed body"):
        decode("gzip", body[:end])


def test_an_empty_body_is_empty_in_any_encoding():
    assert decode("gzip") == b""


def test_uncompressed_body_raises():
    with pytest.raises(TruncatedBodyError, match="invalid compressed body"):
        decode("gzip", b"<html>")


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "gzip,br", "x", "gzip;q=1"])
def test_unexpected_encoding_raises(encoding):
    with pytest.raises(UnknownEncodingError, match="unexpected Content-Encoding"):
        decoder_for(encoding)


def test_a_bomb_comes_in_small_pieces():
    pieces = decoder_for("gzip").feed(gzip.compress(bytes(20_000_000)))
    assert max(len(piece) for piece in pieces) <= 256 * 1024


def test_empty_members_take_many_steps():
    # Thousands of them fit into one read of the socket, and other tasks must run in between.
    steps = list(decoder_for("gzip").feed(gzip.compress(b"") * 5000))
    assert len(steps) >= 5000


@pytest.mark.parametrize(
    "body",
    [b"\x78", raw(b"x" * 500)[:-1], zlib.compress(b"x" * 500)[:-1]],
    ids=["byte", "raw", "zlib"],
)
def test_truncated_deflate_raises(body):
    with pytest.raises(TruncatedBodyError, match="truncated compressed body"):
        decode("deflate", body)


@pytest.mark.parametrize(
    "body",
    [b"<html>", b"\x1f\x8b\x00\x00", gzip.compress(b"a") + b"<html>"],
    ids=["page", "head", "tail"],
)
def test_garbage_is_an_error(body):
    with pytest.raises(TruncatedBodyError, match="invalid compressed body"):
        decode("gzip", body)
