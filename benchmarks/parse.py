"""How fast a log becomes LogLines: plain logs, and as new runners write, judged by CPU time.

In chunks of 16 KiB, as a followed log is parsed, and of 1 KiB, as polls of a quiet log bring them.
The speed is given in parts of that of the least that has to be done, `bytes.splitlines` and
`decode` of each line, on the same log in turns. Each log is parsed with CR LF for LF, too.
"""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from attrs import frozen

from benchmarks.measuring import interleaved, ratio, wall_ratio
from benchmarks.results import Row, Size, Table
from gitlab_jobs_async.logs.parser import LogParser
from gitlab_jobs_async.simulator import RunnerScript

MEGABYTE = 1_000_000
CHUNK = 16 * 1024
"""Bytes a chunk: what `logs.follow` parses before it yields to the loop."""

SHORT = 1024
"""Bytes of a poll that finds a few lines."""


def compiler_log(size: int) -> bytes:
    """Return the output of a build: no colours or carriage returns, lines of all lengths."""
    chance, lines, written = random.Random(1), [], 0
    while written < size:
        name = "/".join(chance.choices(("src", "core", "net", "http", "tests", "v2"), k=4))
        kind = chance.choice(("", "", " -O2 -g -Wall -Wextra -fPIC -Iinclude -DNDEBUG"))
        line = (
            f"[{written * 100 // size:3d}%] Building CXX object {name}/file{written}.cpp.o{kind}\n"
        )
        lines.append(line)
        written += len(line)
    return "".join(lines).encode()


def test_log(size: int, *, timestamps: bool) -> bytes:
    """Return the log of a test run: sections, progress bars, colours in most lines."""
    lines = size // (100 if timestamps else 66)
    script = RunnerScript(lines=lines, timestamps=timestamps, progress=lines // 200)
    log = script.record("bench", 1_750_000_000.0, 3600.0, "success")
    return b"".join(log.read(0, log.size))


def stamp(number: int) -> bytes:
    """Return the time of a line of that number; each differs, as in a real log."""
    at = datetime(2025, 6, 15, tzinfo=UTC) + timedelta(microseconds=12_467 * number)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ ").encode()


def progress_log(size: int, *, timestamps: bool) -> bytes:
    """Return a log of downloads: 20 states of a bar that overwrite each other, then five lines."""
    lines, written, number = [], 0, 0
    while written < size:
        states = [
            b"\r\x1b[K %3d%% |%-20s| %d.%d MB" % (done, b"#" * (done // 5), done, number % 10)
            for done in range(0, 100, 5)
        ]
        files = [b"Installing file %d of package %d" % (n, number) for n in range(5)]
        if timestamps:
            first = b"01O Downloading package %d\r" % number
            bar = [b"01O+" + state[1:] + b"\r" for state in states]
            records = [first, *bar, b"01O+\x1b[Kdone", *(b"01O " + file for file in files)]
            written += sum(28 + len(record) + 1 for record in records)
            lines += [stamp(27 * number + n) + record for n, record in enumerate(records)]
        else:
            lines += [b"Downloading package %d" % number + b"".join(states), *files]
            written += sum(len(line) + 1 for line in lines[-6:])
        number += 1
    return b"\n".join(lines) + b"\n"


def section_log(size: int) -> bytes:
    """Return a timestamped log of many small sections, each with a few lines, some coloured."""
    lines, written, number = [], 0, 0
    while written < size:
        body = [
            b"00O section_start:1750000000:step_%d[collapsed=true]\r\x1b[0K" % number,
            b"00O+\x1b[0K\x1b[36;1mStep %d\x1b[0;m" % number,
            *(
                b"01O tests/test_cart.py::test_rounds_to_the_cent_%d took 0.31 s" % n
                for n in range(8)
            ),
            b"01O \x1b[32mPASSED\x1b[0m tests/test_orders.py::test_refuses_an_empty_one",
            b"01E WARNING orders: attempt %d took 2.31 s, which is long" % number,
            b"00O section_end:1750000003:step_%d\r\x1b[0K" % number,
        ]
        section = b"".join(stamp(13 * number + n) + line + b"\n" for n, line in enumerate(body))
        lines.append(section)
        written += len(section)
        number += 1
    return b"".join(lines)


def parse(log: bytes, chunk: int = CHUNK) -> int:
    """Return the number of lines of *log*; none is kept, as a follower keeps none."""
    parser = LogParser()
    chunks = (log[at : at + chunk] for at in range(0, len(log), chunk))
    return sum(len(parser.feed(chunk)) for chunk in chunks) + len(parser.close())


def split(log: bytes) -> int:
    """Do the least that has to be done with a log: count its lines, decoded as text."""
    return len([line.decode("utf-8", "replace") for line in log.splitlines()])


def with_carriage_returns(log: bytes) -> bytes:
    """Return the same log from a runner on Windows."""
    return log.replace(b"\n", b"\r\n")


@frozen
class Case:
    """A kind of log, and the least speed in parts of that of `splitlines` and `decode`."""

    name: str
    log: Callable[[int], bytes]
    bar: float


CASES = (
    Case("plain, a build without colours", compiler_log, 1 / 4),
    Case("a test run in colours", lambda size: test_log(size, timestamps=False), 1 / 7),
    Case("timestamped, that test run", lambda size: test_log(size, timestamps=True), 1 / 7),
    Case("timestamped, a section every 12 lines", section_log, 1 / 7),
    Case("progress bars", lambda size: progress_log(size, timestamps=False), 1 / 7),
    Case("timestamped progress bars", lambda size: progress_log(size, timestamps=True), 1 / 7),
)
CRLF_BAR = 1.3
"""Most of the time with CR LF, in parts of that with LF."""


def measure(size: Size) -> Iterator[Row | Table]:
    """Parse each kind of log."""
    rows = []
    for case in CASES:
        log = case.log(size.pick(20, 2, 1) * MEGABYTE // size.pick(1, 1, 10))
        returned = with_carriage_returns(log)
        work = {
            "parse": lambda log=log: parse(log),
            "split": lambda log=log: split(log),
            "CR LF": lambda log=returned: parse(log),
            "short": lambda log=log: parse(log, SHORT),
        }
        times = interleaved(work, size.pick(7, 5, 1))
        parsed, least = times["parse"], times["split"]
        speed, slower = ratio(least, parsed), ratio(times["CR LF"], parsed)
        megabytes = len(log) / MEGABYTE / parsed.cpu_median
        yield Row(
            f"parse a log into lines: {case.name}",
            f"at least {case.bar:.2f} of `splitlines` and `decode`; CR LF at most {CRLF_BAR} x LF",
            f"{speed:.2f}; {slower:.2f} x",
            f"{wall_ratio(least, parsed):.2f}; {wall_ratio(times['CR LF'], parsed):.2f} x",
            speed >= case.bar and slower <= CRLF_BAR,
            f"in chunks of 1 KiB {ratio(least, times['short']):.2f}",
        )
        rows.append((case.name, f"{megabytes:.0f}", f"{parsed.spread:.0%}", f"{parse(log):,}"))
    yield Table("parsing", ("log", "MB/s of CPU", "spread", "lines"), rows)
