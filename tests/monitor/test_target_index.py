"""The index finds the targets of a webhook, the same as a scan and sooner."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async import JobHook, JobStatus, JobTarget, PipelineHook, PipelineTarget
from gitlab_jobs_async.models.webhooks import HookProject
from gitlab_jobs_async.monitor.target_index import HookTarget, TargetIndex

FEW = st.integers(1, 4)
PATHS = st.sampled_from(["group/a", "Group/A", "group/b", "/group/a/", "3"])
TARGETS = st.one_of(
    FEW, PATHS, st.builds(PipelineTarget, PATHS, FEW), st.builds(JobTarget, FEW, FEW)
)
PROJECTS = st.sampled_from([None, "group/a", "group/b"]).map(
    lambda path: path and HookProject(path_with_namespace=path)
)
HOOKS = st.one_of(
    st.builds(
        JobHook,
        project_id=FEW,
        job_id=FEW,
        pipeline_id=FEW,
        name=st.just("a"),
        stage=st.just("b"),
        status=st.just(JobStatus.RUNNING),
        project=PROJECTS,
    ),
    st.builds(
        PipelineHook,
        project_id=FEW,
        pipeline_id=FEW,
        status=st.just(JobStatus.RUNNING),
        project=PROJECTS,
    ),
)


def is_about(hook, target, number):
    """Return whether *hook* is about one target, with the project id *number* if known."""
    match target:
        case PipelineTarget(pipeline_id=pipeline_id):
            return hook.pipeline_id == pipeline_id
        case JobTarget(job_id=job_id):
            return isinstance(hook, JobHook) and hook.job_id == job_id
        case int():
            return hook.project_id == target
    if number is not None:
        return hook.project_id == number
    return target.strip("/").lower() in {hook.project_path, str(hook.project_id)}


@given(st.lists(st.tuples(TARGETS, st.none() | FEW, st.booleans()), max_size=12), HOOKS)
def test_index_finds_the_same_as_a_scan(targets, hook):
    index, left = TargetIndex(), {}
    for place, (target, number, is_removed) in enumerate(targets):
        name = f"t{place}"
        index.add(name, target)
        if number is not None:
            index.learn_id(name, number)
        if is_removed:
            index.remove(name)
            index.remove(name)
        else:
            left[name] = target, number
    expected = [name for name, (target, n) in left.items() if is_about(hook, target, n)]
    assert sorted(index.targets_of(HookTarget.of(hook))) == sorted(expected)
    assert len(index) == len(left)
    for name in left:
        index.remove(name)
    assert not index.targets_of(HookTarget.of(hook))
    assert not index._names


def pipeline_hook(path=None, **fields):
    project = path and HookProject(path_with_namespace=path)
    return PipelineHook(pipeline_id=5, status=JobStatus.RUNNING, project=project, **fields)


def test_moved_project_is_found_by_its_id():
    index = TargetIndex()
    index.add("one", "group/old")
    assert index.targets_of(HookTarget.of(pipeline_hook(project_id=7, path="group/old"))) == ["one"]
    assert index.project_name(7, "") is None
    index.learn_id("one", 7)
    assert index.project_name(7, "")
    assert index.targets_of(HookTarget.of(pipeline_hook(project_id=7, path="group/new"))) == ["one"]
    assert not index.targets_of(HookTarget.of(pipeline_hook(project_id=8, path="group/old")))
    index.learn_id("unknown", 9)
    assert len(index) == 1


@pytest.mark.parametrize("count", [100_000])
def test_lookup_is_faster_than_a_scan(count):
    """A scan took 139 ms; a thousand hooks must take less than fifteen scans."""
    index = TargetIndex()
    for number in range(count):
        index.add(f"p{number}", f"group/p{number}")
        index.learn_id(f"p{number}", number)
    begun = time.process_time()
    for number in range(0, count, count // 1000):
        assert index.targets_of(HookTarget.of(pipeline_hook(project_id=number))) == [f"p{number}"]
    assert time.process_time() - begun < 2.0
