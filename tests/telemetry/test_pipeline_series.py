"""When a pipeline is requested, and that each end is counted once."""

import math
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async import Job, JobStatus, Pipeline
from gitlab_jobs_async.errors import NotFoundError, PermissionDeniedError, ServerError
from gitlab_jobs_async.models import PipelineBasic
from gitlab_jobs_async.telemetry.pipeline_series import SETTLING, PipelineSeries
from gitlab_jobs_async.telemetry.series import Series

NOW = 1_750_000_000.0
LABELS = ("shop/web", "success", "push", "branch")


def job(number, status, pipeline_status="running", pipeline=9, project_id=1):
    basic = PipelineBasic(id=pipeline, status=JobStatus(pipeline_status), project_id=project_id)
    return Job(id=number, status=JobStatus(status), stage="test", name=f"j{number}", pipeline=basic)


def answer(status="success", finished=10.0, **fields):
    finished_at = None if finished is None else datetime.fromtimestamp(NOW + finished, UTC)
    values = {"source": "push", "ref": "main", "started_at": datetime.fromtimestamp(NOW, UTC)}
    return Pipeline(id=9, status=JobStatus(status), finished_at=finished_at, **(values | fields))


@pytest.fixture
def pipelines():
    return PipelineSeries(Series(100), is_followed=True)


@pytest.fixture
def see(pipelines):
    """Give a job of a pipeline to the series."""

    def take(number, status, at=0.0, *, is_new=True, **fields):
        pipelines.on_job("shop/web", job(number, status, **fields), NOW + at, is_new=is_new)

    return take


def ends(pipelines):
    return pipelines.series.values["pipelines_finished"]


def test_pipeline_is_due_after_its_last_job(pipelines, see):
    see(1, "running")
    see(2, "created")
    see(1, "success", 20)
    assert pipelines.next_at() == math.inf
    see(2, "success", 40)
    assert pipelines.next_at() == NOW + 40 + SETTLING
    assert pipelines.due(NOW + 40 + SETTLING - 0.1) is None
    assert pipelines.due(NOW + 40 + SETTLING) == 9


def test_manual_job_does_not_delay_the_request(pipelines, see):
    see(1, "running")
    see(2, "created")
    see(1, "success", 20)
    see(2, "manual", 20)
    assert pipelines.due(NOW + 20 + SETTLING) == 9


def test_deleted_job_makes_its_pipeline_due(pipelines, see):
    see(1, "running")
    pipelines.on_deleted_job(9, 1, NOW + 3)
    assert pipelines.due(NOW + 3 + SETTLING) == 9
    pipelines.on_deleted_job(8, 2, NOW)


def test_end_is_counted_with_the_servers_values(pipelines, see):
    see(1, "success")
    pipelines.on_pipeline(
        answer(duration=70.0, queued_duration=4.0, coverage="91.20"), NOW + SETTLING
    )
    values = pipelines.series.values
    assert ends(pipelines) == {LABELS: (1,)}
    assert values["pipeline_duration_seconds"]["shop/web", "push"][-2:] == (1, 70)
    assert values["pipeline_queued_duration_seconds"]["shop/web", "push"][-2:] == (1, 4)
    assert values["pipeline_coverage_percent"] == {("shop/web", "branch"): (91.2,)}
    at = values["pipeline_finished_timestamp_seconds"]["shop/web", "success", "branch"]
    assert at == (NOW + 10,)
    assert not pipelines.unfinished


def test_short_queue_counts_as_zero(pipelines, see):
    """GitLab sends null for less than a second: app/models/ci/pipeline.rb."""
    see(1, "success")
    pipelines.on_pipeline(answer(queued_duration=None), NOW)
    queued = pipelines.series.values["pipeline_queued_duration_seconds"]
    assert queued["shop/web", "push"][-2:] == (1, 0)


