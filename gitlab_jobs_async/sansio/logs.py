"""Trace bytes -> LogLines, however the bytes are cut; nothing but colours survives in a line.

The format is the runner's: 32 bytes of timestamp and stream before each line
(common/buildlogger/internal/timestamper), section markers (helpers/build_section.go), and ANSI
with carriage returns as GitLab's own pages read them (lib/gitlab/ci/ansi2json).
"""

import re
from datetime import datetime

from attrs import define, field, frozen

from gitlab_jobs_async.models import LogLine

_HEADER = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z ([0-9a-f]{2})([OE])([ +])")
_HEADER_SIZE = 32
_TIMESTAMP_SIZE = 27
_STREAMS = {b"O": "stdout", b"E": "stderr"}

_RUNNER_BUFFER = 8192
"""Bytes after which the runner cuts a line and continues it with a `+` line."""

_SECTION = re.compile(
    r"section_(start|end):\d{1,20}:([a-zA-Z0-9_.-]{1,255})(?:\[[^\[\]\r\n]{0,1024}\])?\r\x1b\[0K"
)
_MOST_OPEN = 64
"""Sections open at once; deeper ones are not told, so that no job can make a line cost more."""

_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
_ESCAPE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movement, erasing
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|\x9c|$)"  # OSC, DCS, SOS, PM, APC: titles, links, clipboard
    r"|\x1b[ -/]*[0-~]?"
    r"|[\x00-\x08\x0a-\x1f\x7f-\x9f]",
    re.DOTALL,
)


@frozen
class _Piece:
    """What a line of the trace says, when, and on which stream of the job."""

    data: bytes
    at: datetime | None = None
    stream: bytes = b""


@define
class LogParser:
    """Reads one log from its first byte on; keeps only what may still grow or be continued."""

    _unread: bytearray = field(factory=bytearray)
    _is_timestamped: bool | None = None
    _open: dict[bytes, list[_Piece]] = field(factory=dict)
    _sections: tuple[str, ...] = ()
    _too_deep: int = 0
    _number: int = 0

    def feed(self, data: bytes) -> list[LogLine]:
        """The lines that *data*, the next bytes of the trace, completes."""
        searched = len(self._unread)
        self._unread += data
        end = self._unread.rfind(b"\n", searched)
        if end < 0:
            return []
        whole = bytes(self._unread[:end])
        del self._unread[: end + 1]
        lines = [line for physical in whole.split(b"\n") for line in self._take(physical)]
        return [line for line in lines if line is not None]

    def close(self) -> list[LogLine]:
        """The lines that the end of the trace completes."""
        lines = self._take(bytes(self._unread)) if self._unread else []
        self._unread.clear()
        lines += [self._finish(pieces) for pieces in self._open.values()]
        self._open.clear()
        return [line for line in lines if line is not None]

    def _take(self, physical: bytes) -> list[LogLine | None]:
        piece, continues = self._read_header(physical)
        if self._is_timestamped is None:
            self._is_timestamped = piece is not None
        if piece is None:
            return [self._finish([_Piece(physical)])]
        return self._glue(piece, continues=continues)

    def _read_header(self, physical: bytes) -> tuple[_Piece | None, bool]:
        header = None if self._is_timestamped is False else _HEADER.match(physical)
        if header is None:
            return None, False
        try:
            at = datetime.fromisoformat(physical[:_TIMESTAMP_SIZE].decode())
        except ValueError:
            return None, False
        stream, kind, flag = header.groups()
        return _Piece(physical[_HEADER_SIZE:], at, stream + kind), flag == b"+"

    def _glue(self, piece: _Piece, *, continues: bool) -> list[LogLine | None]:
        """Hold back a line that the runner may continue; only a cut or a CR makes it do so."""
        pieces = self._open.pop(piece.stream, [])
        finished: list[LogLine | None] = []
        if pieces and not continues:
            finished.append(self._finish(pieces))
            pieces = []
        pieces.append(piece)
        if b"\r" in piece.data or len(piece.data) >= _RUNNER_BUFFER:
            self._open[piece.stream] = pieces
        else:
            finished.append(self._finish(pieces))
        return finished

    def _finish(self, pieces: list[_Piece]) -> LogLine | None:
        text = b"".join(piece.data for piece in pieces).decode(errors="replace")
        parts, section = self._read_sections(text)
        kept = "".join(parts)
        if len(parts) > 1 and not _ESCAPE.sub("", kept):
            return None
        raw = _ESCAPE.sub(_only_colour, kept.rstrip("\r").rpartition("\r")[2])
        self._number += 1
        return LogLine(
            number=self._number,
            text=_COLOUR.sub("", raw),
            raw=raw,
            at=pieces[0].at,
            stream=_STREAMS.get(pieces[0].stream[2:]),
            section=section,
        )

    def _read_sections(self, text: str) -> tuple[list[str], tuple[str, ...]]:
        """What stands between the markers, and the sections open where it first says a thing."""
        parts: list[str] = []
        path: tuple[str, ...] | None = None
        end = 0
        for marker in _SECTION.finditer(text):
            parts.append(text[end : marker.start()])
            if path is None and _ESCAPE.sub("", parts[-1]).strip():
                path = self._sections
            self._mark(marker[1], marker[2])
            end = marker.end()
        parts.append(text[end:])
        return parts, self._sections if path is None else path

    def _mark(self, which: str, name: str) -> None:
        if which == "start":
            if len(self._sections) < _MOST_OPEN:
                self._sections = (*self._sections, name)
            else:
                self._too_deep += 1
        elif self._too_deep:
            self._too_deep -= 1
        elif name in self._sections:
            last = len(self._sections) - 1 - self._sections[::-1].index(name)
            self._sections = self._sections[:last]


def _only_colour(escape: re.Match[str]) -> str:
    return escape[0] if _COLOUR.fullmatch(escape[0]) else ""
