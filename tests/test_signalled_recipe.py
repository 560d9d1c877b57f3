"""The SIGTERM recipe runs as a process, as in a container, and is signalled."""

import asyncio
import re
import signal
import subprocess
import sys
import time

import pytest

from gitlab_jobs_async import SqliteStore
from gitlab_jobs_async.simulator import Fault, JobPlan, Simulator, SteppedClock, World
from tests.support.doc_blocks import BLOCKS
from tests.support.stores import content

SECONDS = 15.0
"""Bound of each wait for the process; starting it takes most of that on a busy machine."""

# An event is processed until a line comes from the test, which sends the signals meanwhile.
REPLACED = {
    "print(event.key)": """print(event.key, flush=True)
                await asyncio.to_thread(input)
                print("done", event.key, flush=True)""",
    "events.stop)": "lambda: (events.stop(), print('signalled', flush=True)))",
}

pytestmark = pytest.mark.timeout(60)  # each starts processes


@pytest.fixture
def server():
    """A group with two jobs that run for ever, on a clock that stands still."""
    world = World()
    pipeline = world.add_pipeline(world.add_project("shop/cart"))
    for name in ("unit", "lint"):
        world.add_job(pipeline, name, plan=JobPlan(duration=1e6))
    with Simulator(world, clock=SteppedClock(world.now)) as simulator:
        yield simulator


@pytest.fixture
def start(server, tmp_path, environment):
    """Start the recipe in *tmp_path*; end it after the test if it still runs."""
    (block,) = [block for block in BLOCKS if "signal.SIGTERM" in block.code and block.is_script]
    code = block.code
    for old, new in REPLACED.items():
        assert old in code
        code = code.replace(old, new)
    environment.setenv("GITLAB_URL", server.url)
    environment.setenv("GITLAB_TOKEN", server.token)
    running = []

    def started():
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, text=True, **pipes)
        running.append(process)
        return process

    yield started
    for process in running:
        process.kill()
        process.communicate()


def signalled(process, number):
    """Send the signal, and return once its handler has run."""
    process.send_signal(number)
    assert process.stdout.readline() == "signalled\n"


def ended(process):
    """Return the keys that *process* has processed, once it has ended as it must."""
    output, errors = process.communicate("\n" * 9, timeout=SECONDS)
    assert (process.returncode, errors) == (0, "")
    return re.findall(r"^done (.*)$", output, re.MULTILINE)


def pending(folder):
    """Return the keys of the events that the checkpoint keeps."""

    async def read():
        store = SqliteStore(folder / "ci.db")
        await store.open()
        try:
            return [key for key, _ in (await content(store)).pending]
        finally:
            await store.close()

    return asyncio.run(read())


@pytest.mark.parametrize("numbers", [[signal.SIGTERM], [signal.SIGTERM] * 2, [signal.SIGINT]])
def test_event_in_work_is_finished(start, tmp_path, numbers):
    process = start()
    first = process.stdout.readline().strip()
    for number in numbers:
        signalled(process, number)
    assert ended(process) == [first]
    kept = pending(tmp_path)
    assert first not in kept
    assert len(kept) >= 1


def test_next_run_continues(start, tmp_path):
    process = start()
    first = process.stdout.readline().strip()
    signalled(process, signal.SIGTERM)
    ended(process)
    kept = pending(tmp_path)
    process = start()
    assert process.stdout.readline().strip() == kept[0] != first
    signalled(process, signal.SIGTERM)
    assert ended(process) == kept[:1]
    assert pending(tmp_path) == kept[1:]


def test_signal_before_the_first_answer(start, server, tmp_path):
    server.faults.add(Fault(latency=3600.0, times=None))
    process, end = start(), time.monotonic() + SECONDS
    while server.clock.next_wake is None and time.monotonic() < end:
        time.sleep(0.01)
    signalled(process, signal.SIGTERM)
    assert ended(process) == []
    assert pending(tmp_path) == []
