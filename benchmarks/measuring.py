"""Time by CPU and by the wall of alternatives, measured in turns."""

import gc
import multiprocessing
import os
import platform
import resource
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from attrs import field, frozen

_T = TypeVar("_T")


@frozen
class Samples:
    """Seconds of each round, by CPU and by the wall."""

    cpu: list[float] = field(factory=list)
    wall: list[float] = field(factory=list)

    @property
    def cpu_median(self) -> float:
        """The median by CPU."""
        return statistics.median(self.cpu)

    @property
    def wall_median(self) -> float:
        """The median by the wall."""
        return statistics.median(self.wall)

    @property
    def spread(self) -> float:
        """Half the distance between the quartiles by CPU, as a part of the median."""
        if len(self.cpu) < 2:
            return 0.0
        low, _, high = statistics.quantiles(self.cpu, n=4, method="inclusive")
        return (high - low) / 2 / self.cpu_median


def children() -> float:
    """Return the CPU seconds of all processes that this one has started and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def interleaved(
    work: Mapping[str, Callable[[], object]],
    rounds: int,
    *,
    clock: Callable[[], float] = time.process_time,
    before: Callable[[str], object] = lambda _: None,
    after: Callable[[str], object] = lambda _: None,
) -> dict[str, Samples]:
    """Run all *work* in turns, A, B, C, A, B, C, and return the times of each.

    A round that warms up comes first and is not counted. Garbage is collected before each run, and
    the collector is on in all of them; it never scans what was imported or made before, which
    differs from program to program. *clock* returns CPU seconds: of this process, or `children`.
    *before* and *after* are called with the name of each run, outside its time.
    """
    samples = {name: Samples() for name in work}
    for number in range(1 + rounds):
        for name, run in work.items():
            before(name)
            gc.collect()
            gc.freeze()
            wall, cpu = time.perf_counter(), clock()
            result = run()
            cpu, wall = clock() - cpu, time.perf_counter() - wall
            # Freeing the result is not counted.
            del result
            after(name)
            if number:
                samples[name].cpu.append(cpu)
                samples[name].wall.append(wall)
    gc.unfreeze()
    return samples


def ratio(a: Samples, b: Samples) -> float:
    """Return how many times the CPU time of *b* that of *a* is: the median of the rounds."""
    return statistics.median(x / y for x, y in zip(a.cpu, b.cpu, strict=True))


def wall_ratio(a: Samples, b: Samples) -> float:
    """Return the same by the wall."""
    return statistics.median(x / y for x, y in zip(a.wall, b.wall, strict=True))


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Keep as many processes busy while the block lasts."""
    context = multiprocessing.get_context("spawn")
    started = [context.Process(target=_spin, daemon=True) for _ in range(processes)]
    for process in started:
        process.start()
    try:
        yield
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.join()


def _spin() -> None:
    while True:
        sum(range(10_000))


def resident() -> int:
    """Return the bytes of memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def apart(work: Callable[..., _T], *values: Any) -> _T:
    """Return the result of *work* in a fresh process."""
    context = multiprocessing.get_context("spawn")
    # Not a `Pool`, whose processes may start no others.
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(work, *values).result()


def machine() -> str:
    """Return the cores and the model of the processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{os.cpu_count()} cores, {models[0] if models else platform.processor()}"


def versions(packages: Sequence[str]) -> str:
    """Return the versions of Python and of these packages."""
    found = ", ".join(f"{name} {version(name)}" for name in packages)
    return f"Python {platform.python_version()}, {found}"
