"""Measure the coverage of a part of a long test only."""

from collections.abc import Iterable
from contextlib import contextmanager
from functools import wraps
from itertools import count

import pytest

_MEASURED_EXAMPLES = 25


def measured_once(cases: Iterable[object]) -> list[object]:
    """Return *cases*, of which the first is measured: the others repeat its lines."""
    first, *others = cases
    unmeasured = pytest.mark.no_cover("repeats the lines of the first case")
    return [first, *(pytest.param(one, marks=unmeasured) for one in others)]


@contextmanager
def measured_at_first(item, coverage):
    """Within the block, measure the first examples of a test by hypothesis only."""
    handle = getattr(getattr(item, "obj", None), "hypothesis", None)
    if handle is None:
        yield
        return
    numbers, inner = count(1), handle.inner_test

    @wraps(inner)
    def counted(*args, **kwargs):
        number = next(numbers)
        if number == _MEASURED_EXAMPLES + 1:
            coverage.stop()
        return inner(*args, **kwargs)

    handle.inner_test = counted
    try:
        yield
    finally:
        handle.inner_test = inner
        if next(numbers) > _MEASURED_EXAMPLES + 1:
            coverage.start()