def test_pipeline_that_never_ran_has_no_times(pipelines, see):
    see(1, "skipped")
    pipelines.on_pipeline(answer("skipped", started_at=None), NOW)
    assert ends(pipelines) == {("shop/web", "skipped", "push", "branch"): (1,)}
    assert not pipelines.series.values["pipeline_queued_duration_seconds"]
    assert not pipelines.series.values["pipeline_duration_seconds"]


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"ref": "refs/merge-requests/3/head"}, "merge_request"),
        ({"ref": "v1", "tag": True}, "tag"),
        ({"ref": "main"}, "branch"),
        ({"ref": None}, "branch"),
    ],
)
def test_kind_is_that_of_the_ref(pipelines, see, fields, kind):
    see(1, "success")
    pipelines.on_pipeline(answer(**fields), NOW)
    assert [labels[-1] for labels in ends(pipelines)] == [kind]


@pytest.mark.parametrize("coverage", [None, "", "unknown", "nan", "inf"])
def test_coverage_that_is_no_number_is_left_out(pipelines, see, coverage):
    see(1, "success")
    pipelines.on_pipeline(answer(coverage=coverage), NOW)
    assert not pipelines.series.values["pipeline_coverage_percent"]
    assert ends(pipelines) == {LABELS: (1,)}


def test_same_end_is_counted_once(pipelines, see):
    see(1, "success")
    pipelines.on_pipeline(answer(), NOW)
    # The event of another job comes late.
    see(2, "success", 8)
    assert pipelines.due(NOW + 8 + SETTLING) == 9
    pipelines.on_pipeline(answer(), NOW + 8 + SETTLING)
    assert ends(pipelines) == {LABELS: (1,)}
    assert not pipelines.unfinished


def test_restarted_pipeline_counts_again(pipelines, see):
    see(1, "failed")
    pipelines.on_pipeline(answer("failed"), NOW)
    see(2, "running", 60)
    see(2, "success", 90)
    pipelines.on_pipeline(answer(finished=90), NOW + 95)
    assert sum(count for (count,) in ends(pipelines).values()) == 2


def test_answer_without_a_pipeline_is_ignored(pipelines):
    pipelines.on_pipeline(answer(), NOW)
    assert not ends(pipelines)


def test_history_is_not_requested(pipelines, see):
    see(1, "success", is_new=False, pipeline_status="success")
    see(2, "manual", is_new=False, pipeline_status="success", pipeline=10)
    see(3, "manual", is_new=False, pipeline_status="manual", pipeline=11)
    assert pipelines.next_at() == math.inf
    assert pipelines.open_by_status() == {("shop/web", "manual"): 1}


def test_running_history_counts_when_it_ends(pipelines, see):
    see(1, "success", is_new=False)
    see(2, "running", is_new=False)
    assert pipelines.open_by_status() == {("shop/web", "running"): 1}
    see(2, "success", 30)
    pipelines.on_pipeline(answer(), NOW + 35)
    assert ends(pipelines) == {LABELS: (1,)}


def test_job_without_pipeline_is_ignored(pipelines, see):
    see(1, "success", pipeline=0)
    see(2, "success", project_id=0)
    assert not pipelines.unfinished


def test_trigger_job_is_waited_for(pipelines, see):
    """Trigger jobs are in no list of jobs, so only the pipeline shows that one still runs."""
    see(1, "success")
    times, now = [], NOW
    while pipelines.next_at() < math.inf:
        now = pipelines.next_at()
        times.append(now - NOW)
        pipelines.on_pipeline(answer("running", None), now)
    assert times[:4] == pytest.approx([5, 10, 15, 22.5])
    gaps = [after - before for before, after in pairwise(times)]
    assert max(gaps) == 3600
    assert len(times) < 50
    assert times[-1] > 86_400
    # It still is one of the unfinished pipelines, and another event requests it again.
    assert pipelines.open_by_status() == {("shop/web", "running"): 1}
    see(2, "success", times[-1] + 1)
    assert pipelines.next_at() < math.inf


def test_blocked_pipeline_waits_for_a_user(pipelines, see):
    see(1, "success")
    see(2, "manual")
    pipelines.on_pipeline(answer("manual", None), NOW + SETTLING)
    assert pipelines.next_at() == math.inf
    see(2, "success", 500)
    assert pipelines.next_at() == NOW + 500 + SETTLING


