"""A project is watched in full on every server, and partial failures do not end the watch."""

from collections import Counter, defaultdict

import pytest
from attrs import evolve

from gitlab_jobs_async import JobTarget
from gitlab_jobs_async.errors import (
    BadRequestError,
    GitLabError,
    MethodNotAllowedError,
    NotFoundError,
    ServerError,
)
from gitlab_jobs_async.events import JobDeleted, ProjectRecovered, ProjectUnreachable
from gitlab_jobs_async.monitor.schedule.timer import MAX_INTERVAL
from gitlab_jobs_async.monitor.watch.job import JobWatch
from gitlab_jobs_async.monitor.watch.project import ProjectWatch
from gitlab_jobs_async.monitor.watch.queries import QueryKind, QueryResult
from tests.support.project_model import NUMBER, ModelProject

DAY = 86_400.0


class OffsetProject(ModelProject):
    """A server that pages its jobs by offset alone, and says so or not."""

    refuses = True

    def answer(self, query):
        params = defaultdict(list)
        for name, value in query.request.params:
            params[name].append(value)
        if not query.request.path.endswith("/jobs") or "pipelines" in query.request.path:
            return super().answer(query)
        self.asked += 1
        if params["pagination"] and self.refuses:
            raise MethodNotAllowedError(405, "not yet available", "GET", "/")
        scope, size = set(params["scope[]"]), int(params["per_page"][0])
        begin = size * (int((params["page"] or ["1"])[0]) - 1)
        rows = [job for job in self.visible() if not scope or job.status in scope]
        following = None
        if len(rows) > begin + size:
            pairs = [pair for pair in query.request.params if pair[0] != "page"]
            page = ("page", str(begin // size + 2))
            following = evolve(query.request, params=[*pairs, page])
        return QueryResult([self.row(job) for job in rows[begin : begin + size]], following)


def poll(watch, project, failure=lambda _: None):
    """Poll once, with the errors that *failure* returns."""
    events = []
    project.now = max(project.now, watch.next_at)
    while (query := watch.next_query(project.now)) is not None:
        try:
            if error := failure(query):
                raise error
            answer = project.answer(query)
        except GitLabError as error:
            events += watch.on_error(project.now, error)
        else:
            events += watch.on_result(project.now, answer)
    return events


@pytest.mark.parametrize("refuses", [True, False])
@pytest.mark.parametrize("count", [8, 40, 150, 320])
def test_offset_pages_show_all_new_jobs(refuses, count):
    project, watch = OffsetProject(), ProjectWatch.of("group/app")
    project.refuses = refuses
    project.add_bulk(3, "success")
    for _ in range(4):
        project.now += 300
        poll(watch, project)
    project.add_bulk(count, "success")
    emitted = Counter(type(event).__name__ for event in poll(watch, project))
    assert emitted == {"JobAppeared": count, "JobFinished": count}


def test_unknown_statuses_are_omitted_from_scope():
    project, watch = ModelProject(), ProjectWatch.of("group/app")
    old = project.add_pipeline(["deploy"])[0]
    old.status = "manual"
    project.add_bulk(200, "success")
    project.now += 300

    def refuse(query):
        newer = {("scope[]", "canceling"), ("scope[]", "waiting_for_callback")}
        if newer & set(query.request.params):
            return BadRequestError(400, "scope does not have a valid value", "GET", "/")
        return None

    events = poll(watch, project, refuse)
    assert [event.job.id for event in events] == [old.id]
    assert ("scope[]", "manual") in watch.queries.open_jobs().request.params


def with_a_missing_job():
    project, watch = ModelProject(), ProjectWatch.of("group/app")
    job = project.add_pipeline(["a"])[0]
    project.now += 300
    poll(watch, project)
    del project.jobs[job.id]
    return project, watch


def test_hidden_project_does_not_delete_its_jobs():
    project, watch = with_a_missing_job()
    gone = NotFoundError(404, "404 Project Not Found", "GET", "/")
    events = poll(watch, project, lambda query: gone if query.kind is QueryKind.JOB else None)
    assert [type(event) for event in events] == [ProjectUnreachable]
    assert [type(event) for event in poll(watch, project)] == [JobDeleted, ProjectRecovered]


@pytest.mark.parametrize("said", ["404 Project Not Found", "an HTML page (Maintenance)"])
def test_job_watch_survives_a_hidden_project(said):
    project = ModelProject()
    job = project.add_pipeline(["a"])[0]
    watch = JobWatch.of(JobTarget(NUMBER, job.id), None)
    poll(watch, project)
    events = poll(watch, project, lambda _: NotFoundError(404, said, "GET", "/"))
    assert [type(event) for event in events] == [ProjectUnreachable]
    assert not watch.is_over
    assert [type(event) for event in poll(watch, project)] == [ProjectRecovered]


def test_repeated_partial_failure_reported_once():
    project, watch = with_a_missing_job()
    emitted, waits = [], []

    def failure(query):
        broken = query.kind is QueryKind.JOB
        return ServerError(500, "500 Internal Server Error", "GET", "/") if broken else None

    for _ in range(5):
        emitted += poll(watch, project, failure)
        waits.append(watch.next_at - project.now)
    assert [type(event) for event in emitted] == [ProjectUnreachable]
    assert waits == sorted(set(waits))
    assert [type(event) for event in poll(watch, project)] == [JobDeleted, ProjectRecovered]


def test_many_manual_jobs_keep_polls_rare():
    project, watch = ModelProject(), ProjectWatch.of("group/app")
    for _ in range(40):
        project.add_bulk(50, "manual")
    project.add_bulk(100, "success")
    project.now += DAY
    poll(watch, project)
    project.asked, start = 0, project.now
    while project.now < start + 3600:
        poll(watch, project)
    assert watch.next_at - project.now == pytest.approx(MAX_INTERVAL, rel=0.1)
    assert project.asked <= 3600 / MAX_INTERVAL + 10


def test_reopened_pipeline_is_read_in_full():
    project, watch = ModelProject(), ProjectWatch.of("group/app")
    first = project.add_pipeline([f"job {number}" for number in range(150)])[0]
    project.now += 300
    poll(watch, project)
    project.fail(first.pipeline)
    poll(watch, project)
    project.retry(first)
    asked = []
    poll(watch, project, asked.append)
    assert [i.all_pages for i in asked if i.kind is QueryKind.PIPELINE_JOBS] == [True]
