"""A downstream pipeline is monitored once, unless its id is reused after a reset."""

import pytest

from gitlab_jobs_async import GroupTarget, JobStatus, MemoryStore, PipelineTarget
from gitlab_jobs_async.models.jobs import Bridge
from gitlab_jobs_async.models.pipelines import PipelineBasic
from gitlab_jobs_async.monitor.checkpoint.outbox import Outbox
from gitlab_jobs_async.monitor.checkpoint.shard_record import ShardRecord
from gitlab_jobs_async.monitor.discovered import PREFIX, DiscoveredPipelines
from gitlab_jobs_async.monitor.groups import group_name
from gitlab_jobs_async.monitor.recorder import StateRecorder
from gitlab_jobs_async.monitor.target_index import TargetIndex
from gitlab_jobs_async.monitor.watch.factory import target_name
from gitlab_jobs_async.monitor.watch.queries import DownstreamPipeline
from gitlab_jobs_async.store.values import Shard, route_of
from tests.support.stores import ONE


def started(states=b"", watched=(), targets=(), epoch=0, shard=ONE):
    outbox = Outbox(ShardRecord(MemoryStore(), None, shard))
    recorder = StateRecorder(outbox, {NAME: states} if states else {}, downstream=True)
    index = TargetIndex()
    for target in targets:
        is_group = isinstance(target, GroupTarget)
        index.add(group_name(target) if is_group else target_name(target), target)
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
    assert started(targets=[4]) == [NAME]


@pytest.mark.parametrize("watched", [{NAME}, {"pipeline 5 of 3"}])
def test_watched_pipeline_is_not_started(watched):
    assert started(watched=watched) == []


def test_pipeline_of_a_target_is_not_started():
    assert started(targets=[3]) == []
    # Another process may poll it, so that its id is unknown here.
    assert started(targets=["Shop/Web"]) == []
    assert started(targets=["shop/web-2"]) == [NAME]


@pytest.mark.parametrize("project", [3, "shop/web"])
def test_own_target_has_its_pipeline_to_the_end(project):
    assert started(targets=[PipelineTarget(project, 5)]) == []
    assert started(targets=[PipelineTarget(project, 6)]) == [NAME]
    early = PipelineTarget(project, 5, until="blocked")
    assert started(targets=[early]) == [NAME]
    assert started(targets=[early, PipelineTarget(30, 5)]) == []


def test_group_of_another_shard_has_its_pipelines():
    def elsewhere(group, **how):
        target = GroupTarget(group, **how)
        number = (route_of(group_name(target)) + 1) % 4
        return started(targets=[target], shard=Shard(number, 4))

    assert elsewhere("Shop") == elsewhere("shop", include_subgroups=False) == []
    assert elsewhere("sho") == elsewhere("shop/web") == elsewhere(17) == [NAME]
    # Of a group of this shard, the projects are known.
    assert started(targets=[GroupTarget("shop")]) == [NAME]


@pytest.mark.parametrize(("epoch", "names"), [(0, []), (7, []), (8, [NAME])])
def test_finished_pipeline_restarts_after_reset(epoch, names):
    assert started(OVER, epoch=epoch) == names
