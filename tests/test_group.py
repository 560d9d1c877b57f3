"""The projects of a group, against the simulated GitLab over real HTTP."""

from contextlib import aclosing

import pytest

from gitlab_jobs_async import NotFoundError, PermissionDeniedError
from gitlab_jobs_async.simulator import Fault
from tests.support.cancellation import cancel_half_way
from tests.support.connections import open_connections
from tests.support.tasks import others


@pytest.fixture
def world(simulator):
    return simulator.world


@pytest.fixture
def shop(gitlab, simulator):
    world = simulator.world
    for path in ("shop/web/cart", "shop/api", "shopping/list"):
        world.add_project(path, members={world.root: "maintainer"})
    return gitlab.group("shop")


def paths(projects):
    return [project.path_with_namespace for project in projects]


async def test_list_projects_includes_subgroups(shop):
    assert paths(await shop.list_projects()) == ["shop/api", "shop/web/cart"]
    assert paths(await shop.list_projects(include_subgroups=False)) == ["shop/api"]


async def test_iter_projects_equals_list_projects(shop):
    assert [p async for p in shop.iter_projects()] == await shop.list_projects()


async def test_project_info_has_the_fields_of_gitlab(shop, world):
    api = world.project("shop/api")
    api.archived = True
    project = (await shop.list_projects())[0]
    assert (project.id, project.path, project.visibility) == (api.id, "api", "private")
    assert (project.archived, project.jobs_enabled, project.public_jobs) == (True, True, True)
    assert project.last_activity_at.tzinfo is not None


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"archived": True}, ["shop/api"]),
        ({"archived": False}, ["shop/web/cart"]),
        ({"search": "CAR"}, ["shop/web/cart"]),
        ({"visibility": "public"}, ["shop/web/cart"]),
        ({"owned": True}, []),
        ({"with_shared": False}, ["shop/api", "shop/web/cart"]),
    ],
)
async def test_filter_chooses_projects(shop, world, filters, expected):
    world.project("shop/api").archived = True
    world.project("shop/web/cart").visibility = "public"
    assert paths(await shop.list_projects(**filters)) == expected
    assert paths([p async for p in shop.iter_projects(**filters)]) == expected


async def test_many_projects_are_listed_once_each(shop, world):
    members = {world.root: "maintainer"}
    added = [world.add_project(f"shop/app-{n}", members=members).id for n in range(250)]
    listed = [project.id for project in await shop.list_projects()]
    assert listed == sorted(listed, reverse=True)
    assert set(added) < set(listed)
    assert len(listed) == len(set(listed)) == 252


async def test_numeric_id_of_a_group_is_accepted(gitlab, shop):
    # The simulator numbers groups in the order of their first projects: group, shop, ...
    assert await gitlab.group(2).list_projects() == await shop.list_projects()


async def test_unknown_group_raises_not_found(gitlab):
    with pytest.raises(NotFoundError, match="404 Group Not Found"):
        await gitlab.group("no/such").list_projects()


async def test_forbidden_group_raises(simulator, shop):
    simulator.faults.add(Fault(status=403, times=None))
    with pytest.raises(PermissionDeniedError):
        await shop.list_projects()


@pytest.mark.parametrize("group", ["", "a//b", "a%2Fb", "a b", 0, -1])
def test_invalid_group_raises_value_error(gitlab, group):
    with pytest.raises(ValueError, match="group"):
        gitlab.group(group)


@pytest.mark.parametrize(
    ("filters", "error", "text"),
    [
        ({"archived": "no"}, TypeError, "archived must be True or False, not 'no'"),
        ({"include_subgroups": 1}, TypeError, "include_subgroups must be True or False"),
        ({"visibility": "secret"}, ValueError, "unknown visibility 'secret': expected one of"),
        ({"search": ""}, ValueError, "invalid search ''"),
        ({"colour": "red"}, TypeError, "unknown filter 'colour' of projects: expected one of"),
    ],
)
async def test_invalid_filter_raises_before_requests(shop, simulator, filters, error, text):
    with pytest.raises(error, match=text):
        await shop.list_projects(**filters)
    with pytest.raises(error, match=text):
        shop.iter_projects(**filters)
    assert not simulator.requests


async def test_cancelled_list_projects_leaves_nothing(simulator, gitlab, shop):
    await cancel_half_way(simulator, gitlab, shop.list_projects())


async def test_iter_projects_left_early_leaves_nothing(gitlab, shop):
    before = await others()
    async with aclosing(shop.iter_projects()) as projects:
        async for _ in projects:
            break
    assert await others() == before
    assert open_connections(gitlab) == 0