def test_retry_during_a_request_is_kept(pipelines, see):
    see(1, "failed")
    see(2, "running", 5)
    pipelines.on_pipeline(answer("failed"), NOW + 6)
    assert ends(pipelines) == {("shop/web", "failed", "push", "branch"): (1,)}
    assert pipelines.next_at() == math.inf
    assert pipelines.open_by_status() == {("shop/web", "running"): 1}
    see(2, "success", 30)
    pipelines.on_pipeline(answer(finished=30), NOW + 35)
    assert ends(pipelines)[LABELS] == (1,)


@pytest.mark.parametrize("kind", [NotFoundError, PermissionDeniedError])
def test_pipeline_that_is_gone_is_forgotten(pipelines, see, kind):
    see(1, "success")
    pipelines.on_error(9, kind(404, "gone", "GET", "/"), NOW + 5)
    assert not pipelines.unfinished
    assert not ends(pipelines)


def test_failed_request_is_repeated(pipelines, see):
    see(1, "success")
    pipelines.on_error(9, ServerError(502, "down", "GET", "/"), NOW + 5)
    assert NOW + 10 <= pipelines.next_at() < NOW + 20
    pipelines.on_error(8, ServerError(502, "down", "GET", "/"), NOW + 5)


def test_reset_forgets_the_pipelines_of_a_project(pipelines, see):
    see(1, "running")
    pipelines.on_job("shop/api", job(2, "running", pipeline=10), NOW, is_new=True)
    pipelines.on_reset("shop/web")
    assert list(pipelines.unfinished) == [10]


def test_remembered_ends_are_bounded(pipelines, see, monkeypatch):
    monkeypatch.setattr("gitlab_jobs_async.telemetry.pipeline_series.REMEMBERED_ENDS", 2)
    for at, number in enumerate((9, 7, 9, 8)):
        pipelines.changed.clear()
        see(1, "success", at, pipeline=number)
        ended = datetime.fromtimestamp(NOW + at, UTC)
        found = Pipeline(id=number, status=JobStatus.SUCCESS, finished_at=ended)
        pipelines.on_pipeline(found, NOW + at)
    assert pipelines.ends == {9: NOW + 2, 8: NOW + 3}
    # The forgotten one is removed from the file, too.
    assert pipelines.changed == {7, 8}


def test_finished_pipeline_is_not_shown(pipelines, see):
    see(1, "success", pipeline_status="success")
    assert pipelines.open_by_status() == {}
    assert pipelines.due(NOW + SETTLING) == 9


def test_unfollowed_pipeline_ends_with_its_jobs():
    """Without requests, nothing would ever remove it."""
    pipelines = PipelineSeries(Series(100))
    pipelines.on_job("shop/web", job(1, "running"), NOW, is_new=True)
    assert pipelines.open_by_status() == {("shop/web", "running"): 1}
    pipelines.on_job("shop/web", job(1, "success"), NOW, is_new=True)
    assert not pipelines.unfinished
    assert pipelines.changed == {9}


STEPS = st.lists(
    st.tuples(
        st.integers(1, 4),
        st.sampled_from(["created", "running", "success", "failed", "manual"]),
        st.booleans(),
    ),
    max_size=30,
)


@given(STEPS)
def test_end_follows_any_order_of_events(steps):
    """Whatever comes first: when all jobs have ended, the pipeline is due, and counts once."""
    pipelines = PipelineSeries(Series(100), is_followed=True)
    for number, status, _ in steps:
        pipelines.on_job("shop/web", job(number, status), NOW, is_new=True)
        known = pipelines.unfinished[9]
        assert known.is_running == (pipelines.next_at() == math.inf)
    for number in range(1, 5):
        pipelines.on_job("shop/web", job(number, "success"), NOW, is_new=True)
    while (found := pipelines.due(NOW + SETTLING)) is not None:
        assert found == 9
        pipelines.on_pipeline(answer(), NOW + SETTLING)
    assert ends(pipelines) == {LABELS: (1,)}
    assert not pipelines.unfinished
