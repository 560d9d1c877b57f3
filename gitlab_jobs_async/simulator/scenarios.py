"""Reproducible worlds: a small one for tests, a busy one for demonstrations."""

import random
from typing import Final

from gitlab_jobs_async.simulator.logs import RunnerScript
from gitlab_jobs_async.simulator.plans import NEVER, JobPlan, PipelinePlan, PlannedJob
from gitlab_jobs_async.simulator.records import MergeRequest, Pipeline, Project, User
from gitlab_jobs_async.simulator.world import World

_REPORT: Final = {
    "reports/junit.xml": b'<testsuite name="unit" tests="212" failures="0"/>\n',
    "coverage/index.html": b"<html><body>87.50%</body></html>\n",
}


def default_world(now: float) -> World:
    """Return the default world: project `group/app` (id 1) with one pipeline, a minute old.

    `compile` (1) has succeeded and has artifacts, `unit` (2) runs for ten more minutes, `flaky`
    (3) has failed and succeeds on retry, `deploy` (4) is manual. Bob is a developer, with the
    token `glpat-bob`.
    """
    world = World(now - 60.0)
    bob = world.add_user("bob")
    project = world.add_project("group/app", members={bob: "developer"})
    pipeline = world.add_pipeline(project, stages=("build", "test", "deploy"), user=bob)
    world.add_job(
        pipeline,
        "compile",
        stage="build",
        plan=JobPlan(duration=10.0, artifacts=_REPORT, coverage=87.5),
    )
    world.add_job(pipeline, "unit", plan=JobPlan(duration=630.0))
    world.add_job(
        pipeline,
        "flaky",
        plan=JobPlan(duration=10.0, outcome="failed", attempts=(JobPlan(duration=10.0),)),
    )
    world.add_job(
        pipeline, "deploy", stage="build", plan=JobPlan(when="manual", allow_failure=True)
    )
    world.settle(now)
    return world


_PROJECTS: Final = (
    "shop/checkout",
    "shop/payments",
    "shop/storefront",
    "shop/search",
    "platform/gateway",
    "platform/identity",
    "platform/billing",
    "infra/deploy",
    "infra/images",
    "data/warehouse",
)
_KEPT: Final = 86_400.0
_PEOPLE: Final = ("ada.king", "grace.hopper", "linus.berg", "mei.tanaka")
_TITLES: Final = (
    "Retry the payment webhook once",
    "Bump base image to bookworm",
    "Cache search suggestions",
    "Fix rounding in the cart",
    "Drop the old session table",
)
_STEPS: Final = (
    ("build", ("compile", "assets", "image")),
    ("test", ("lint", "typecheck", "unit 1/3", "unit 2/3", "unit 3/3", "integration")),
    ("deploy", ("review", "staging")),
)


def demo_world(now: float) -> World:
    """Return a company's GitLab in the middle of a working day, at `now`.

    It has ten projects and about two hundred jobs in all statuses. New pipelines follow without
    end: one every 25 s at first, one a minute after ten minutes. Pipelines are deleted a day after
    their creation, so that memory stays bounded.

    In `shop/checkout` the job `end-to-end` runs for about 220 more seconds and uploads its long,
    coloured log every 4 s. In `shop/payments` the job `contract` has failed and succeeds on retry.
    In `infra/deploy` the job `deploy production` is manual, and `trigger images` has created a
    child pipeline. Within a minute another `contract` fails and another `trigger images` creates a
    child. `world.token` is an administrator's.
    """
    rng = random.Random(20250615)  # noqa: S311 - the same world every time
    world = World(now - 3600.0, seed=1)
    people = [world.add_user(name) for name in _PEOPLE]
    world.add_runner("docker-large", tags=("docker", "large"))
    projects = [_project(world, path, people) for path in _PROJECTS]
    for index in range(18):
        project = projects[index % len(projects)]
        start = now - 3400.0 + index * 180.0 + rng.uniform(0, 40)
        world.settle(start)
        _ordinary_pipeline(world, project, people[index % len(people)], rng, ref=_ref(index))
    _payments(world, now)
    _checkout(world, now)
    _infra(world, now)
    _data(world, now)
    _yet_to_come(world, projects, people, now, rng)
    _soon(world, now)
    _Steady(world, projects, people).start(now + 620.0)
    world.settle(now)
    return world


def _project(world: World, path: str, people: list[User]) -> Project:
    roles = ("maintainer", "developer", "developer", "reporter")
    members = dict(zip(people, roles, strict=True))
    return world.add_project(path, visibility="internal", members=members)


def _ref(index: int) -> str:
    return "main" if index % 3 else f"feature/{1200 + index}-faster-checkout"


def _ordinary_pipeline(
    world: World, project: Project, user: User, rng: random.Random, *, ref: str
) -> Pipeline:
    pipeline = world.add_pipeline(project, ref=ref, user=user)
    pipeline.title = rng.choice(_TITLES)
    for stage, names in _STEPS:
        for name in names:
            world.add_job(pipeline, name, stage=stage, plan=_ordinary_plan(stage, name, rng))
    return pipeline


def _ordinary_plan(stage: str, name: str, rng: random.Random) -> JobPlan:
    duration = rng.uniform(20, 160)
    if name == "staging":
        return JobPlan(when="manual", duration=duration)
    lint_fails = name == "lint" and rng.random() < 0.3
    outcome = "failed" if lint_fails or rng.random() < 0.06 else "success"
    return JobPlan(
        queued=rng.uniform(1, 12),
        duration=duration,
        outcome=outcome,
        allow_failure=name == "lint",
        coverage=round(rng.uniform(70, 95), 2) if name.startswith("unit") else None,
        tags=("docker",) if stage == "build" else (),
        artifacts=_REPORT if name.startswith("unit") else {},
        artifacts_expire_in=None,
        log=RunnerScript(lines=rng.randint(20, 60), seed=rng.randint(0, 999)),
    )


