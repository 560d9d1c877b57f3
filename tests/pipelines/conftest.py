"""The world of the simulated server."""

import pytest


@pytest.fixture
def world(simulator):
    return simulator.world
