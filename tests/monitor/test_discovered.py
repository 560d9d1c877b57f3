"""A downstream pipeline is monitored once, unless its id is reused after a reset."""

import pytest

from gitlab_jobs_async import JobStatus
from gitlab_jobs_async.models.jobs import Bridge
from gitlab_jobs_async.models.pipelines import PipelineBasic
from gitlab_jobs_async.monitor.checkpoint.outbox import Outbox
from gitlab_jobs_async.monitor.discovered import PREFIX, DiscoveredPipelines
from gitlab_jobs_async.monitor.recorder import StateRecorder
from gitlab_jobs_async.monitor.target_index import TargetIndex
from gitlab_jobs_async.monitor.watch.queries import DownstreamPipeline


def started(states=b"", watched=(), projects=(), epoch=0):
    recorder = StateRecorder(Outbox(), {NAME: states} if states else {}, downstream=True)
    index = TargetIndex()
    for project in projects:
        index.add(str(project), project)
    discovered = DiscoveredPipelines(recorder, TargetIndex(), index)
    bridge = Bridge(id=1, status=JobStatus.SUCCESS, stage="test", name="trigger")
    page = "https://gitlab.example.com/shop/web/-/pipelines/5"
    below = PipelineBasic(id=5, status=JobStatus.RUNNING, project_id=3, web_url=page)
    pipeline = DownstreamPipeline.of(below, bridge, epoch, is_new=True)
    return [name for _, name in discovered.start([pipeline], watched, "project 4")]


NAME = f"{PREFIX}3 5"
OVER = b'{"jobs":[],"is_over":true,"epoch":7}'


def test_new_pipeline_is_started():
    assert started() == [NAME]
    assert started(projects=[4]) == [NAME]


@pytest.mark.parametrize("watched", [{NAME}, {"pipeline 5 of 3"}])
def test_watched_pipeline_is_not_started(watched):
    assert started(watched=watched) == []


def test_pipeline_of_a_target_is_not_started():
    assert started(projects=[3]) == []
    # Another process may poll it, so that its id is unknown here.
    assert started(projects=["Shop/Web"]) == []
    assert started(projects=["shop/web-2"]) == [NAME]


@pytest.mark.parametrize(("epoch", "names"), [(0, []), (7, []), (8, [NAME])])
def test_finished_pipeline_restarts_after_reset(epoch, names):
    assert started(OVER, epoch=epoch) == names
