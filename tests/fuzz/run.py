"""Fuzz the SDK: `python tests/fuzz/run.py --core 1000000 --answers 100000`; `--seed` repeats.

Core cases go to the pure modules, answers over loopback sockets to whole calls. Prints cases that
raise an undocumented error or exceed their CPU time, with the seed that reproduces them.
"""

import argparse
import asyncio
import logging
import random
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.fuzz.answers import attack
from tests.fuzz.core import TARGETS

LONGEST_CASE = 0.5
"""Maximum CPU seconds of a core case."""

BATCH = 5000


def core(seed, count):
    """Run *count* core cases; return the number of cases and the failures."""
    wrong, targets = [], list(TARGETS.items())
    for number in range(count):
        target, allowed = targets[number % len(targets)]
        name = f"{target.__name__} {seed}/{number}"
        began = time.process_time()
        try:
            target(random.Random(f"{seed}/{number}"))
        except allowed:
            pass
        except BaseException as error:
            wrong.append(f"{name}: {type(error).__name__}: {error}"[:500])
        took = time.process_time() - began
        if took > LONGEST_CASE:
            wrong.append(f"{name}: took {took:.1f} s")
    return count, wrong


def answers(seed, count):
    """Run *count* cases over sockets."""
    return asyncio.run(attack(seed, count))


def fuzz(kind, count, seed, workers):
    """Run *count* cases of *kind* in batches; return the number of cases and the failures."""
    sizes = [min(BATCH, count - start) for start in range(0, count, BATCH)]
    seeds = [f"{seed}-{number}" for number in range(len(sizes))]
    total, wrong = 0, []
    with ProcessPoolExecutor(workers, initializer=logging.disable) as pool:
        for number, more in pool.map(kind, seeds, sizes):
            total, wrong = total + number, [*wrong, *more]
            print(
                f"\r{kind.__name__}: {total}, {len(wrong)} wrong",
                end=" ",
                file=sys.stderr,
                flush=True,
            )
    return total, wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--core", type=int, default=1_000_000)
    parser.add_argument("--answers", type=int, default=100_000)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--workers", type=int, default=2)
    how = parser.parse_args()
    failed = False
    for kind, count in ((core, how.core), (answers, how.answers)):
        began = time.monotonic()
        number, wrong = fuzz(kind, count, how.seed, how.workers)
        took = time.monotonic() - began
        print(f"{kind.__name__}: {number} cases, {len(wrong)} wrong, {took:.0f} s")
        print(*wrong[:50], sep="\n")
        failed |= bool(wrong)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
