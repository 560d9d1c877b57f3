"""A listing contains every job exactly once or raises a typed error, while everything fails.

Each seed has another kind of GitLab server with 50 projects and 20,000 jobs. A tenth of all
requests meets some fault, while jobs are created, deleted and change their status. No test really
sleeps.
"""

import asyncio
import logging
import random
import traceback
from collections import Counter
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest
from aiohttp import ClientSession
from attrs import define, evolve, field

from gitlab_jobs_async import BearerToken, GitLab, GitLabError, PrivateToken
from gitlab_jobs_async.simulator import Fault, Faults, Simulator, SimulatorSettings, World
from tests.support.clocks import JumpClock
from tests.support.connections import open_connections
from tests.support.coverage import measured_once
from tests.support.tasks import others, until

SEEDS = range(20)
LARGE, SMALL = 1000, 250
PIPELINE = 500
SINGLE = 49
"""The project with as many pipelines as jobs."""
TOKEN = "glpat-ch4os-s3cret"
DESCRIPTORS = Path("/dev/fd")
CHANGING = 0.2
"""Share of requests that follow a change of the world."""

ENDED = ("success", "failed", "canceled")
GAPS = ("dense", "uniform", "bursty", "heavy_tailed")
JSON_500 = b'{"message":"500 Internal Server Error"}'
SHARES = [
    (0.012, Fault(latency=2, jitter=5)),
    (0.007, Fault(status=500, body=JSON_500, content_type="application/json")),
    (0.007, Fault.bad_gateway()),
    (0.007, Fault(status=503, body=b"<h1>503</h1>", headers={"Retry-After": "7"})),
    (0.005, Fault(status=504)),
    (0.005, Fault(status=520, body=b"error code: 520", content_type="text/plain")),
    (0.004, Fault.throttled(retry_after=30)),
    (0.004, Fault.throttled(retry_after=None)),
    (0.004, evolve(Fault.throttled(retry_after=None), retry_date=20)),
    (0.004, Fault.too_many_requests()),
    (0.004, Fault.too_many_requests(retry_after=60)),
    (0.004, evolve(Fault.too_many_requests(), retry_date=40)),
    (0.007, Fault(reset="before")),
    (0.004, Fault(reset="unanswered")),
    (0.007, Fault(reset="within")),
    (0.006, Fault(reset="truncated")),
    (0.004, Fault(reset="truncated", cut_at=0)),
    (0.004, Fault(reset="after")),
    (0.003, Fault.sign_in_page()),
    (0.006, Fault(drip=20_000)),
]  # fmt: skip


def settings_of(seed):
    """Return each kind of server in turn."""
    return SimulatorSettings(
        version="18.0" if seed % 3 == 0 else "19.5",
        keyset=seed % 4 != 3,
        cursor_form="opaque" if seed % 4 == 2 else "json",
        external_url="https://gitlab.internal" if seed % 3 == 1 else None,
        gzip=seed % 5 == 4,
        offset_limit=500 if seed == 19 else 50_000,
        count_limit=100 if seed % 6 == 5 else 10_000,
        api_limit=100 if seed % 5 == 1 else None,
        jobs_index_limit=30 if seed % 5 == 2 else 0,
        jobs_index_retry_after=seed % 2 == 0,
    )


def build(seed):
    """Build ten large projects and forty small ones, with pipelines of 1, 20 and 500 jobs."""
    world = World(JumpClock().now(), seed=seed)
    world.add_user("chaos", token=TOKEN, admin=True)
    for number in range(50):
        project = world.add_project(f"group/p{number}")
        size, per_pipeline = (LARGE, PIPELINE) if number < 10 else (SMALL, 20)
        per_pipeline = 1 if number == SINGLE else per_pipeline
        world.add_finished_jobs(
            project, size, per_pipeline=per_pipeline, gaps=GAPS[(number + seed) % 4]
        )
    assert len(world.jobs) == 20_000
    return world


@define
class ShuffledClock(JumpClock):
    """A server's clock whose sleepers wake in a random order."""

    rng: random.Random = field(factory=lambda: random.Random(0))

    async def sleep(self, seconds):
        await super().sleep(seconds)
        for _ in range(self.rng.randrange(12)):
            await asyncio.sleep(0)


