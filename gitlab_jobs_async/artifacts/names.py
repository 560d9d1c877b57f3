"""Names in a zip archive: the paths that entries are written to, and those that links point to.

Names follow section 4.4.17 of https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT.
"""

import re
import unicodedata
from itertools import takewhile
from typing import Final

from gitlab_jobs_async.errors import ArchiveError

LONGEST_TARGET: Final = 4096
"""Bytes of the path that a link points to, as Linux limits them."""

_SHOWN = 100
# Deep trees exceed the recursion limit of those who walk or delete them.
_MOST_PARTS = 100
_LONGEST_PART = 255
_DRIVE = re.compile(r"[A-Za-z]:")
# Names that Windows changes or reads as a device.
_RESERVED = re.compile(
    r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)( *\..*)?"
    r"|.*[<>:\"|?*\x01-\x1f].*|.*[. ]",
    re.IGNORECASE | re.DOTALL,
)


def entry_path(name: str, *, is_windows: bool) -> tuple[str, ...]:
    """Return the path of an entry below the directory, without `.`.

    Raises:
        ArchiveError: it is outside of the directory, or invalid.
    """
    parts = _parts(name)
    problem = _problem(name, parts, is_windows=is_windows)
    if problem is not None:
        raise ArchiveError(problem, name)
    return parts


def link_target(
    link: tuple[str, ...], target: bytes, name: str, *, is_windows: bool
) -> tuple[str, ...]:
    """Return the parts of the path that the link at path *link* points to.

    `..` is allowed in front only. A link lies in a real directory, so `..` leads to real ones, and
    the rest only descends: no chain of such links can lead out of the directory.

    Raises:
        ArchiveError: it may point outside of the directory, or the path is invalid.
    """
    text = target.decode(errors="replace")
    parts = _parts(text)
    ups = len(list(takewhile("..".__eq__, parts)))
    if not text or "\ufffd" in text:
        problem: str | None = "is empty or not UTF-8"
    elif ups >= len(link):
        problem = "leaves the directory by '..'"
    elif ".." in parts[ups:]:
        problem = "has '..' behind a name"
    else:
        problem = _problem(text, parts[ups:], is_windows=is_windows)
    if problem is not None:
        raise ArchiveError(f"points to {text[:_SHOWN]!r}, which {problem}", name)
    return parts


def fold(part: str) -> str:
    """Return a name as a file system that ignores case, composition and final dots would."""
    composed = unicodedata.normalize("NFC", part).casefold()
    return unicodedata.normalize("NFC", composed).rstrip(". ")


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split("/") if part not in {"", "."})


def _problem(path: str, parts: tuple[str, ...], *, is_windows: bool) -> str | None:
    """Return what is wrong with *path*, whose *parts* are to be below the directory."""
    if "\0" in path or "\\" in path:
        return "has a NUL or a backslash in its name"
    if path.startswith("/") or (parts and _DRIVE.match(parts[0])):
        return "has an absolute path"
    if ".." in parts:
        return "leaves the directory by '..'"
    if len(parts) > _MOST_PARTS:
        return f"is more than {_MOST_PARTS} levels deep"
    problems = (_part_problem(part, is_windows=is_windows) for part in parts)
    return next(filter(None, problems), None)


def _part_problem(part: str, *, is_windows: bool) -> str | None:
    if len(part.encode(errors="surrogatepass")) > _LONGEST_PART:
        return f"has a name of more than {_LONGEST_PART} bytes"
    if is_windows and _RESERVED.fullmatch(part):
        return f"has a name that Windows reserves: {part!r}"
    return None
