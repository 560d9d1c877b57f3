"""A thread with its own event loop that serves something until it is stopped."""

import asyncio
import threading
from contextlib import AbstractAsyncContextManager


class Background:
    """Enters and leaves the context manager `served` in a thread."""

    def __init__(self, served: AbstractAsyncContextManager[object]) -> None:
        self._served = served
        self._ready = threading.Event()
        self._failure: OSError | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="gitlab-simulator", daemon=True)

    def begin(self) -> None:
        """Start the thread and return once it serves; raise the `OSError` of a failed start."""
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    def finish(self) -> None:
        """Stop serving and wait for the thread."""
        if self._loop is not None and self._end is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except OSError as failure:
            self._failure = failure
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        async with self._served:
            self._ready.set()
            await self._end.wait()
