"""Jobs of the projects of groups, with projects that are named twice."""

from datetime import timedelta

import pytest

from gitlab_jobs_async import GroupTarget, NotFoundError
from gitlab_jobs_async.simulator import JobPlan
from tests.support.cancellation import cancel_half_way

SHOP, DEEP = GroupTarget("shop"), GroupTarget("shop/deep")


@pytest.fixture
def world(simulator):
    world = simulator.world
    for path in ("shop/web", "shop/deep/api", "shop/docs"):
        project = world.add_project(path)
        failed = JobPlan(queued=0.0, duration=1.0, outcome="failed")
        world.add_job(world.add_pipeline(project), path, plan=failed)
    world.project("shop/docs").jobs_enabled = False
    return world


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([SHOP], ["shop/deep/api", "shop/web"]),
        ([DEEP, SHOP], ["shop/deep/api", "shop/web"]),
        ([SHOP, "Shop/Web/"], ["shop/deep/api", "Shop/Web/"]),
        (["shop/web", SHOP], ["shop/web", "shop/deep/api"]),
        ([GroupTarget("shop", include_subgroups=False)], ["shop/web"]),
    ],
)
async def test_each_project_is_listed_once(gitlab, simulator, world, given, expected):
    # The simulator tells letters apart in paths, unlike GitLab.
    world.registry.paths["Shop/Web"] = world.project("shop/web")
    listed = await gitlab.list_jobs(given)
    assert list(listed) == expected
    assert [[job.name for job in jobs] for jobs in listed.values()] == [
        [name.strip("/").lower()] for name in expected
    ]
    requested = [r.path for r in simulator.requests if r.path.endswith("/jobs")]
    assert len(requested) == len(set(requested)) == len(expected)


async def test_project_given_by_id_is_listed_once(gitlab, world):
    number = world.project("shop/web").id
    assert list(await gitlab.list_jobs([SHOP, number])) == ["shop/deep/api", number]


async def test_failures_of_a_group_are_counted_once(gitlab, simulator, world):
    simulator.clock.advance(60)
    number = world.project("shop/web").id
    groups = await gitlab.list_failures([SHOP, DEEP, number], since=timedelta(hours=1))
    assert sorted((str(group.project), group.count) for group in groups) == [
        (str(number), 1),
        ("shop/deep/api", 1),
    ]


async def test_streamed_jobs_of_a_group_have_paths(gitlab, world):
    async with gitlab.stream_jobs([SHOP]) as jobs:
        assert {project async for project, _ in jobs} == {"shop/deep/api", "shop/web"}
    assert world


async def test_unknown_group_ends_the_call(gitlab, world):
    with pytest.raises(NotFoundError, match="Group Not Found"):
        await gitlab.list_jobs([SHOP, GroupTarget("none")])
    assert world


async def test_cancelled_group_jobs_leave_nothing(simulator, gitlab, world):
    await cancel_half_way(simulator, gitlab, gitlab.list_jobs([SHOP, DEEP]))
    assert world
