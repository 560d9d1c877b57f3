"""Forks a monitor at each line of its input, for test_killing.py, which kills what is forked.

Everything is imported before the first fork, so that a monitor is at work within milliseconds; this
process itself runs no loop and no thread. What it is given is JSON: see `Errand`.
"""

import asyncio
import json
import os
import sys
import time
from pathlib import Path

from attrs import asdict, frozen

from gitlab_jobs_async import GitLab, to_json
from gitlab_jobs_async.simulator import AcceleratedClock


@frozen
class Errand:
    """The targets of a monitor, and a clock that runs *factor* times as fast from *origin* on."""

    url: str
    token: str
    projects: list[str]
    checkpoint: str
    journal: str
    factor: float
    start: float
    origin: float

    def __str__(self):
        return json.dumps(asdict(self))

    def clock(self):
        passed = time.monotonic() - self.origin
        return AcceleratedClock(self.factor, start=self.start + passed * self.factor)


async def watch(errand: Errand, pause: float) -> None:
    """Write down each event, and wait for *pause* seconds, before the next one is asked for."""
    with Path(errand.journal).open("ab", buffering=0) as journal:  # noqa: ASYNC230 - it is local
        journal.write(b"\n")
        async with (
            GitLab(errand.url, auth=errand.token, clock=errand.clock()) as gitlab,
            gitlab.monitor(
                errand.projects, logs=True, downstream=True, checkpoint=errand.checkpoint
            ) as events,
        ):
            async for event in events:
                journal.write(to_json(event) + b"\n")
                if pause:
                    await asyncio.sleep(pause)


def main() -> None:
    errand = Errand(**json.loads(sys.argv[1]))
    for line in sys.stdin:
        child = os.fork()
        if not child:
            try:
                asyncio.run(watch(errand, float(line)))
            finally:
                os._exit(1)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
