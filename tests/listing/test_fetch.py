"""Whole listings of every kind of server; a page that cannot be read is an error."""

import asyncio
import json
from itertools import count

import pytest

from gitlab_jobs_async import (
    DecodeError,
    GitLab,
    JobToken,
    ListingChangedError,
    MethodNotAllowedError,
    NotFoundError,
    PermissionDeniedError,
    RetryPolicy,
    ServerError,
)
from gitlab_jobs_async.simulator import Fault, Simulator, SimulatorSettings
from tests.support.cancellation import cancel_half_way
from tests.support.connections import open_connections
from tests.support.tasks import others, prompt, until

JOBS = "*/projects/*/jobs"


async def simulated(clock, count, **settings):
    """Return a server with these *settings* and a project `big` with *count* finished jobs."""
    simulator = Simulator(settings=SimulatorSettings(**settings), clock=clock.stepped)
    project = simulator.world.add_project("big")
    simulator.world.add_finished_jobs(project, count)
    return simulator


def ids(simulator):
    jobs = simulator.world.project("big").builds
    return sorted((job.id for job in jobs), reverse=True)


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 200, 350])
@pytest.mark.parametrize(
    "settings", [{}, {"cursor_form": "opaque"}, {"keyset": False}, {"external_url": "https://x"}]
)
async def test_every_job_is_listed_once_newest_first(clock, count, settings):
    async with await simulated(clock, count, **settings) as simulator:
        async with GitLab(simulator.url, auth=simulator.token) as gitlab:
            project = gitlab.project("big")
            listed = [job.id for job in await project.list_jobs()]
            assert listed == ids(simulator)
            pages = max(1, -(-count // 100))
            # A full first page without Link may have lost it, so page 2 is requested.
            is_asked_again = count == 100 and "keyset" not in settings
            most = 1 if pages == 1 else pages + 4
            assert len(simulator.requests) <= most + is_asked_again
            before = len(simulator.requests)
            assert [job.id async for job in project.iter_jobs()] == listed
            requests = len(simulator.requests) - before
            assert requests <= pages + ("keyset" in settings)


async def test_refused_keyset_falls_back_to_offset(clock):
    refusal = '{"error":"Keyset pagination is not yet available for this type of request"}'
    async with await simulated(clock, 250, keyset=False) as simulator:
        simulator.faults.add(Fault(path=JOBS, status=405, body=refusal))
        async with GitLab(simulator.url, auth=simulator.token) as gitlab:
            listed = [job.id for job in await gitlab.project("big").list_jobs()]
    assert listed == ids(simulator)
    assert ("pagination", "keyset") not in simulator.requests[1].query


async def test_later_405_is_an_error(clock):
    async with await simulated(clock, 250, keyset=False) as simulator:
        simulator.faults.add(Fault(path=JOBS, status=405, skip=1, times=None))
        async with GitLab(simulator.url, auth=simulator.token) as gitlab:
            with pytest.raises(MethodNotAllowedError):
                await gitlab.project("big").list_jobs()


async def test_jobs_created_meanwhile_repeat_no_row(clock):
    async with await simulated(clock, 250, keyset=False) as simulator:
        before = ids(simulator)

        def create():
            simulator.world.add_finished_jobs(simulator.world.project("big"), 7)

        simulator.faults.add(Fault(path=JOBS, skip=1, effect=create))
        async with GitLab(simulator.url, auth=simulator.token) as gitlab:
            listed = [job.id for job in await gitlab.project("big").list_jobs()]
    assert listed == before


async def test_unreadable_page_is_an_error(clock):
    async with await simulated(clock, 350) as simulator:
        simulator.faults.add(Fault(path=JOBS, status=502, skip=2, times=None))
        retry = RetryPolicy(attempts=2)
        async with GitLab(simulator.url, auth=simulator.token, clock=clock, retry=retry) as gitlab:
            with pytest.raises(ServerError):
                await gitlab.project("big").list_jobs()


async def test_failed_page_is_retried(clock):
    async with await simulated(clock, 350) as simulator:
        simulator.faults.add(Fault(path=JOBS, status=502, skip=2, times=2))
        async with GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab:
            listed = [job.id for job in await gitlab.project("big").list_jobs()]
    assert listed == ids(simulator)
    assert 6 <= len(simulator.requests) <= 10


async def test_foreign_next_page_is_an_error(clock):
    async with await simulated(clock, 5) as simulator:
        link = f'<{simulator.url}/explore>; rel="next"'
        fault = Fault(
            path=JOBS,
            status=200,
            body="[]",
            content_type="application/json",
            headers={"Link": link},
        )
        simulator.faults.add(fault)
        async with GitLab(simulator.url, auth=simulator.token) as gitlab:
            with pytest.raises(DecodeError, match="points outside this API"):
                await gitlab.project("big").list_jobs()


async def test_query_token_is_on_every_page_once(simulator):
    simulator.world.add_finished_jobs(simulator.world.project("group/app"), 250)
    token = JobToken(simulator.world.jobs[2].token, via="query")
    async with GitLab(simulator.url, auth=token) as gitlab:
        assert len([job async for job in gitlab.project("group/app").iter_jobs()]) == 254
    assert len(simulator.requests) == 3
    for request in simulator.requests:
        assert [value for name, value in request.query if name == "job_token"] == [token.token]


LOST = [
    ("[]", lambda n: f"cursor=fresh{n}"),
    ('[{"id": 5, "status": "success", "stage": "a", "name": "b"}]', lambda n: f"cursor={n % 2}"),
]


@pytest.mark.parametrize(("body", "query"), LOST)
@pytest.mark.parametrize("name", ["list_jobs", "list_pipelines"])
async def test_endless_pagination_is_an_error(gitlab, simulator, body, query, name):
    headers, numbers = {}, count()

    def next_headers():
        url = f"http://x/api/v4/projects/1/jobs?{query(next(numbers))}"
        headers["Link"] = f'<{url}>; rel="next"'

    fault = Fault(
        status=200, body=body, content_type="application/json", headers=headers, times=None,
        effect=next_headers,
    )  # fmt: skip
    simulator.faults.add(fault)
    with pytest.raises((DecodeError, ListingChangedError)):
        await getattr(gitlab.project(1), name)()
    assert len(simulator.requests) < 40


async def test_jobs_in_another_order_are_an_error(gitlab, simulator):
    rows = [{"id": n, "status": "success", "stage": "a", "name": "b"} for n in (1, 2)]
    fault = Fault(status=200, body=json.dumps(rows), content_type="application/json")
    simulator.faults.add(fault)
    with pytest.raises(DecodeError, match="not newest first"):
        await gitlab.project(1).list_jobs()


async def test_unordered_pipeline_jobs_are_sorted(gitlab, simulator):
    rows = [{"id": n, "status": "success", "stage": "a", "name": "b"} for n in (1, 3, 2, 3)]
    body = json.dumps(rows)
    simulator.faults.add(Fault(status=200, body=body, content_type="application/json", times=2))
    assert [job.id for job in await gitlab.project(1).list_pipeline_jobs(1)] == [3, 2, 1]
    assert [job.id async for job in gitlab.project(1).iter_pipeline_jobs(1)] == [1, 3, 2]


async def test_ref_is_filtered_for_older_servers(clock):
    settings = SimulatorSettings(job_ref_filter=False)
    async with Simulator(settings=settings, clock=clock.stepped) as simulator:
        async with GitLab(simulator.url, auth=simulator.token) as gitlab:
            assert len(await gitlab.project(1).list_jobs(ref="main")) == 4
            assert await gitlab.project(1).list_jobs(ref="other") == []


async def test_refused_sorting_is_an_error(gitlab, simulator):
    simulator.faults.add(Fault(status=405, times=None))
    with pytest.raises(MethodNotAllowedError):
        await gitlab.project(1).list_pipelines(sort="asc")
    assert len(simulator.requests) == 1


async def test_iter_jobs_requests_pages_on_demand(clock):
    async with await simulated(clock, 350) as simulator:
        async with GitLab(simulator.url, auth=simulator.token) as gitlab:
            rows = gitlab.project("big").iter_jobs()
            for _ in range(100):
                await anext(rows)
            assert len(simulator.requests) == 1
            await anext(rows)
            assert len(simulator.requests) == 2
            await rows.aclose()


async def test_1500_pages_in_another_order(gitlab, simulator):
    numbers, headers = iter(range(1, 1501)), {}

    body = '[{"id": 1, "status": "success", "ref": "main", "sha": "a", "project_id": 1}]'
    fault = Fault(
        path="*/pipelines", status=200, body=body, content_type="application/json",
        headers=headers, times=1499,
        effect=lambda: headers.update({"X-Next-Page": str(next(numbers) + 1)}),
    )  # fmt: skip
    simulator.faults.add(fault)
    pipelines = [p async for p in gitlab.project(1).iter_pipelines(order_by="updated_at")]
    assert 1 in {pipeline.id for pipeline in pipelines}
    assert len(simulator.requests) == 1500


@prompt
async def test_abandoned_listing_leaves_nothing(clock):
    async with await simulated(clock, 350) as simulator:
        async with GitLab(simulator.url, auth=simulator.token) as gitlab:
            before = await others()
            async for _ in gitlab.project("big").iter_jobs():
                break
            assert await others() == before
            assert open_connections(gitlab) == 0


@prompt
async def test_error_cancels_pending_pages(clock):
    """The error is raised unchanged, not in a group, and no task or connection is left."""
    async with await simulated(clock, 3000) as simulator:
        simulator.faults.add(Fault(path=JOBS, status=403, skip=9, times=None))
        async with GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab:
            before = await others()
            with pytest.raises(PermissionDeniedError):
                await gitlab.project("big").list_jobs()
            assert await others() == before
            await until(lambda: open_connections(gitlab) == 0)


@pytest.mark.parametrize("settings", [{}, {"cursor_form": "opaque"}, {"keyset": False}])
async def test_pages_are_concurrent_within_the_window(clock, settings):
    most, now = 0, 0
    async with await simulated(clock, 3000, **settings) as simulator:
        async with GitLab(simulator.url, auth=simulator.token, concurrency=5) as gitlab:
            send = gitlab._transport.send

            async def counted(request, priority, **how):
                nonlocal most, now
                now += 1
                most = max(most, now)
                try:
                    return await send(request, priority, **how)
                finally:
                    now -= 1

            gitlab._transport.send = counted
            listed = await gitlab.project("big").list_jobs()
        assert [job.id for job in listed] == ids(simulator)
        assert most == (5 if not settings else 1)
        assert len(simulator.requests) <= 30 * 1.2 + 2 * 5 + 2


async def test_pages_of_a_big_pipeline_are_concurrent(clock):
    simulator = Simulator(clock=clock.stepped)
    project = simulator.world.add_project("big")
    simulator.world.add_finished_jobs(project, 950, per_pipeline=950)
    async with simulator:
        async with GitLab(simulator.url, auth=simulator.token) as gitlab:
            big = gitlab.project("big")
            pipeline = (await big.list_pipelines())[0]
            simulator.requests.clear()
            listed = await big.list_pipeline_jobs(pipeline.id)
            assert [job.id for job in listed] == ids(simulator)
            assert len(simulator.requests) <= 12
            emitted = [job.id async for job in big.iter_pipeline_jobs(pipeline.id)]
            assert emitted == ids(simulator)


async def many(clock, projects, jobs):
    simulator = Simulator(clock=clock.stepped)
    paths = [f"group/p{n}" for n in range(projects)]
    for path in paths:
        simulator.world.add_finished_jobs(simulator.world.add_project(path), jobs)
    return simulator, paths


async def test_many_projects_cost_their_pages(clock):
    simulator, paths = await many(clock, 50, 200)
    async with simulator:
        async with GitLab(simulator.url, auth=simulator.token) as gitlab:
            listed = await gitlab.list_jobs(paths)
    assert list(listed) == paths
    for path, jobs in listed.items():
        builds = simulator.world.project(path).builds
        assert [job.id for job in jobs] == [build.id for build in reversed(builds)]
    assert len(simulator.requests) <= 100 + 2 * 16 + 2


async def test_streamed_jobs_have_their_project(clock):
    simulator, paths = await many(clock, 7, 250)
    async with simulator:
        async with GitLab(simulator.url, auth=simulator.token, concurrency=3) as gitlab:
            async with gitlab.stream_jobs(paths) as jobs:
                streamed = [(project, job.id) async for project, job in jobs]
    expected = {(p, build.id) for p in paths for build in simulator.world.project(p).builds}
    assert len(streamed) == len(expected)
    assert set(streamed) == expected


async def test_stream_requests_pages_on_demand(clock):
    simulator, paths = await many(clock, 20, 1000)
    async with simulator:
        async with GitLab(simulator.url, auth=simulator.token, concurrency=4) as gitlab:
            async with gitlab.stream_jobs(paths) as jobs:
                await anext(jobs)
                for _ in range(20):
                    await asyncio.sleep(0.005)
                assert len(simulator.requests) <= 4 + 1


@prompt
async def test_abandoned_stream_leaves_nothing(clock):
    simulator, paths = await many(clock, 5, 1000)
    async with simulator:
        async with GitLab(simulator.url, auth=simulator.token) as gitlab:
            before = await others()
            async with gitlab.stream_jobs(paths) as jobs:
                async for _ in jobs:
                    break
            assert await others() == before
            await until(lambda: open_connections(gitlab) == 0)
            with pytest.raises(StopAsyncIteration):
                await anext(jobs)


@prompt
async def test_closed_stream_ends_its_reader(clock):
    async def all_of(jobs):
        return [job async for job in jobs]

    simulator, paths = await many(clock, 5, 1000)
    async with simulator:
        async with GitLab(simulator.url, auth=simulator.token, clock=clock) as gitlab:
            simulator.faults.add(Fault(latency=1.0, times=None))
            before = await others()
            async with gitlab.stream_jobs(paths) as jobs:
                reading = asyncio.create_task(all_of(jobs))
                await until(lambda: simulator.clock.next_wake)
            with pytest.raises(RuntimeError, match="task group is closed"):
                await reading
            assert await others() == before
            simulator.clock.advance(5)


async def test_stream_raises_the_first_error_unchanged(clock):
    simulator, paths = await many(clock, 5, 100)
    async with simulator:
        async with GitLab(simulator.url, auth=simulator.token) as gitlab:

            async def stream():
                async with gitlab.stream_jobs([*paths, "group/none"]) as jobs:
                    return [job async for job in jobs]

            with pytest.raises(NotFoundError):
                await stream()
            assert await others() == set()


@pytest.mark.parametrize(
    ("projects", "options", "error"),
    [
        ("group/app", {}, TypeError),
        ([0], {}, ValueError),
        ([1], {"scope": "broken"}, ValueError),
        ([1], {"ref": ""}, ValueError),
    ],
)
async def test_bad_arguments_send_no_request(gitlab, simulator, projects, options, error):
    with pytest.raises(error):
        async with gitlab.stream_jobs(projects, **options):
            pass
    with pytest.raises(error):
        await gitlab.list_jobs(projects, **options)
    assert simulator.requests == []


async def test_no_projects_are_no_jobs(gitlab, simulator):
    assert await gitlab.list_jobs([]) == {}
    async with gitlab.stream_jobs([]) as jobs:
        assert [job async for job in jobs] == []
    assert simulator.requests == []


async def test_refused_offset_returns_to_keyset(clock):
    """The first response comes from a node before 15.9; the others have keyset and the limit."""
    refusal = '{"error":"Keyset pagination is not yet available for this type of request"}'
    async with await simulated(clock, 950, offset_limit=300) as simulator:
        simulator.faults.add(Fault(path=JOBS, status=405, body=refusal))
        async with GitLab(simulator.url, auth=simulator.token) as gitlab:
            listed = [job.id for job in await gitlab.project("big").list_jobs()]
    assert listed == ids(simulator)
    statuses = [request.status for request in simulator.requests]
    assert statuses.count(405) >= 2


@prompt
async def test_cancelled_stream_leaves_nothing(clock):
    async with await simulated(clock, 350) as simulator:
        async with GitLab(simulator.url, auth=simulator.token) as gitlab:

            async def stream():
                async with gitlab.stream_jobs(["big", 1]) as jobs:
                    async for _ in jobs:
                        pass

            await cancel_half_way(simulator, gitlab, stream())


@prompt
async def test_cancelled_listings_leave_nothing(clock):
    async with await simulated(clock, 350) as simulator:
        async with GitLab(simulator.url, auth=simulator.token) as gitlab:
            await cancel_half_way(simulator, gitlab, gitlab.list_jobs(["big", 1]))


async def test_token_like_a_header_word_hides_no_page(clock):
    async with await simulated(clock, 350) as simulator:
        world = simulator.world
        world.add_token(world.add_user("ada", admin=True), "next")
        async with GitLab(simulator.url, auth="next") as gitlab:
            assert len(await gitlab.project("big").list_jobs()) == 350
