"""The pytest fixture, as a user's test meets it."""

import urllib.request

import pytest

from gitlab_jobs_async.simulator import SimulatorSettings, SteppedClock, World


def version(gitlab):
    request = urllib.request.Request(
        f"{gitlab.url}/api/v4/version", headers={"PRIVATE-TOKEN": gitlab.token}
    )
    with urllib.request.urlopen(request) as response:
        return response.read().decode()


def test_in_a_plain_test(gitlab_simulator):
    assert "19.5.0" in version(gitlab_simulator)
    assert gitlab_simulator.world.jobs


async def test_in_a_coroutine(gitlab_simulator):
    assert len(gitlab_simulator.requests) == 0


class TestOverridden:
    @pytest.fixture
    def gitlab_simulator_settings(self):
        return SimulatorSettings(version="16.0.0")

    @pytest.fixture
    def gitlab_simulator_world(self):
        return World(0.0)

    @pytest.fixture
    def gitlab_simulator_clock(self):
        return SteppedClock(10.0)

    def test_settings_world_and_clock(self, gitlab_simulator):
        assert "16.0.0" in version(gitlab_simulator)
        assert not gitlab_simulator.world.jobs
        assert gitlab_simulator.requests[0].at == 10.0
