"""Bridges are polled while they may change, and never at the cost of other polls."""

from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve

from gitlab_jobs_async.errors import NotFoundError, PermissionDeniedError
from gitlab_jobs_async.models.jobs import Bridge, Job
from gitlab_jobs_async.models.pipelines import Pipeline
from gitlab_jobs_async.models.statuses import JobStatus
from gitlab_jobs_async.monitor.watch.downstream import DownstreamTracker
from gitlab_jobs_async.monitor.watch.project import ProjectWatch
from gitlab_jobs_async.monitor.watch.queries import QueryKind, QueryResult

NOW = 1_750_000_000.0
MOMENT = datetime.fromtimestamp(NOW, UTC)
GONE = NotFoundError(404, "404 Not found", "GET", "/")
HIDDEN = NotFoundError(404, "404 Project Not Found", "GET", "/")
FORBIDDEN = PermissionDeniedError(403, "403 Forbidden", "GET", "/")


def pipeline(number, status=JobStatus.RUNNING):
    return Pipeline(id=number, status=status, project_id=7, updated_at=MOMENT)


def bridge(number, of, status=JobStatus.RUNNING, below=None):
    return Bridge(
        id=number,
        status=status,
        stage="b",
        name="fork",
        created_at=MOMENT,
        pipeline=of,
        downstream_pipeline=below,
    )


def asked(watch, now, seconds, answer):
    """Return the queries of a poll, each answered after *seconds*."""
    kinds = []
    while (query := watch.next_query(now)) is not None:
        now += seconds
        kinds.append(query)
        given = answer(query)
        if isinstance(given, QueryResult):
            watch.on_result(now, given)
        else:
            watch.on_error(now, given)
        assert len(kinds) < 1000
    return kinds


def project_with(pipelines, bridges):
    """Return the responses of a project with these pipelines and bridges."""

    def answer(query):
        match query.kind:
            case QueryKind.NEWEST:
                row = Job(id=5, status=JobStatus.RUNNING, stage="a", name="b", pipeline=pipeline(1))
                return QueryResult([row])
            case QueryKind.PIPELINES:
                return QueryResult(pipelines)
            case _:
                return bridges(query.subject_id)

    return answer


def test_poll_ends_though_bridges_are_due_again():
    pipelines = [pipeline(number) for number in range(1, 31)]
    answer = project_with(pipelines, lambda of: QueryResult([bridge(100 + of, pipeline(of))]))
    queries = asked(ProjectWatch.of(7, downstream=True), NOW, 1.0, answer)
    assert sum(query.kind is QueryKind.BRIDGES for query in queries) == 30


def test_poll_ends_in_a_long_downstream_circle():
    def leads_on(of):
        below = pipeline(of % 5000 + 1)
        return QueryResult([bridge(10_000 + of, pipeline(of), JobStatus.SUCCESS, below)])

    watch = ProjectWatch.of(7, downstream=True)
    answer = project_with([pipeline(1)], leads_on)
    assert len(asked(watch, NOW, 0.0, answer)) == 102
    assert len(asked(watch, watch.next_at, 0.0, answer)) == 102


@pytest.mark.parametrize("refusal", [HIDDEN, FORBIDDEN, GONE], ids=lambda error: error.message)
def test_bridges_refused_once_are_polled_again(refusal):
    watch = ProjectWatch.of(7, downstream=True)
    emitted = bridge(100, pipeline(1))
    asked(watch, NOW, 0.0, project_with([pipeline(1)], lambda _: QueryResult([emitted])))
    asked(watch, NOW + 60, 0.0, project_with([], lambda _: refusal))
    ended = evolve(emitted, status=JobStatus.FAILED)
    asked(watch, NOW + 120, 0.0, project_with([], lambda _: QueryResult([ended])))
    assert watch.jobs.tracker.jobs[100].status == JobStatus.FAILED


def test_bridges_of_deleted_pipeline_are_deleted():
    watch = ProjectWatch.of(7, downstream=True)
    emitted = bridge(100, pipeline(1))
    asked(watch, NOW, 0.0, project_with([pipeline(1)], lambda _: QueryResult([emitted])))
    for number in range(1, 3):
        asked(watch, NOW + 60 * number, 0.0, project_with([], lambda _: GONE))
    assert 100 not in watch.jobs.tracker
    again = asked(watch, NOW + 999, 0.0, project_with([], lambda _: GONE))
    assert QueryKind.BRIDGES not in {query.kind for query in again}


def test_retried_bridge_does_not_stay_open():
    watch = ProjectWatch.of(7, downstream=True)
    emitted, again = bridge(100, pipeline(1)), bridge(101, pipeline(1))
    asked(watch, NOW, 0.0, project_with([pipeline(1)], lambda _: QueryResult([emitted])))
    watch.poll_now(NOW + 60)
    asked(watch, NOW + 60, 0.0, project_with([], lambda _: QueryResult([again])))
    assert 100 not in watch.jobs.tracker
    assert 101 in watch.jobs.tracker


@pytest.mark.parametrize("status", [JobStatus.MANUAL, JobStatus.SUCCESS])
def test_waiting_bridges_are_not_polled_forever(status):
    tracker, of = DownstreamTracker(), pipeline(1, JobStatus.SUCCESS)
    asked_at, now = [], NOW
    while now < NOW + 36_000:
        now += 10
        if tracker.due(now):
            asked_at.append(now)
        if now == NOW + 10 or asked_at[-1:] == [now]:
            tracker.on_bridges(1, [bridge(100, of, status)], now)
    assert 5 < len(asked_at) < 60
    assert asked_at[-1] < NOW + 1300


def test_late_pipeline_change_marks_it_dirty():
    tracker = DownstreamTracker(updated_to=MOMENT)
    done = [bridge(100, pipeline(1), JobStatus.SUCCESS, pipeline(2))]
    tracker.on_bridges(1, done, NOW)
    tracker.discover(done, 7, bool)
    tracker.on_bridges(2, [], NOW)
    late = evolve(pipeline(1), updated_at=MOMENT - timedelta(seconds=5))
    tracker.on_pipelines([late])
    assert tracker.due(NOW) == [1]
    tracker.on_bridges(1, [], NOW)
    tracker.on_pipelines([late])
    assert not tracker.due(NOW)
