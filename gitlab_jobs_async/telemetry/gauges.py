"""Gauges of objects that belong to an event loop, read by the thread of an exporter.

OpenTelemetry has no way to remove a callback, so each gauge has one for all objects, and holds them
weakly.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from functools import partial
from typing import Final, Generic, TypeVar
from weakref import ref

from attrs import frozen
from opentelemetry.metrics import CallbackOptions, Meter, Observation

T = TypeVar("T")
S = TypeVar("S")

_READ_TIMEOUT: Final = 1.0
"""Seconds that an exporter waits for a busy loop; then the gauge has no value this time."""


@frozen
class Gauge(Generic[S]):
    """A gauge: its name, unit and description, and its value of a state, None for no value."""

    name: str
    unit: str
    description: str
    value: Callable[[S], float | None]


@frozen(eq=False)
class _Source(Generic[T]):
    source: "ref[T]"
    attributes: Mapping[str, str | int]
    loop: asyncio.AbstractEventLoop


class Gauges(Generic[T, S]):
    """Gauges of all added objects, whose *state* is None once they are closed."""

    def __init__(
        self, meter: Meter, gauges: Iterable[Gauge[S]], state: Callable[[T], S | None]
    ) -> None:
        self._state = state
        # Replaced, never changed: another thread may iterate.
        self._sources: tuple[_Source[T], ...] = ()
        for gauge in gauges:
            meter.create_observable_gauge(
                gauge.name, [self._callback(gauge)], gauge.unit, gauge.description
            )

    def add(self, source: T, attributes: Mapping[str, str | int]) -> None:
        """Observe *source*, which belongs to the running loop, until it is closed."""
        alive = [known for known in self._sources if known.source() not in {None, source}]
        loop = asyncio.get_running_loop()
        self._sources = (*alive, _Source(ref(source), dict(attributes), loop))

    def _callback(self, gauge: Gauge[S]) -> Callable[[CallbackOptions], Iterator[Observation]]:
        def observe(_options: CallbackOptions) -> Iterator[Observation]:
            for known in self._sources:
                value = _read_in(known.loop, partial(self._value, gauge, known))
                if value is not None:
                    yield Observation(value, known.attributes)

        return observe

    def _value(self, gauge: Gauge[S], known: _Source[T]) -> float | None:
        source = known.source()
        state = None if source is None else self._state(source)
        return None if state is None else gauge.value(state)


def _read_in(loop: asyncio.AbstractEventLoop, read: Callable[[], T]) -> T | None:
    """Return the result of *read*, called in *loop*; None if the loop does not answer in time."""
    # Even reading a budget drops what has expired, which no second thread may do.
    try:
        is_here = asyncio.get_running_loop() is loop
    except RuntimeError:
        is_here = not loop.is_running()
    if is_here:
        return read()
    result: Future[T] = Future()

    def run() -> None:
        try:
            result.set_result(read())
        except Exception as error:  # noqa: BLE001 - raised in the other thread
            result.set_exception(error)

    try:
        loop.call_soon_threadsafe(run)
    except RuntimeError:
        return None  # closed meanwhile
    try:
        return result.result(_READ_TIMEOUT)
    except TimeoutError:
        return None
