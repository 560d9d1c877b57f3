"""Compressed bodies -> the bytes themselves; a body cut short is told apart from a whole one."""

import zlib
from collections.abc import Iterator

from attrs import define, field

ACCEPTED = "gzip"
"""What we ask for: unlike the others it ends in a checksum and a length."""

LARGEST_PIECE = 256 * 1024
_LARGEST_STEP = 16 * 1024
"""Bytes decompressed at once: thousands of empty members fit into few."""

_GZIP_OR_ZLIB = 47
_RAW_DEFLATE = -15
_GZIP = b"\x1f\x8b"


class TruncatedBodyError(Exception):
    """The body ended before the compressed data did, or it is none."""


class UnknownEncodingError(Exception):
    """The body is encoded in a way that was not asked for."""


def decoder_for(encoding: str) -> "Identity | Gzip":
    """What reads a body with this `Content-Encoding`.

    Raises:
        UnknownEncodingError: it is one that was not asked for.
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
            raise UnknownEncodingError(f"a body encoded as {encoding[:40]!r}, not asked for")


@define
class Identity:
    """A body as it is."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The bytes in *data*, in pieces."""
        yield data

    def finish(self) -> None:
        """Nothing can be missing."""


def _looks_like_zlib(data: bytes) -> bool:
    """RFC 1950 2.2: compression method 8, and a header that divides by 31."""
    return data[0] & 15 == 8 and int.from_bytes(data[:2]) % 31 == 0


@define
class Gzip:
    """A gzip body, of one member or several, or a zlib one.

    With *may_be_raw* also deflate without a header, as some servers send it and browsers take it.
    """

    may_be_raw: bool = False
    _inflate: "zlib._Decompress" = field(factory=lambda: zlib.decompressobj(_GZIP_OR_ZLIB))
    _is_empty: bool = True
    _begun: bytes = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The bytes in *data*, in pieces of at most `LARGEST_PIECE`, some of them empty.

        Each piece is a moment's work, so that others can be let to theirs in between.

        Raises:
            CutShortError: it is not compressed data.
        """
        for start in range(0, len(data), _LARGEST_STEP):
            step = data[start : start + _LARGEST_STEP]
            if self.may_be_raw:
                step = self._begun = self._begun + step
                if len(step) < 2:
                    continue
                self.may_be_raw = False
                if not _looks_like_zlib(step) and not step.startswith(_GZIP):
                    self._inflate = zlib.decompressobj(_RAW_DEFLATE)
            while step:
                piece, step = self._inflated(step)
                yield piece

    def _inflated(self, data: bytes) -> tuple[bytes, bytes]:
        """The next piece, and what of *data* is left."""
        if self._inflate.eof:
            # Padding of zeros, which gzip itself leaves out, too.
            data = data.lstrip(b"\0")
            if not data:
                return b"", b""
            self._inflate = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._is_empty = False
        try:
            piece = self._inflate.decompress(data, LARGEST_PIECE)
        except zlib.error as error:
            raise TruncatedBodyError(f"a compressed body that is broken ({error})") from None
        return piece, self._inflate.unconsumed_tail or self._inflate.unused_data

    def finish(self) -> None:
        """Check that nothing is missing.

        Raises:
            CutShortError: the compressed data goes on after the body's end.
        """
        if (not self._is_empty and not self._inflate.eof) or (self.may_be_raw and self._begun):
            raise TruncatedBodyError("a compressed body that was cut short")