def _payments(world: World, now: float) -> None:
    world.settle(now - 200.0)
    pipeline = world.add_pipeline(world.project("shop/payments"), stages=("build", "test"))
    pipeline.title = "Speak version 2 of the ledger's contract"
    world.add_merge_request(pipeline.project, MergeRequest(iid=12, source_branch="ledger"))
    world.add_job(pipeline, "compile", stage="build", plan=JobPlan(duration=40.0))
    again = JobPlan(duration=35.0, log=RunnerScript(lines=40, seed=8))
    flaky = JobPlan(duration=60.0, outcome="failed", attempts=(again,))
    world.add_job(pipeline, "contract", plan=flaky)
    world.add_job(pipeline, "unit", plan=JobPlan(duration=400.0, coverage=91.2))


def _checkout(world: World, now: float) -> None:
    world.settle(now - 45.0)
    pipeline = world.add_pipeline(world.project("shop/checkout"), stages=("test", "deploy"))
    pipeline.title = "Pay by instalments"
    plan = JobPlan(
        queued=5.0,
        duration=260.0,
        first_upload=2.0,
        upload_interval=4.0,
        log=RunnerScript(lines=240, progress=4, seed=4),
    )
    world.add_job(pipeline, "end-to-end", plan=plan)
    world.add_job(pipeline, "lint", plan=JobPlan(duration=15.0))
    world.add_job(pipeline, "review", stage="deploy")


def _infra(world: World, now: float) -> None:
    world.settle(now - 40.0)
    pipeline = world.add_pipeline(
        world.project("infra/deploy"), stages=("plan", "images", "deploy")
    )
    pipeline.title = "Roll out release 2025.24"
    world.add_job(pipeline, "terraform plan", stage="plan", plan=JobPlan(duration=8.0))
    world.add_bridge(pipeline, "trigger images", stage="images", downstream=_images())
    manual = JobPlan(when="manual", allow_failure=False, queued=3.0, duration=45.0)
    world.add_job(pipeline, "deploy production", stage="deploy", plan=manual)


def _images() -> PipelinePlan:
    jobs = tuple(PlannedJob(f"image {name}", "build") for name in ("api", "web", "worker"))
    return PipelinePlan(jobs=jobs, name="images")


def _soon(world: World, now: float) -> None:
    again = JobPlan(duration=35.0, log=RunnerScript(lines=40, seed=8))
    contract = JobPlan(duration=25.0, outcome="failed", attempts=(again,))
    payments = PipelinePlan(
        jobs=(
            PlannedJob("compile", "build", JobPlan(duration=15.0)),
            PlannedJob("contract", "test", contract),
            PlannedJob("unit", "test", JobPlan(duration=50.0, coverage=91.4)),
        ),
        name="Speak version 3 of the ledger's contract",
    )
    world.plan_pipeline(world.project("shop/payments"), payments, at=now + 10.0)
    release = PipelinePlan(
        jobs=(
            PlannedJob("terraform plan", "plan", JobPlan(duration=20.0)),
            PlannedJob("trigger images", "images", downstream=_images()),
            PlannedJob("announce", "deploy", JobPlan(duration=15.0)),
        ),
        name="Roll out release 2025.25",
    )
    world.plan_pipeline(world.project("infra/deploy"), release, at=now + 30.0)


def _data(world: World, now: float) -> None:
    world.settle(now - 30.0)
    warehouse = world.project("data/warehouse")
    pipeline = world.add_pipeline(warehouse, stages=("load", "report"), source="schedule")
    pipeline.title = "Nightly load, started again by hand"
    huge = world.add_job(pipeline, "full reload", stage="load", plan=JobPlan(duration=3000.0))
    world.add_job(pipeline, "vacuum", stage="load", plan=JobPlan(when="delayed", start_in=600.0))
    gpu = JobPlan(queued=NEVER, tags=("gpu",))
    world.add_job(pipeline, "train model", stage="load", plan=gpu)
    world.settle(now - 10.0)
    world.cancel(huge)


def _yet_to_come(
    world: World, projects: list[Project], people: list[User], now: float, rng: random.Random
) -> None:
    for index in range(24):
        at = now + 12.0 + index * 25.0 + rng.uniform(0, 8)
        project = projects[(index * 3) % len(projects)]
        world.plan_pipeline(project, _plan(rng), at=at, user=people[index % len(people)])


def _plan(rng: random.Random) -> PipelinePlan:
    jobs = tuple(
        PlannedJob(name, stage, _ordinary_plan(stage, name, rng))
        for stage, names in _STEPS[:2]
        for name in names
    )
    return PipelinePlan(jobs=jobs)


class _Steady:
    """One pipeline a minute without end; deletes those that are a day old."""

    def __init__(self, world: World, projects: list[Project], people: list[User]) -> None:
        self._world = world
        self._projects = projects
        self._people = people
        # Its own: people's actions draw from `world.random`, and must not change what follows.
        self._rng = random.Random(20250616)  # noqa: S311 - the same pipelines every time

    def start(self, at: float) -> None:
        self._world.call_at(at, self._add)

    def _add(self, at: float) -> None:
        project = self._rng.choice(self._projects)
        user = self._rng.choice(self._people)
        self._world.plan_pipeline(project, _plan(self._rng), at=at, user=user)
        # As GitLab's automatic pipeline cleanup does, whose shortest limit is a day.
        for pipeline in list(self._world.pipelines.values()):
            if pipeline.created_at > at - _KEPT:
                break
            self._world.delete_pipeline(pipeline)
        self._world.call_at(at + 60.0, self._add)
