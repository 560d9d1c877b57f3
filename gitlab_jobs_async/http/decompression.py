"""Decompress bodies, and detect truncated ones."""

import zlib
from collections.abc import Iterator

from attrs import define, field

# Unlike other encodings, gzip ends in a checksum and a length.
ACCEPTED = "gzip"

LARGEST_PIECE = 256 * 1024
# Bytes decompressed at once: thousands of empty members fit into few.
_LARGEST_STEP = 16 * 1024

# zlib's window bits: 32 + 15 detects gzip or zlib, -15 is deflate without a header.
_GZIP_OR_ZLIB = 47
_RAW_DEFLATE = -15
_GZIP = b"\x1f\x8b"


class TruncatedBodyError(Exception):
    """The compressed data of a body is invalid or incomplete."""


class UnknownEncodingError(Exception):
    """The encoding of a body was not requested."""


def decoder_for(encoding: str) -> "Identity | Gzip":
    """Return a decoder for this `Content-Encoding`.

    Raises:
        UnknownEncodingError: the encoding was not requested.
    """
    codings = [coding.strip().lower() for coding in encoding.split(",")]
    match [coding for coding in codings if coding not in {"", "identity"}]:
        case []:
            return Identity()
        case ["gzip" | "x-gzip"]:
            return Gzip()
        case ["deflate"]:
            return Gzip(may_be_raw=True)
        case _:
            reason = f"unexpected Content-Encoding {encoding[:40]!r}: expected gzip"
            raise UnknownEncodingError(reason)


@define(eq=False, repr=False)
class Identity:
    """Decoder of a body without an encoding."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield *data*."""
        yield data

    def finish(self) -> None:
        """Accept any end."""


def _looks_like_zlib(data: bytes) -> bool:
    # RFC 1950 2.2: compression method 8, and a header that is divisible by 31.
    return data[0] & 15 == 8 and int.from_bytes(data[:2]) % 31 == 0


@define(eq=False, repr=False)
class Gzip:
    """Decoder of gzip, with one member or several, and of zlib.

    With *may_be_raw* also of deflate without a header, which some servers send.
    """

    may_be_raw: bool = False
    _inflate: "zlib._Decompress" = field(factory=lambda: zlib.decompressobj(_GZIP_OR_ZLIB))
    _is_empty: bool = True
    _head: bytes = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the bytes in *data*, in pieces of at most `LARGEST_PIECE`; some are empty.

        Each piece takes little time, so that other tasks can run in between.

        Raises:
            TruncatedBodyError: *data* is not compressed data.
        """
        for start in range(0, len(data), _LARGEST_STEP):
            step = data[start : start + _LARGEST_STEP]
            if self.may_be_raw:
                step = self._head = self._head + step
                if len(step) < 2:
                    continue
                self.may_be_raw = False
                if not _looks_like_zlib(step) and not step.startswith(_GZIP):
                    self._inflate = zlib.decompressobj(_RAW_DEFLATE)
            while step:
                piece, step = self._inflated(step)
                yield piece

    def _inflated(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the next piece, and the rest of *data*."""
        if self._inflate.eof:
            # Padding of zeros, which gzip itself skips, too.
            data = data.lstrip(b"\0")
            if not data:
                return b"", b""
            self._inflate = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._is_empty = False
        try:
            piece = self._inflate.decompress(data, LARGEST_PIECE)
        except zlib.error as error:
            raise TruncatedBodyError(f"invalid compressed body: {error}") from None
        return piece, self._inflate.unconsumed_tail or self._inflate.unused_data

    def finish(self) -> None:
        """Check that the data is complete.

        Raises:
            TruncatedBodyError: the compressed data does not end with the body.
        """
        if (not self._is_empty and not self._inflate.eof) or (self.may_be_raw and self._head):
            raise TruncatedBodyError("truncated compressed body")
