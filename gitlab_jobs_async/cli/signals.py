"""Run a command so that SIGTERM and SIGHUP end it as Ctrl-C does: no file or process is left."""

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Final, TypeVar

T = TypeVar("T")

_SIGNALS: Final = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)
)


def run_until_signal(command: Coroutine[object, object, T]) -> T:
    """Run *command* in a loop of its own; raise `KeyboardInterrupt` on SIGTERM or SIGHUP."""
    return asyncio.run(_interruptible(command))


async def _interruptible(command: Coroutine[object, object, T]) -> T:
    with _signals_as_interrupt():
        return await command


@contextmanager
def _signals_as_interrupt() -> Iterator[None]:
    # It works where SIGINT is ignored, too: in the background of a script.
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    is_signalled = False

    def end() -> None:
        nonlocal is_signalled
        is_signalled = True
        if task is not None:
            task.cancel()

    # A signal that is ignored stays so: nohup ignores SIGHUP.
    numbers = [one for one in _SIGNALS if signal.getsignal(one) is not signal.SIG_IGN]
    for number in numbers:
        with suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(number, end)
    try:
        yield
    except asyncio.CancelledError:
        if is_signalled:
            raise KeyboardInterrupt from None
        raise
    finally:
        for number in numbers:
            with suppress(NotImplementedError):
                loop.remove_signal_handler(number)
