"""Rows without the values that GitLab always sends: they show neither a reset nor an end."""

from attrs import evolve

from gitlab_jobs_async import PipelineTarget
from gitlab_jobs_async.events import JobAppeared
from gitlab_jobs_async.models.values import UNKNOWN_TIME
from gitlab_jobs_async.monitor.watch.pipeline import PipelineWatch
from gitlab_jobs_async.monitor.watch.queries import QueryKind, QueryResult
from tests.support.sample_jobs import START, job, pipeline


def test_pipeline_without_time_is_no_other():
    watch = PipelineWatch.of(PipelineTarget(7, 9), None, downstream=False)
    watch.next_query(START)
    events = watch.on_result(START, QueryResult([job(1)]))
    assert [type(event) for event in events] == [JobAppeared]
    later = watch.next_at
    assert watch.next_query(later) is not None
    sparse = evolve(job(1), pipeline=evolve(pipeline(), created_at=UNKNOWN_TIME))
    assert watch.on_result(later, QueryResult([sparse])) == []
    assert watch.created == int(START)


def test_unsent_pipeline_is_requested():
    watch = PipelineWatch.of(PipelineTarget(7, 9), None, downstream=False)
    watch.next_query(START)
    assert watch.on_result(START, QueryResult([job(1, of=None)])) == []
    assert watch.next_query(START).kind is QueryKind.PIPELINE
