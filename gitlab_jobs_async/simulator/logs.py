"""Logs of jobs: given bytes, a repeated pattern, or the output of a runner.

A log is read by ranges and never copied whole, so that 64 MiB need little memory.
Formats follow gitlab-runner: common/buildlogger, helpers/build_section.go, shells/bash.go.
"""

import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final, Protocol, runtime_checkable

from attrs import field, frozen

PIECE: Final = 64 * 1024
_CLEAR: Final = b"\x1b[0K"
_RESET: Final = b"\x1b[0;m"
_GREEN: Final = b"\x1b[32;1m"


@runtime_checkable
class Log(Protocol):
    """Bytes that can be read by ranges."""

    @property
    def size(self) -> int:
        """The length in bytes."""

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes from `start` up to `stop`, in pieces."""


class LogScript(Protocol):
    """A generator of logs, given the time of the job's run."""

    def record(self, name: str, started_at: float, duration: float, outcome: str) -> Log:
        """Write the log of the job `name` that ran `duration` seconds from `started_at`."""


@frozen
class BytesLog:
    """A log of given bytes."""

    content: bytes = field(repr=False)

    @property
    def size(self) -> int:
        """The length in bytes."""
        return len(self.content)

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes from `start` up to `stop`, in pieces."""
        view = memoryview(self.content)
        for at in range(start, min(stop, len(view)), PIECE):
            yield bytes(view[at : min(at + PIECE, stop)])


@frozen
class RepeatedLog:
    """`pattern` repeated up to `size` bytes, of which one piece is kept in memory."""

    pattern: bytes
    size: int

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes from `start` up to `stop`, in pieces."""
        stop = min(stop, self.size)
        while start < stop:
            wanted = min(PIECE, stop - start)
            phase = start % len(self.pattern)
            repeats = (phase + wanted) // len(self.pattern) + 1
            yield (self.pattern * repeats)[phase : phase + wanted]
            start += wanted


@frozen(kw_only=True)
class RunnerScript:
    """A log as a runner writes it: sections, colours, commands and their output.

    Attributes:
        lines: number of output lines.
        timestamps: write the 32-byte header before each line (default in current runners).
        progress: number of progress bars (lines rewritten by carriage returns) among them.
        words: commands and their output lines, printed once each; the last command repeats its
            lines at random until the log ends. `<subject>`, `<case>`, `<number>` and `<percent>`
            are replaced.
        failure: the last lines of a failed job's script.
        seed: the same seed writes the same log.
    """

    lines: int = 24
    timestamps: bool = True
    progress: int = 1
    words: Mapping[str, tuple[str, ...]] = field(factory=lambda: dict(_COMMANDS))
    failure: tuple[str, ...] = field(factory=lambda: _FAILURE)
    seed: int = 0

    def record(self, name: str, started_at: float, duration: float, outcome: str) -> Log:
        """Write the log of the job `name` that ran `duration` seconds from `started_at`."""
        writer = _Writer(self, name, started_at, duration)
        return BytesLog(writer.written(outcome))


_COMMANDS: Final[dict[str, tuple[str, ...]]] = {
    "pip install -e '.[dev]'": (
        "Obtaining file:///builds/shop/app",
        "Collecting aiohttp>=3.14",
        "Collecting attrs>=24.2",
        "Collecting orjson>=3.10",
        "Installing collected packages: orjson, attrs, aiohttp, app",
        "Successfully installed aiohttp-3.14.5 app-2.4.0 attrs-26.1.0 orjson-3.13.0",
    ),
    "ruff check .": ("\x1b[1;32mAll checks passed!\x1b[0m",),
    "pytest -v": (
        *("tests/test_<subject>.py::test_<case> \x1b[32mPASSED\x1b[0m [<percent>%]",) * 12,
        "tests/test_<subject>.py::test_<case> \x1b[33mSKIPPED\x1b[0m (no browser) [<percent>%]",
        "tests/test_<subject>.py::test_naïve_<case> \x1b[32mPASSED\x1b[0m [<percent>%]",
        "\x1b[33mWARNING\x1b[0m <subject>: attempt <number> took 2.31 s",
        "INFO  <subject>: großer Warenkorb mit <number> Artikeln ✓",
    ),
}
_FAILURE: Final[tuple[str, ...]] = (
    "\x1b[31mE       assert Decimal('12.49') == Decimal('12.50')\x1b[0m",
    "\x1b[31mFAILED\x1b[0m tests/test_cart.py::test_rounds_to_the_cent - AssertionError",
    "\x1b[31m=== 1 failed, 211 passed in 12.31s ===\x1b[0m",
)
_SUBJECTS: Final = ("orders", "cart", "payment", "shipping", "search", "accounts", "refunds", "api")
_CASES: Final = (
    "accepts_a_valid_request",
    "refuses_an_empty_one",
    "keeps_its_order",
    "survives_a_restart",
    "rounds_to_the_cent",
    "is_idempotent",
    "respects_the_limit",
    "tells_who_did_it",
)
_ENDINGS: Final = {
    "success": _GREEN + b"Job succeeded" + _RESET,
    "failed": b"\x1b[31;1mERROR: Job failed: exit code 1" + _RESET,
    "canceled": b"\x1b[31;1mERROR: Job failed: canceled" + _RESET,
}
_OPENING: Final = ("prepare_executor", "prepare_script", "get_sources")
_TITLES: Final = {
    "prepare_executor": 'Preparing the "docker" executor',
    "prepare_script": "Preparing environment",
    "get_sources": "Getting source from Git repository",
    "step_script": 'Executing "step_script" stage of the job script',
    "cleanup_file_variables": "Cleaning up project directory and file based variables",
}