@define
class Unrest:
    """Changes of the world; `touched` holds the ids of everything that has changed."""

    world: World
    rng: random.Random
    projects: list = field(factory=list)
    touched: set[int] = field(factory=set)

    def watch(self, projects):
        self.projects = projects
        self.touched.clear()

    def happen(self):
        if not self.projects:
            return
        project = self.rng.choice(self.projects)
        kinds = [self.create, self.create_late, self.delete, self.change, self.retry]
        kinds.append(self.delete_pipeline)
        self.rng.choice(kinds)(project)

    def create(self, project):
        made = self.world.add_finished_jobs(project, self.rng.randint(1, 40), per_pipeline=7)
        self.touch(made)

    def create_late(self, project):
        """A job that becomes visible after younger ones."""
        free = self.rng.choice(project.builds).id + 1
        if free not in self.world.jobs:
            self.touch(self.world.add_finished_jobs(project, 1, first_id=free))

    def delete(self, project):
        for job in self.rng.sample(project.builds, 5):
            self.touched.add(job.id)
            self.world.delete_job(job)

    def change(self, project):
        for job in self.rng.sample(project.builds, 20):
            self.touched.add(job.id)
            job.status = "canceled" if job.status == "success" else "success"

    def retry(self, project):
        """The old attempt leaves the list of its pipeline, a new one comes."""
        job = self.rng.choice(project.builds)
        if not job.retried and job.status in {"success", "failed", "canceled"}:
            self.touched |= {job.id, self.world.retry(job).id}

    def delete_pipeline(self, project):
        smallest = min(project.pipelines, key=lambda pipeline: (len(pipeline.jobs), pipeline.id))
        if len(smallest.jobs) < 50:
            self.touched |= {smallest.id, *(job.id for job in smallest.jobs)}
            for job in list(smallest.jobs):
                self.world.delete_job(job)
            project.pipelines.remove(smallest)
            del self.world.registry.pipelines[smallest.id]

    def touch(self, jobs):
        self.touched |= {job.id for job in jobs} | {job.pipeline.id for job in jobs}


@define
class Chaos:
    """The world, the client and the results of one seed."""

    simulator: Simulator
    gitlab: GitLab
    unrest: Unrest
    tally: Counter
    seed: int

    @property
    def world(self):
        return self.unrest.world

    @property
    def is_keyset(self):
        return self.simulator.settings.keyset

    @property
    def scope(self):
        return ("success", "failed") if self.seed % 2 else ()

    @property
    def large(self):
        return self.world.projects[self.seed % 10]

    @property
    def several(self):
        """All projects, or one that is large and four that are not."""
        projects = self.world.projects
        others = [projects[10 + (5 * self.seed + step) % 39] for step in range(4)]
        return projects if self.seed == 0 else [self.large, *others]

    async def call(self, name, projects, ask, rows):
        """Call *ask*; what it gives (ids by key) must be what *rows* says was there all along."""
        self.unrest.watch(projects)
        before, tasks = rows(), await others()
        # Attempts that have not ended may do so by themselves, and then enter the scope.
        builds = [job for project in projects for job in project.builds]
        moving = {job.id for job in builds if job.status not in ENDED}
        listed, failure = None, None
        try:
            listed = await ask()
        except GitLabError as error:
            failure = error
        self.tally[f"{name}: {type(failure).__name__ if failure else 'complete'}"] += 1
        self.tally["typed errors" if failure else "complete"] += 1
        if failure:
            said = "".join(traceback.format_exception(failure))
            assert TOKEN not in f"{said} {failure!r} {vars(failure)}"
        else:
            touched = self.unrest.touched | moving
            assert listed.keys() == before.keys()
            for key, found in listed.items():
                assert found == sorted(set(found), reverse=True), (name, key)
                assert set(found) - touched == before[key] - touched, (name, key)
            self.tally["rows"] += sum(map(len, listed.values()))
        self.unrest.watch([])
        assert await others() == tasks, name
        await until(lambda: open_connections(self.gitlab) == 0)


def ids(rows):
    return [row.id for row in rows]


def matching(projects, scope=()):
    return lambda: {
        project.path: {job.id for job in project.builds if not scope or job.status in scope}
        for project in projects
    }


async def list_several(chaos):
    paths = [project.path for project in chaos.several]
    listed = await chaos.gitlab.list_jobs(paths, scope=chaos.scope)
    return {path: ids(jobs) for path, jobs in listed.items()}


async def stream_several(chaos):
    listed = {project.path: [] for project in chaos.several}
    async with chaos.gitlab.stream_jobs(list(listed), scope=chaos.scope) as jobs:
        async for path, job in jobs:
            listed[path].append(job.id)
    return {path: sorted(found, reverse=True) for path, found in listed.items()}


async def every_listing(chaos):
    """Call each method once, for projects that the seed selects."""
    gitlab, large, several, scope = chaos.gitlab, chaos.large, chaos.several, chaos.scope
    pipeline, single, small = large.pipelines[0], chaos.world.projects[SINGLE], several[1]

    async def list_jobs():
        return {large.path: ids(await gitlab.project(large.id).list_jobs(scope=scope))}

    async def iter_jobs():
        return {small.path: [job.id async for job in gitlab.project(small.path).iter_jobs()]}

    async def list_pipeline_jobs():
        return {pipeline.id: ids(await gitlab.project(large.id).list_pipeline_jobs(pipeline.id))}

    async def list_pipelines():
        return {single.path: ids(await gitlab.project(single.path).list_pipelines())}

    def of_pipeline():
        return {pipeline.id: {job.id for job in pipeline.builds if not job.retried}}

    def pipelines():
        return {single.path: set(ids(single.pipelines))}

    over_several = [("GitLab.list_jobs", list_several), ("GitLab.stream_jobs", stream_several)]
    for name, ask in over_several:
        await chaos.call(name, several, partial(ask, chaos), matching(several, scope))
    for name, project, ask, rows in [
        ("list_jobs", large, list_jobs, matching([large], scope)),
        ("iter_jobs", small, iter_jobs, matching([small])),
        ("list_pipeline_jobs", large, list_pipeline_jobs, of_pipeline),
        ("list_pipelines", single, list_pipelines, pipelines),
    ]:
        await chaos.call(name, [project], ask, rows)


