"""The pytest fixtures `gitlab_simulator` and `repaired_aioresponses`.

This module is loaded into every run, so it imports only pytest. The rest is imported by the first
test that uses it.
"""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest


@pytest.fixture
def gitlab_simulator_settings() -> Any:
    """Override to return the `SimulatorSettings` of `gitlab_simulator`; None: the defaults."""
    return None


@pytest.fixture
def gitlab_simulator_world() -> Any:
    """Override to return the `World` of `gitlab_simulator`; None: a small one."""
    return None


@pytest.fixture
def gitlab_simulator_clock() -> Any:
    """Override to return the clock of `gitlab_simulator`; None: real time."""
    return None


@pytest.fixture
def gitlab_simulator(
    gitlab_simulator_settings: Any, gitlab_simulator_world: Any, gitlab_simulator_clock: Any
) -> Iterator[Any]:
    """Yield a running `gitlab_jobs_async.simulator.Simulator` per test, on a thread of its own."""
    simulator = import_module("gitlab_jobs_async.simulator.server").Simulator
    with simulator(
        gitlab_simulator_world, gitlab_simulator_settings, gitlab_simulator_clock
    ) as gitlab:
        yield gitlab


@pytest.fixture
def repaired_aioresponses() -> Iterator[Any]:
    """Yield the class `aioresponses`, which works with aiohttp 3.14 until the end of the test."""
    repair = import_module("gitlab_jobs_async.simulator.aioresponses_repair")
    with repair.repaired_aioresponses() as mocked:
        yield mocked
