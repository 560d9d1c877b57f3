"""Queries of a watch, and rows that no GitLab returns."""

from datetime import UTC, datetime

import pytest
from attrs import evolve

from gitlab_jobs_async.api.requests import Request
from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.models.pipelines import PipelineBasic
from gitlab_jobs_async.monitor.watch.queries import (
    QueryKind,
    QueryResult,
    invalid_reason,
    with_page_size,
)
from tests.support.sample_jobs import bridge, job, pipeline


@pytest.mark.parametrize("subject", QueryKind)
def test_query_kind_determines_the_rows(subject):
    kind = {"PIPELINES": PipelineBasic, "PIPELINE": PipelineBasic, "BRIDGES": Bridge}.get(
        subject.name, Job
    )
    assert subject.row_type is kind
    assert subject.is_single is (subject in {QueryKind.JOB, QueryKind.PIPELINE})


def test_result_separates_kinds_of_rows():
    rows = [job(1), bridge(2), pipeline(3)]
    answer = QueryResult(rows)
    assert (answer.jobs, answer.bridges, answer.pipelines) == (rows[:2], rows[1:2], rows[2:])
    assert repr(answer) == "QueryResult(rows=<3 rows>, next_page=None)"


@pytest.mark.parametrize("number", [-1, 2**63, 2**70])
@pytest.mark.parametrize("where", ["job", "pipeline", "project", "downstream"])
def test_id_out_of_range_is_named(number, where):
    row = {
        "job": lambda: job(number),
        "pipeline": lambda: job(1, of=number),
        "project": lambda: evolve(job(1), pipeline=evolve(pipeline(), project_id=number)),
        "downstream": lambda: evolve(bridge(1), downstream_pipeline=pipeline(number)),
    }[where]()
    assert invalid_reason([job(5), row]) == f"id {number} out of range"
    assert invalid_reason([job(0)]) == "id 0 out of range"


@pytest.mark.parametrize("number", [1, 2**63 - 1])
def test_valid_rows_have_no_reason(number):
    rows = [job(number), job(number, of=number), bridge(number), pipeline(number), job(1, of=None)]
    assert invalid_reason(rows) is None
    assert invalid_reason([evolve(pipeline(), project_id=0)]) is None


@pytest.mark.parametrize("year", [1, 9999])
def test_time_out_of_range_is_named(year):
    """Such a time cannot be shown in another time zone."""
    at = datetime(year, 1, 1, tzinfo=UTC)
    for row in (
        evolve(job(1), created_at=at),
        evolve(job(1), pipeline=evolve(pipeline(), updated_at=at)),
    ):
        assert invalid_reason([row]) == f"time {at.isoformat()} out of range"


def test_page_size_is_replaced():
    request = Request("GET", "/projects/7/jobs", params=[("scope", "running"), ("per_page", "20")])
    assert with_page_size(request, 7).params == (("scope", "running"), ("per_page", "7"))
