"""The size of a question follows the time of the server alone."""

import pytest

from gitlab_jobs_async.api.capabilities import ServerCapabilities
from gitlab_jobs_async.monitor.hints.planner import QuestionPlanner


@pytest.mark.parametrize(
    ("seconds", "size"), [(0.5, 100), (1.9, 100), (3.0, 50), (5.0, 50), (5.1, 25)]
)
def test_size_follows_the_time_of_the_server(seconds, size):
    planner = QuestionPlanner(ServerCapabilities())
    planner.set_rate(200, requests=1.0, polls=1.0)
    for number in range(1, 201):
        planner.offer(f"p{number}", number, 0.0, 0.0, is_idle=True)
    batch = planner.take(60.0)
    assert len(batch.names) == 50
    # The answer arrives long after the question was chosen, as the request limit held it back.
    planner.on_answer(batch, {}, 120.0, seconds)
    assert planner.size == size
