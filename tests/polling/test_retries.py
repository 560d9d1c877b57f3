"""The next attempt of a job among the jobs of its pipeline."""

from gitlab_jobs_async.polling.retries import next_attempt
from tests.support.sample_jobs import job


def test_next_attempt_is_the_oldest_later_one():
    """Two retries between two polls: both are followed, in their order."""
    rows = [job(number, name=name) for number, name in ((9, "a"), (7, "b"), (5, "a"), (3, "a"))]
    assert next_attempt(rows, rows[-1]) is rows[2]
    assert next_attempt(rows[::-1], rows[2]) is rows[0]
    assert next_attempt(rows, rows[0]) is None
