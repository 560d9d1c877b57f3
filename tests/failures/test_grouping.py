"""Grouping of failed jobs, and the search for their retries, with values alone."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.failures.grouping import RetrySearch, group_failures
from gitlab_jobs_async.failures.period import Period
from gitlab_jobs_async.models import Job, Pipeline

NOW = datetime(2026, 1, 10, tzinfo=UTC)


@st.composite
def attempts(draw):
    """Return jobs with distinct ids: some failed, some successful."""
    ids = draw(st.lists(st.integers(1, 99), unique=True, max_size=20))
    return [
        Job(
            id=number,
            status=draw(st.sampled_from(["failed", "success"])),
            stage="test",
            name=draw(st.sampled_from("ab")),
            pipeline=Pipeline(id=draw(st.integers(0, 2)), status="failed"),
            failure_reason=draw(st.sampled_from(["script_failure", None])),
        )
        for number in ids
    ]


@given(attempts())
def test_flaky_means_a_later_success(jobs):
    failed = [job for job in jobs if job.status == "failed"]
    passed = [job for job in jobs if job.status == "success"]
    search = RetrySearch(failed)
    for job in passed:
        search.add(job)
    expected = {
        job.id
        for job in failed
        if job.pipeline.id
        and any(
            (other.pipeline.id, other.name) == (job.pipeline.id, job.name) and other.id > job.id
            for other in passed
        )
    }
    assert search.flaky_ids == expected
    open_ones = {job.pipeline.id for job in failed if job.id not in expected} - {0}
    assert set(search.open_pipelines) == open_ones


@given(attempts())
def test_groups_have_each_job_once(jobs):
    groups = group_failures("a/b", jobs, {job.id for job in jobs[::2]})
    ids = [number for group in groups for number in group.job_ids]
    assert sorted(ids) == sorted(job.id for job in jobs)
    assert [group.count for group in groups] == sorted(
        (group.count for group in groups), reverse=True
    )
    for group in groups:
        assert list(group.job_ids) == sorted(group.job_ids, reverse=True)
        assert group.newest.id == group.job_ids[0]
        assert set(group.flaky_ids) == {job.id for job in jobs[::2]} & set(group.job_ids)


def test_job_without_times_is_read_on():
    period = Period.of(timedelta(days=1), timedelta(0), NOW.timestamp())
    job = Job(id=1, status="failed", stage="a", name="b")
    assert not period.is_before(job)
    assert period.has(Job(id=1, status="failed", stage="a", name="b", created_at=NOW))
