"""Compressed bodies -> the bytes themselves; a body cut short is told apart from a whole one."""

import zlib
from collections.abc import Iterator

from attrs import define, field

ACCEPTED = "gzip"
"""What we ask for: unlike the others it ends in a checksum and a length."""

_LARGEST_PIECE = 1024 * 1024


class CutShortError(Exception):
    """The body ended before the compressed data did, or it is none."""


class UnknownEncodingError(Exception):
    """The body is encoded in a way that was not asked for."""


def decoder_for(encoding: str) -> "Plain | Gzip":
    """What reads a body with this `Content-Encoding`.

    Raises:
        UnknownEncodingError: it is one that was not asked for.
    """
    match encoding.strip().lower():
        case "" | "identity":
            return Plain()
        case "gzip" | "x-gzip" | "deflate":
            return Gzip()
        case _:
            raise UnknownEncodingError(f"a body encoded as {encoding[:40]!r}, not asked for")


@define
class Plain:
    """A body as it is."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The bytes in *data*, in pieces."""
        yield data

    def finish(self) -> None:
        """Nothing can be missing."""


@define
class Gzip:
    """A gzip body, of one member or several, or a zlib one."""

    _inflate: "zlib._Decompress" = field(factory=lambda: zlib.decompressobj(47))
    _is_empty: bool = True

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The bytes in *data*, in pieces of a megabyte at most.

        Raises:
            CutShortError: it is not compressed data.
        """
        try:
            while data:
                self._is_empty = False
                if self._inflate.eof:
                    self._inflate = zlib.decompressobj(47)
                piece = self._inflate.decompress(data, _LARGEST_PIECE)
                data = self._inflate.unconsumed_tail or self._inflate.unused_data
                if piece:
                    yield piece
        except zlib.error as error:
            raise CutShortError(f"a compressed body that is broken ({error})") from None

    def finish(self) -> None:
        """Check that nothing is missing.

        Raises:
            CutShortError: the compressed data goes on after the body's end.
        """
        if not self._is_empty and not self._inflate.eof:
            raise CutShortError("a compressed body that was cut short")
