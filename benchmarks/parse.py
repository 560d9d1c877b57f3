"""How many MB of a log become LogLines in a second of CPU: plain logs, and as new runners write.

In chunks as a server's answers bring them. `ratio` is the speed in parts of that of the least that
has to be done, `bytes.splitlines` and `decode` of each line, on the same log in the same run.
Each log is measured with CR LF for LF, too: `CR LF` is how many times the time that takes (bar:
1.3). Bars: 30 MB/s plain, 15 MB/s timestamped with sections. `--quick` for a look.
"""

import argparse
import platform
import random
import statistics
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version

from gitlab_jobs_async.logs.parser import LogParser
from gitlab_jobs_async.simulator import RunnerScript

MEGABYTE = 1_000_000
CHUNK = 500_000
"""Bytes a chunk: what one range of a trace holds at most."""


def compiler_log(size: int) -> bytes:
    """What a build prints: no colours, no carriage returns, lines of very different length."""
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
    """What a runner writes of a test run: sections, progress bars, colours in most lines."""
    lines = size // (100 if timestamps else 66)
    script = RunnerScript(lines=lines, timestamps=timestamps, progress=lines // 200)
    log = script.record("bench", 1_750_000_000.0, 3600.0, "success")
    return b"".join(log.read(0, log.size))


def section_log(size: int) -> bytes:
    """A timestamped log of many small sections, each with a few lines, some of them coloured."""
    stamp, lines, written, number = b"2025-06-15T15:06:40.123456Z ", [], 0, 0
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
        section = b"".join(stamp + line + b"\n" for line in body)
        lines.append(section)
        written += len(section)
        number += 1
    return b"".join(lines)


def parse(log: bytes) -> int:
    """How many lines *log* has; none is kept, as a follower keeps none."""
    parser = LogParser()
    chunks = (log[at : at + CHUNK] for at in range(0, len(log), CHUNK))
    return sum(len(parser.feed(chunk)) for chunk in chunks) + len(parser.close())


def split(log: bytes) -> int:
    """The least that has to be done with a log: its lines as text."""
    return len([line.decode("utf-8", "replace") for line in log.splitlines()])


def with_carriage_returns(log: bytes) -> bytes:
    """The same log from a runner on Windows."""
    return log.replace(b"\n", b"\r\n")


def rates(work: Callable[[bytes], object], log: bytes, rounds: int) -> Iterator[float]:
    """MB/s of each round."""
    for _ in range(rounds):
        begun = time.process_time()
        work(log)
        yield len(log) / MEGABYTE / (time.process_time() - begun)


def main() -> None:
    """Print a table with the median and the best of all rounds."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="2 MB and 3 rounds, not 20 and 9")
    quick = options.parse_args().quick
    size, rounds = (2 * MEGABYTE, 3) if quick else (20 * MEGABYTE, 9)
    logs: dict[str, tuple[Callable[[], bytes], int]] = {
        "plain, a build without colours": (lambda: compiler_log(size), 30),
        "plain, a test run in colours": (lambda: test_log(size, timestamps=False), 30),
        "timestamped, that test run": (lambda: test_log(size, timestamps=True), 15),
        "timestamped, a section every 12 lines": (lambda: section_log(size), 15),
    }
    print(f"Python {platform.python_version()}, gitlab_jobs_async {version('gitlab_jobs_async')}")
    heads = f"{'median':>7} {'best':>6} {'ratio':>6} {'CR LF':>6}"
    print(f"{'log':40} {'MB':>5} {'lines':>8} {heads}  bar (MB/s)")
    for name, (written, bar) in logs.items():
        log = written()
        lines, measured = parse(log), list(rates(parse, log, rounds))
        median, best = statistics.median(measured), max(measured)
        least = statistics.median(rates(split, log, rounds))
        size_in_mb, returned = len(log) / MEGABYTE, with_carriage_returns(log)
        slower = statistics.median(rates(parse, returned, rounds)) / len(returned) * len(log)
        print(
            f"{name:40} {size_in_mb:5.1f} {lines:8} {median:7.1f} {best:6.1f} {median / least:6.3f}"
            f" {median / slower:6.2f}  {bar}"
        )


if __name__ == "__main__":
    main()