async def left_early(chaos):
    """Cancel a listing at some point, and leave an iteration early."""
    gitlab, tasks = chaos.gitlab, await others()
    paths = [f"group/p{(10 * step + chaos.seed) % 50}" for step in range(3)]
    listing = asyncio.ensure_future(gitlab.list_jobs(paths))
    for _ in range(5 * chaos.seed):
        await asyncio.sleep(0)
    listing.cancel()
    (ended,) = await asyncio.gather(listing, return_exceptions=True)
    assert isinstance(ended, asyncio.CancelledError | GitLabError | dict)
    rows = gitlab.project(paths[1]).iter_jobs()
    try:
        async for _ in rows:
            break
    except GitLabError:
        chaos.tally["left early: failed"] += 1
    await rows.aclose()
    assert await others() == tasks
    await until(lambda: open_connections(gitlab) == 0)


@pytest.fixture(scope="module")
def tally(request):
    """Sum up all seeds, printed with -v; a minimum share of listings must be complete."""
    counts = Counter()
    yield counts
    if request.config.get_verbosity() > 0:
        plugins = request.config.pluginmanager
        reporter = plugins.getplugin("terminalreporter")
        with plugins.getplugin("capturemanager").global_and_fixture_disabled():
            reporter.write_line("")
            for name, count in sorted(counts.items()):
                reporter.write_line(f"chaos: {name}: {count}")
    if counts["seeds"] == len(SEEDS):
        assert counts["complete"] > 0.8 * (counts["complete"] + counts["typed errors"])
        assert 0.05 < counts["struck"] / counts["requests"] < 0.2


def shown(fault):
    """Return the kind of a fault in a few words."""
    after = fault.headers.get("Retry-After", "a date" if fault.retry_date else "")
    answer = f"{fault.status} {fault.body[:9].decode()!r} {after}" if fault.status else ""
    lost = f"{fault.reset} {fault.cut_at or ''}" if fault.reset else ""
    return answer or lost or ("drip" if fault.drip else "latency")


def descriptors():
    return len(list(DESCRIPTORS.iterdir()))


@pytest.mark.skipif(not DESCRIPTORS.exists(), reason="needs a list of open files")
@pytest.mark.parametrize("seed", measured_once(SEEDS))
async def test_listing_is_exact_or_a_typed_error(seed, tally, caplog):
    caplog.set_level(logging.DEBUG)
    debugs = seed == 7
    asyncio.get_running_loop().set_debug(debugs)
    before, opened = await others(), descriptors()
    clock, world = ShuffledClock(), build(seed)
    unrest = Unrest(world, random.Random(seed))
    faults = [evolve(fault, probability=share, times=None) for share, fault in SHARES]
    async with AsyncExitStack() as stack:
        simulator = Simulator(world, settings_of(seed), clock)
        simulator.faults = Faults(seed)
        changes = Fault(effect=unrest.happen, jitter=0.05, probability=CHANGING, times=None)
        simulator.faults.add(Fault(jitter=0.05, times=None), changes, *faults)
        await stack.enter_async_context(simulator)
        session = await stack.enter_async_context(ClientSession()) if seed % 4 == 1 else None
        auth = BearerToken(TOKEN) if seed % 3 == 2 else PrivateToken(TOKEN)
        client = GitLab(simulator.url, auth=auth, session=session, clock=clock)
        gitlab = await stack.enter_async_context(client)
        chaos = Chaos(simulator, gitlab, unrest, tally, seed)
        await every_listing(chaos)
        await left_early(chaos)
        tally["requests"] += len(simulator.requests)
        for fault in faults:
            tally["struck"] += simulator.faults.count(fault)
            tally[f"struck: {shown(fault)}"] += simulator.faults.count(fault)
    assert await others() == before
    await until(lambda: descriptors() == opened)
    logged = {record.name for record in caplog.records}
    assert logged >= ({"gitlab_jobs_async", "asyncio"} if debugs else {"gitlab_jobs_async"})
    assert TOKEN not in caplog.text
    assert all(TOKEN not in f"{record.__dict__}" for record in caplog.records)
    tally["seeds"] += 1
