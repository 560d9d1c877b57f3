"""SIGTERM as an interrupt, for commands that must restore a screen or end a child process."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def sigterm_as_interrupt() -> Iterator[None]:
    """Raise `KeyboardInterrupt` in the block on SIGTERM."""
    # It works where SIGINT is ignored, too: in the background of a script.
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    is_signalled = False

    def end() -> None:
        nonlocal is_signalled
        is_signalled = True
        if task is not None:
            task.cancel()

    with suppress(NotImplementedError):  # Windows
        loop.add_signal_handler(signal.SIGTERM, end)
    try:
        yield
    except asyncio.CancelledError:
        if is_signalled:
            raise KeyboardInterrupt from None
        raise
    finally:
        with suppress(NotImplementedError):
            loop.remove_signal_handler(signal.SIGTERM)
