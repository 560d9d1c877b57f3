"""Scans of a poll that find downstream pipelines."""

import pytest

from gitlab_jobs_async.errors import NotFoundError, ServerError
from gitlab_jobs_async.events import JobAppeared, JobDeleted
from gitlab_jobs_async.monitor.watch.downstream_scans import BridgesScan, ChangedPipelinesScan
from gitlab_jobs_async.monitor.watch.id_history import IdHistory
from gitlab_jobs_async.monitor.watch.project_queries import ProjectQueries
from gitlab_jobs_async.monitor.watch.project_state import new_jobs
from gitlab_jobs_async.monitor.watch.queries import QueryKind, QueryResult
from tests.support.sample_jobs import START, bridge, job, pipeline

GONE = NotFoundError(404, "404 Not found", "GET", "/")
FAILED = ServerError(500, "500 Internal Server Error", "GET", "/")


def bridges_scan(*dirty):
    jobs = new_jobs(7, IdHistory(), downstream=True)
    for pipeline_id in dirty:
        jobs.downstream.mark_dirty(pipeline_id)
    return BridgesScan(jobs, jobs.downstream, jobs.tracker, ProjectQueries(7, 7), START), jobs


def test_changed_pipelines_are_requested_once():
    _, jobs = bridges_scan()
    scan = ChangedPipelinesScan(jobs.downstream, ProjectQueries(7))
    query = scan.next_query()
    assert query.kind is QueryKind.PIPELINES
    assert scan.next_query() is None
    assert list(scan.on_result(START, query, QueryResult([pipeline(5)]))) == []
    assert jobs.downstream.due(START) == [5]


@pytest.mark.parametrize(("error", "continues"), [(GONE, True), (FAILED, False)])
def test_refused_pipelines_do_not_fail_the_poll(error, continues):
    _, jobs = bridges_scan()
    scan = ChangedPipelinesScan(jobs.downstream, ProjectQueries(7))
    assert (scan.on_error(START, scan.next_query(), error) is not None) is continues


def test_bridges_lead_to_downstream_pipelines():
    scan, jobs = bridges_scan(9)
    row = bridge(3, downstream_pipeline=pipeline(30, project=8))
    events = scan.on_result(START, scan.next_query(), QueryResult([row]))
    assert [type(event) for event in events] == [JobAppeared]
    assert [found.target.pipeline_id for found in jobs.take_discovered()] == [30]
    assert jobs.take_discovered() == []


def test_own_downstream_pipelines_are_polled():
    scan, jobs = bridges_scan(9)
    row = bridge(3, downstream_pipeline=pipeline(30))
    scan.on_result(START, scan.next_query(), QueryResult([row]))
    assert jobs.take_discovered() == []
    assert scan.next_query().subject_id == 30


def test_a_poll_requests_at_most_100_pipelines():
    scan, _ = bridges_scan(*range(1, 151))
    assert len(list(iter(scan.next_query, None))) == 100


def test_bridges_refused_twice_are_deleted():
    """A project that is hidden for a moment polls like a deleted pipeline."""
    scan, jobs = bridges_scan(9)
    query = scan.next_query()
    scan.on_result(START, query, QueryResult([bridge(3)]))
    jobs.update([job(4)], START)
    assert list(scan.on_error(START, query, GONE)) == []
    deleted = scan.on_error(START, query, GONE)
    assert [(type(event), event.job_id) for event in deleted] == [(JobDeleted, 3)]
    assert scan.on_error(START, query, FAILED) is None
