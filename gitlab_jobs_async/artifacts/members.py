"""Decide which entries of a zip archive are written where; refuse an archive that is not safe.

The runner writes archives in commands/helpers/archive of
https://gitlab.com/gitlab-org/gitlab-runner. The content of a symbolic link is its target.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, get_args

from attrs import define, field, frozen

from gitlab_jobs_async.artifacts.names import LONGEST_TARGET, entry_path, fold
from gitlab_jobs_async.errors import ArchiveError

_ENCRYPTED = 0x0001 | 0x0040 | 0x2000
_METHODS = {0: "stored", 8: "deflated"}
_LOCAL_HEADER = 30
# File types of Unix modes; 0 is that of an archive made elsewhere.
_TYPE, _LINK, _DIRECTORY, _FILE = 0o170000, 0o120000, 0o040000, 0o100000
_EXECUTABLE = 0o111
_REFUSED = 'is a symbolic link: expected a file or directory, or links "create" or "skip"'
_SHOWN = 255

Links = Literal["refuse", "skip", "create"]
"""What to do with symbolic links."""

Kind = Literal["file", "directory", "link"]


@frozen(eq=False)
class Member:
    """One entry of an archive as its central directory states it; sizes and *offset* in bytes."""

    name: str
    size: int
    packed: int
    offset: int
    flags: int
    method: int
    mode: int


@frozen
class UnpackLimits:
    """The most bytes that may be written, the most files and directories, and whether links are.

    Raises:
        ValueError, TypeError: a limit is not a whole number from 1, or *links* is unknown.
    """

    max_size: int = field()
    max_files: int = field()
    links: Links = field(default="refuse")

    @max_size.validator
    @max_files.validator
    def _positive(self, attribute: object, value: object) -> None:
        name = getattr(attribute, "name", "")
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{name} must be a whole number, not {value!r}")
        if value < 1:
            raise ValueError(f"{name} must be at least 1, not {value!r}")

    @links.validator
    def _known(self, _attribute: object, value: object) -> None:
        if value not in get_args(Links):
            raise ValueError(f"links must be one of {get_args(Links)}, not {value!r}")


@frozen
class Output:
    """A file, directory or link to write: *index* is that of its entry, *parts* its path."""

    index: int
    parts: tuple[str, ...]
    kind: Kind
    size: int
    is_executable: bool


def plan_outputs(
    members: Sequence[Member], limits: UnpackLimits, *, end: int, is_windows: bool
) -> list[Output]:
    """Return what to write for *members*, whose data end at byte *end* of the archive.

    Raises:
        ArchiveError: an entry is unsafe, or the archive exceeds *limits*.
    """
    if len(members) > limits.max_files:
        raise ArchiveError(f"expected at most {limits.max_files} entries, got {len(members)}")
    _check_overlaps(members, end)
    tree = _Tree(limits.max_files)
    outputs = list(_outputs(members, tree, limits, is_windows=is_windows))
    size = sum(output.size for output in outputs)
    if size > limits.max_size:
        raise ArchiveError(f"expected at most {limits.max_size} bytes unpacked, got {size}")
    return outputs


def _outputs(
    members: Iterable[Member], tree: "_Tree", limits: UnpackLimits, *, is_windows: bool
) -> Iterator[Output]:
    for index, member in enumerate(members):
        _check_content(member)
        parts = entry_path(member.name, is_windows=is_windows)
        kind = _kind_of(member)
        if kind == "link" and limits.links == "refuse":
            raise ArchiveError(_REFUSED, member.name)
        if kind == "link" and limits.links == "skip":
            continue
        if not parts and kind != "directory":
            raise ArchiveError("has no file name", member.name)
        if parts:
            tree.add(parts, member.name, is_directory=kind == "directory")
            is_executable = bool(member.mode & _EXECUTABLE)
            yield Output(index, parts, kind, member.size, is_executable)


def _kind_of(member: Member) -> Kind:
    is_directory = member.name.endswith("/")
    file_type = member.mode & _TYPE
    if file_type == _LINK and not is_directory:
        if member.size > LONGEST_TARGET:
            reason = f"points to a path of {member.size} bytes: expected at most {LONGEST_TARGET}"
            raise ArchiveError(reason, member.name)
        return "link"
    if file_type not in {0, _DIRECTORY if is_directory else _FILE}:
        what = f"a special file (mode {member.mode:o})"
        raise ArchiveError(f"is {what}: expected a file or directory", member.name)
    if is_directory and member.size:
        raise ArchiveError(f"is a directory of {member.size} bytes", member.name)
    return "directory" if is_directory else "file"


def _check_content(member: Member) -> None:
    if member.flags & _ENCRYPTED:
        raise ArchiveError("is encrypted", member.name)
    if member.method not in _METHODS:
        expected = " or ".join(_METHODS.values())
        reason = f"has compression method {member.method}: expected {expected}"
        raise ArchiveError(reason, member.name)
    if member.method == 0 and member.size != member.packed:
        raise ArchiveError(f"is stored in {member.packed} of {member.size} bytes", member.name)


def _check_overlaps(members: Sequence[Member], end: int) -> None:
    """Refuse entries that share bytes: small archives of them unpack to any size."""
    by_offset = sorted(members, key=lambda member: member.offset)
    # Of two archives in one file, or one in a comment, each program would read another.
    if (start := by_offset[0].offset if by_offset else end) > 0:
        raise ArchiveError(f"has {start} bytes before its first entry")
    free_from = 0
    for member in by_offset:
        if member.offset < free_from:
            raise ArchiveError("overlaps another entry", member.name)
        free_from = member.offset + _LOCAL_HEADER + member.packed
        if free_from > end:
            raise ArchiveError("ends outside of the archive", member.name)


@define(eq=False, repr=False)
class _Tree:
    """The paths of an archive, as a file system that ignores case would see them."""

    _most: int
    # By folded path: its spelling, and whether it is a directory.
    _known: dict[tuple[str, ...], tuple[tuple[str, ...], bool]] = field(init=False, factory=dict)

    def add(self, parts: tuple[str, ...], name: str, *, is_directory: bool) -> None:
        """Add a path and its parents.

        Raises:
            ArchiveError: it collides with another path, or there are too many.
        """
        folded = tuple(map(fold, parts))
        for depth in range(1, len(parts) + 1):
            is_inner = depth < len(parts) or is_directory
            here = (parts[:depth], is_inner)
            before = self._known.setdefault(folded[:depth], here)
            if before is here:
                if len(self._known) > self._most:
                    reason = f"expected at most {self._most} files and directories"
                    raise ArchiveError(reason)
            elif not is_inner or before != here:
                shown = "/".join(before[0])[:_SHOWN]
                raise ArchiveError(f"collides with {shown!r}", name)
