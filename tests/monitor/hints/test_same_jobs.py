"""GraphQL and REST show the same jobs, so that one tracker may take both."""

import pytest

from gitlab_jobs_async import GitLab
from gitlab_jobs_async.monitor.hints.ask import ask
from gitlab_jobs_async.monitor.hints.questions import changes_question, jobs_question
from gitlab_jobs_async.monitor.watch.job_tracker import JobTracker
from gitlab_jobs_async.monitor.watch.server_resets import contradiction
from gitlab_jobs_async.simulator import Simulator, demo_world

NOW = 1_750_000_000.0


@pytest.fixture
async def demo(clock):
    pytest.importorskip("graphql")
    async with Simulator(demo_world(NOW), clock=clock.stepped) as simulator:
        clock.stepped.advance(NOW - clock.now() + 600)
        async with GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab:
            yield simulator, gitlab


async def test_both_ways_show_the_same_jobs(demo):
    simulator, gitlab = demo
    ids = [project.id for project in simulator.world.registry.projects.values()]
    snapshots = (await ask(gitlab._transport, jobs_question(ids))).snapshots
    compared = 0
    for project_id, snapshot in snapshots.items():
        by_rest = {job.id: job for job in await gitlab.project(project_id).list_jobs()}
        for pipeline in snapshot.pipelines:
            assert pipeline.is_complete
            of_pipeline = {
                job.id
                for job in by_rest.values()
                if job.pipeline and job.pipeline.id == pipeline.id
            }
            assert of_pipeline == {job.id for job in pipeline.jobs}
            for job in pipeline.jobs:
                assert_same(job, by_rest[job.id])
                compared += 1
    assert compared > 20


def assert_same(partial, whole):
    assert (partial.status, partial.name, partial.stage) == (whole.status, whole.name, whole.stage)
    assert partial.pipeline.id == whole.pipeline.id
    assert partial.project_id == whole.project_id
    for name in ("created_at", "started_at", "finished_at", "erased_at"):
        mine, theirs = getattr(partial, name), getattr(whole, name)
        # GraphQL has whole seconds, REST rounded milliseconds.
        assert mine == theirs or abs((mine - theirs).total_seconds()) <= 1
    for first, then in ((partial, whole), (whole, partial)):
        tracker = JobTracker("group/app")
        tracker.update(first, NOW)
        assert contradiction(tracker.jobs[first.id], then, NOW + 86_400) is None
        assert tracker.update(then, NOW + 1) == []


async def test_changes_are_those_of_the_pipelines(demo):
    simulator, gitlab = demo
    ids = [project.id for project in simulator.world.registry.projects.values()]
    answer = await ask(gitlab._transport, changes_question(ids))
    for project_id, snapshot in answer.snapshots.items():
        project = gitlab.project(project_id)
        parents = await project.list_pipelines()
        children = await project.list_pipelines(source="parent_pipeline")
        newest = sorted([*parents[:5], *children[:5]], key=lambda p: p.id, reverse=True)
        assert [(p.id, p.status) for p in snapshot.pipelines] == [(p.id, p.status) for p in newest]
        full = [pages[4].id for pages in (parents, children) if len(pages) >= 5]
        assert snapshot.floor == max(full, default=0)


async def test_jobs_of_child_pipelines_are_shown(demo):
    simulator, gitlab = demo
    pipelines = simulator.world.pipelines.values()
    child = max((p for p in pipelines if p.source == "parent_pipeline"), key=lambda p: p.id)
    question = jobs_question([child.project.id])
    snapshot = (await ask(gitlab._transport, question)).snapshots[child.project.id]
    (found,) = (pipeline for pipeline in snapshot.pipelines if pipeline.id == child.id)
    assert found.jobs


async def test_server_computes_the_complexity(demo):
    _, gitlab = demo
    for make in (changes_question, jobs_question):
        question = make(range(1, 101))
        query = question.query.replace("{\n", "{ queryComplexity { score }\n", 1)
        answer = await gitlab.graphql(query, question.variables)
        # The question for the score costs two points.
        assert answer["queryComplexity"]["score"] - 2 == question.complexity < 250
