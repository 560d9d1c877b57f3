"""Rechecks request jobs singly or by pipeline, and report those that are deleted."""

import pytest

from gitlab_jobs_async.errors import NotFoundError, PermissionDeniedError, ServerError
from gitlab_jobs_async.events import JobDeleted, JobFinished
from gitlab_jobs_async.monitor.watch.id_history import IdHistory
from gitlab_jobs_async.monitor.watch.project_queries import ProjectQueries
from gitlab_jobs_async.monitor.watch.project_state import new_jobs
from gitlab_jobs_async.monitor.watch.queries import QueryKind, QueryResult
from gitlab_jobs_async.monitor.watch.rechecks import JobRechecks
from gitlab_jobs_async.monitor.watch.reopened_pipelines import ReopenedPipelines
from tests.support.sample_jobs import START, job

GONE = NotFoundError(404, "404 Not found", "GET", "/")
FORBIDDEN = PermissionDeniedError(403, "403 Forbidden", "GET", "/")
FAILED = ServerError(500, "500 Internal Server Error", "GET", "/")


def rechecks_of(*rows, reopened=()):
    jobs = new_jobs(7, IdHistory(), downstream=False)
    jobs.reopened = ReopenedPipelines.restored(reopened)
    jobs.update(rows, START, new_above=0)
    return JobRechecks(jobs, jobs.tracker, jobs.reopened, ProjectQueries(7)), jobs


def queries_of(rechecks):
    return [(query.kind, query.subject_id) for query in iter(rechecks.next_query, None)]


def test_few_jobs_are_requested_singly():
    rechecks, _ = rechecks_of(job(2), job(1), job(3, of=10))
    rechecks.add([3, 1, 2, 99])
    assert queries_of(rechecks) == [(QueryKind.JOB, 1), (QueryKind.JOB, 2), (QueryKind.JOB, 3)]


def test_many_jobs_of_a_pipeline_cost_one_request():
    rechecks, _ = rechecks_of(*(job(number) for number in range(1, 4)), job(9, of=10))
    rechecks.add([1, 2, 3, 9])
    assert queries_of(rechecks) == [(QueryKind.PIPELINE_JOBS, 9), (QueryKind.JOB, 9)]


def test_single_requests_of_a_poll_are_limited():
    rechecks, _ = rechecks_of(*(job(number, of=number) for number in range(1, 31)))
    rechecks.add(range(1, 31))
    assert len(queries_of(rechecks)) == 20


def test_result_of_one_job_is_emitted():
    rechecks, _ = rechecks_of(job(1))
    rechecks.add([1])
    events = rechecks.on_result(START, rechecks.next_query(), QueryResult([job(1, "success")]))
    assert [type(event) for event in events] == [JobFinished]


@pytest.mark.parametrize(
    ("error", "reported"), [(GONE, [JobDeleted]), (FORBIDDEN, None), (FAILED, None)]
)
def test_only_a_missing_job_is_deleted(error, reported):
    rechecks, _ = rechecks_of(job(1))
    rechecks.add([1])
    events = rechecks.on_error(START, rechecks.next_query(), error)
    assert (None if events is None else [type(event) for event in events]) == reported


@pytest.mark.parametrize(
    ("error", "deleted", "left"), [(GONE, [1, 2], []), (FORBIDDEN, [], []), (FAILED, None, [9])]
)
def test_refused_pipeline_counts_as_polled(error, deleted, left):
    rechecks, jobs = rechecks_of(job(1), job(2), reopened=[9])
    jobs.reopened.polled(9)
    rechecks.add_reopened()
    events = rechecks.on_error(START, rechecks.next_query(), error)
    assert (None if events is None else [event.job_id for event in events]) == deleted
    assert jobs.reopened.pipelines() == left
