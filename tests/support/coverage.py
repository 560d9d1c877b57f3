"""Measure the coverage of some cases of a long test only."""

from collections.abc import Iterable

import pytest


def measured_once(cases: Iterable[object]) -> list[object]:
    """Return *cases*, of which the first is measured: the others repeat its lines."""
    first, *others = cases
    unmeasured = pytest.mark.no_cover("repeats the lines of the first case")
    return [first, *(pytest.param(one, marks=unmeasured) for one in others)]
