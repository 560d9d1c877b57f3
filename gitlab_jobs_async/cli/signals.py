"""SIGTERM ends a command as Ctrl-C does, where it would leave a screen or a program behind."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def ended_like_an_interrupt() -> Iterator[None]:
    """Take SIGTERM for Ctrl-C while the block lasts, so that it leaves as little behind.

    It counts where Ctrl-C itself is ignored, too, as in what a script runs in the background.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    is_told = False

    def end() -> None:
        nonlocal is_told
        is_told = True
        if task is not None:
            task.cancel()

    with suppress(NotImplementedError):  # Windows
        loop.add_signal_handler(signal.SIGTERM, end)
    try:
        yield
    except asyncio.CancelledError:
        if is_told:
            raise KeyboardInterrupt from None
        raise
    finally:
        with suppress(NotImplementedError):
            loop.remove_signal_handler(signal.SIGTERM)