class _Writer:
    """Writes one log: lines with their times and headers."""

    def __init__(self, script: RunnerScript, name: str, started_at: float, duration: float) -> None:
        self._script = script
        self._started_at = started_at
        self._duration = duration
        self._random = random.Random(f"{script.seed}/{name}")  # noqa: S311 - no secret
        self._done = 0.0
        self._out: list[bytes] = []

    def written(self, outcome: str) -> bytes:
        self._line(b"Running with gitlab-runner 19.4.0 (f3a1c2d9)", stream="00O")
        for section in _OPENING:
            self._section(section, share=0.01)
        self._open("step_script")
        self._commands()
        for text in self._script.failure if outcome == "failed" else ():
            self._line(text.encode())
        self._close("step_script")
        self._section("cleanup_file_variables", share=0.0)
        self._line(_ENDINGS.get(outcome, _ENDINGS["success"]), stream="00O")
        return b"".join(self._out)

    def _commands(self) -> None:
        lines = max(1, self._script.lines)
        bars = set(self._random.sample(range(lines), min(self._script.progress, lines)))
        for index, (command, text) in enumerate(self._output(lines)):
            if command:
                self._line(_GREEN + f"$ {command}".encode() + _RESET)
            self._done += 0.95 / lines
            self._bar() if index in bars else self._line(self._filled(text, index, lines))

    def _output(self, lines: int) -> Iterator[tuple[str, str]]:
        """Yield output lines, each with the command that starts at it, or ""."""
        *first, (last, choice) = self._script.words.items()
        for command, output in first:
            for number, text in enumerate(output[:lines]):
                yield ("" if number else command), text
            lines -= len(output[:lines])
        for number in range(lines):
            yield ("" if number else last), self._random.choice(choice or ("",))

    def _filled(self, text: str, index: int, lines: int) -> bytes:
        blanks = {
            "<subject>": self._random.choice(_SUBJECTS),
            "<case>": self._random.choice(_CASES),
            "<number>": str(index),
            "<percent>": f"{100 * (index + 1) // lines:3d}",
        }
        for blank, filling in blanks.items():
            text = text.replace(blank, filling)
        return text.encode()

    def _bar(self) -> None:
        for percent in (25, 50, 75):
            self._raw(f"Downloading layers {percent:3d}%\r".encode(), glued=percent != 25)
        self._raw(b"Downloading layers 100%", glued=True)

    def _section(self, name: str, *, share: float) -> None:
        self._open(name)
        self._done += share
        self._line(f"{_TITLES[name].split()[0]} done".encode(), stream="00O")
        self._close(name)

    def _open(self, name: str) -> None:
        at = int(self._now())
        self._raw(f"section_start:{at}:{name}\r".encode() + _CLEAR, stream="00O")
        title = b"\x1b[36;1m" + _TITLES[name].encode() + b"\x1b[0;m" + _RESET
        self._raw(_CLEAR + title, stream="00O", glued=True)

    def _close(self, name: str) -> None:
        self._raw(f"section_end:{int(self._now())}:{name}\r".encode() + _CLEAR, stream="00O")

    def _now(self) -> float:
        return self._started_at + self._duration * min(self._done, 1.0)

    def _line(self, text: bytes, *, stream: str = "01O") -> None:
        self._raw(text, stream=stream)

    def _raw(self, text: bytes, *, stream: str = "01O", glued: bool = False) -> None:
        if self._script.timestamps:
            at = datetime.fromtimestamp(self._now(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            self._out.append(f"{at} {stream}{'+' if glued else ' '}".encode() + text + b"\n")
        elif text.endswith((b"\r", _CLEAR)):
            self._out.append(text)
        else:
            self._out.append(text + b"\n")
