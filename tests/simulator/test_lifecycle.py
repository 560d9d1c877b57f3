"""How jobs and pipelines move: the table of steps, stages, attempts; and settling in any steps."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitlab_jobs_async.simulator import NEVER, JobPlan, PipelinePlan, PlannedJob, World
from gitlab_jobs_async.simulator.lifecycle import fire
from gitlab_jobs_async.simulator.statuses import STATUSES, TRANSITIONS, composite

UNFINISHED = {
    "created", "waiting_for_resource", "preparing", "waiting_for_callback", "pending", "running"
}  # fmt: skip
# gitlab.md section 9, written down a second time
LEGAL = {
    "process": ({"skipped", "manual"}, "created"),
    "enqueue": ({"created", "skipped", "manual", "scheduled"}, "pending"),
    "enqueue_preparing": ({"preparing"}, "pending"),
    "actionize": ({"created"}, "manual"),
    "schedule": ({"created"}, "scheduled"),
    "unschedule": ({"scheduled"}, "manual"),
    "enqueue_scheduled": ({"scheduled"}, "pending"),
    "run": ({"pending"}, "running"),
    "skip": ({"created", "waiting_for_resource", "preparing", "pending"}, "skipped"),
    "succeed": (UNFINISHED, "success"),
    "drop": (UNFINISHED | {"manual", "scheduled"}, "failed"),
    "cancel": (UNFINISHED | {"manual", "scheduled"}, "canceled"),
    "cancel_gracefully": ({"running"}, "canceling"),
    "force_cancel": ({"canceling"}, "canceled"),
}


def one_job(plan, **options):
    world = World(0.0)
    pipeline = world.add_pipeline(world.add_project("g/p"), **options)
    return world, pipeline, world.add_job(pipeline, "job", plan=plan)


@pytest.mark.parametrize(("event", "status"), list(itertools.product(LEGAL, STATUSES)))
def test_table_of_steps(event, status):
    sources, target = LEGAL[event]
    world, _, job = one_job(JobPlan())
    job.status = status
    if event in {"succeed", "drop"} and status == "canceling":
        sources, target = {"canceling"}, "canceled"
    moved = fire(world.registry, job, event, 5.0)
    assert moved is (status in sources)
    assert job.status == (target if moved else status)
    assert (job.finished_at == 5.0) is (moved and target in {"success", "failed", "canceled"})
    assert (job.failure_reason is not None) is (moved and target == "failed")


def test_every_step_leads_to_a_known_status():
    assert len(STATUSES) == 13
    for steps in TRANSITIONS.values():
        assert set(steps) | set(steps.values()) <= set(STATUSES)


@pytest.mark.parametrize(
    ("plan", "seen"),
    [
        (JobPlan(), [(0, "pending"), (2, "running"), (32, "success")]),
        (JobPlan(preparing=5), [(0, "preparing"), (5, "pending"), (7, "running"), (37, "success")]),
        (
            JobPlan(waiting_for_resource=4, preparing=5),
            [(0, "waiting_for_resource"), (4, "preparing"), (9, "pending"), (11, "running"),
             (41, "success")],
        ),
        (JobPlan(when="delayed", start_in=60), [(0, "scheduled"), (60, "pending"),
                                                (62, "running"), (92, "success")]),
        (JobPlan(when="manual"), [(0, "manual")]),
        (JobPlan(outcome="skipped"), [(0, "skipped")]),
        (JobPlan(when="on_failure"), [(0, "skipped")]),
        (JobPlan(when="always"), [(0, "pending"), (2, "running"), (32, "success")]),
        (JobPlan(queued=NEVER), [(0, "pending")]),
        (JobPlan(queued=0, duration=NEVER), [(0, "running")]),
        (JobPlan(outcome="canceled"), [(0, "pending"), (2, "running"), (32, "canceled")]),
    ],
)  # fmt: skip
def test_planned_timelines(plan, seen):
    world, _, job = one_job(plan)
    found = []
    for second in range(200):
        world.settle(float(second))
        if not found or found[-1][1] != job.status:
            found.append((second, job.status))
    assert found == seen


@pytest.mark.parametrize(
    ("first", "second", "pipeline"),
    [
        (JobPlan(), "success", "success"),
        (JobPlan(outcome="failed"), "skipped", "failed"),
        (JobPlan(outcome="failed", allow_failure=True), "success", "success"),
        (JobPlan(outcome="canceled"), "skipped", "canceled"),
        (JobPlan(outcome="skipped"), "success", "success"),
        (JobPlan(when="manual"), "success", "success"),
        (JobPlan(when="manual", allow_failure=False), "created", "manual"),
        (JobPlan(when="delayed", start_in=1e9), "created", "scheduled"),
        (JobPlan(queued=1e9), "created", "pending"),
        (JobPlan(duration=1e9), "created", "running"),
        (JobPlan(preparing=1e9), "created", "preparing"),
    ],
)
def test_stage_follows_the_previous_one(first, second, pipeline):
    world, made, _ = one_job(first, stages=("test", "deploy"))
    later = world.add_job(made, "later", stage="deploy")
    world.settle(1000.0)
    assert made.status == pipeline
    assert later.status == second


@pytest.mark.parametrize("when", ["on_failure", "always"])
def test_clean_up_runs_after_a_failure(when):
    world, made, _ = one_job(JobPlan(outcome="failed"), stages=("test", "clean"))
    clean = world.add_job(made, "clean", stage="clean", plan=JobPlan(when=when))
    world.settle(1000.0)
    assert (clean.status, made.status) == ("success", "failed")


def test_retry_brings_skipped_jobs_back():
    plan = JobPlan(outcome="failed", attempts=(JobPlan(),))
    world, made, job = one_job(plan, stages=("test", "deploy"))
    later = world.add_job(made, "later", stage="deploy")
    world.settle(1000.0)
    again = world.retry(job)
    assert (later.status, made.status) == ("created", "pending")
    world.settle(2000.0)
    assert (again.status, later.status, made.status) == ("success", "success", "success")


def test_auto_retry_creates_new_ids_until_success():
    bad = JobPlan(outcome="failed")
    plan = JobPlan(outcome="failed", auto_retry=2, attempts=(bad, JobPlan()))
    world, made, _ = one_job(plan)
    world.settle(1000.0)
    assert [(job.status, job.retried) for job in made.jobs] == [
        ("failed", True),
        ("failed", True),
        ("success", False),
    ]
    assert made.status == "success"
    assert len({job.id for job in made.jobs}) == 3


def test_auto_retry_gives_up():
    world, made, _ = one_job(JobPlan(outcome="failed", auto_retry=2))
    world.settle(1000.0)
    assert [job.status for job in made.jobs] == ["failed"] * 3
    assert made.status == "failed"


def test_planned_pipeline_is_created_when_due():
    world = World(0.0)
    project = world.add_project("g/p")
    plan = PipelinePlan(jobs=(PlannedJob("a", "build"), PlannedJob("b", "test")))
    world.plan_pipeline(project, plan, at=50.0)
    assert world.next_event() == 50.0
    world.settle(49.0)
    assert not world.pipelines
    world.settle(50.0)
    assert [job.status for job in world.jobs.values()] == ["pending", "created"]


def test_canceled_plan_is_void():
    world, _, job = one_job(JobPlan(duration=100))
    world.settle(50.0)
    world.cancel(job)
    finished = job.finished_at
    world.settle(500.0)
    assert (job.status, job.finished_at) == ("canceled", finished)


def test_runner_has_the_jobs_tags():
    world, _, job = one_job(JobPlan(tags=("gpu",)))
    gpu = world.add_runner("gpu-1", tags=("gpu", "docker"))
    world.settle(10.0)
    assert job.runner is gpu


def test_job_of_a_running_pipeline_starts_now():
    world, made, _ = one_job(JobPlan(duration=1000))
    world.settle(500.0)
    late = world.add_job(made, "late")
    assert late.created_at == 500.0
    world.settle(501.0)
    assert (late.status, late.queued_at) == ("pending", 500.0)


def test_ids_may_appear_out_of_order():
    world, made, _ = one_job(JobPlan())
    world.add_job(made, "high", job_id=100)
    world.add_job(made, "low", job_id=50)
    assert [job.id for job in made.project.builds] == [1, 50, 100]
    with pytest.raises(ValueError, match="job 50 already"):
        world.add_job(made, "again", job_id=50)


def test_deleted_jobs_are_gone():
    world, made, job = one_job(JobPlan())
    world.delete_job(job)
    world.settle(100.0)
    assert not made.jobs
    assert not made.project.builds
    assert job.id not in world.jobs


@pytest.mark.parametrize(
    ("jobs", "status"),
    [
        ([], None),
        ([("success", False), ("skipped", False)], "success"),
        ([("skipped", False)], "skipped"),
        ([("manual", True)], "skipped"),
        ([("success", False), ("manual", True)], "success"),
        ([("failed", True), ("success", False)], "success"),
        ([("failed", False), ("success", False)], "failed"),
        ([("canceled", False), ("success", False)], "canceled"),
        ([("pending", False), ("created", False)], "pending"),
        ([("pending", False), ("success", False)], "running"),
        ([("manual", False), ("created", False)], "manual"),
        ([("created", False), ("success", False)], "running"),
        ([("canceling", False), ("success", False)], "canceling"),
        ([("preparing", False)], "preparing"),
        ([("waiting_for_resource", False), ("manual", False)], "waiting_for_resource"),
    ],
)
def test_one_status_of_many(jobs, status):
    assert composite(jobs) == status


plans = st.builds(
    JobPlan,
    waiting_for_resource=st.sampled_from([0.0, 3.0]),
    preparing=st.sampled_from([0.0, 2.0]),
    queued=st.floats(0, 20),
    duration=st.floats(0, 50),
    outcome=st.sampled_from(["success", "failed", "canceled", "skipped"]),
    when=st.sampled_from(["on_success", "on_failure", "always", "manual", "delayed"]),
    start_in=st.floats(0, 30),
    allow_failure=st.sampled_from([None, True, False]),
    auto_retry=st.integers(0, 2),
)
pipelines = st.lists(st.tuples(st.sampled_from("abc"), plans), min_size=1, max_size=6)


def played(jobs, times, delay):
    world = World(0.0)
    world.registry.status_delay = delay
    project = world.add_project("g/p")
    planned = tuple(PlannedJob(f"j{n}", stage, plan) for n, (stage, plan) in enumerate(jobs))
    child = PipelinePlan(jobs=planned, stages=("a", "b", "c"), depend=True)
    for at in (1.0, 30.0):
        stages = ("a", "b", "c")
        jobs_and_bridge = (PlannedJob("bridge", "b", downstream=child), *planned)
        plan = PipelinePlan(jobs=jobs_and_bridge, stages=stages)
        world.plan_pipeline(project, plan, at=at)
    for at in times:
        world.settle(at)
    return [
        (j.id, j.name, j.status, j.queued_at, j.started_at, j.finished_at, j.retried)
        for j in world.jobs.values()
    ], [(p.id, p.status, p.updated_at, p.finished_at) for p in world.pipelines.values()]


@settings(deadline=None)
@given(pipelines, st.lists(st.floats(0, 300)), st.sampled_from([0.0, 4.0]))
def test_settling_once_equals_settling_in_steps(jobs, times, delay):
    steps = [*sorted(times), 400.0]
    assert played(jobs, steps, delay) == played(jobs, [400.0], delay)


@settings(deadline=None)
@given(pipelines)
def test_every_job_ends(jobs):
    rows, _ = played(jobs, [10_000.0], 0.0)
    assert {row[2] for row in rows} <= {
        "success", "failed", "canceled", "skipped", "manual", "created", "running"
    }  # fmt: skip
    running = {row[1] for row in rows if row[2] == "running"}
    assert running <= {"bridge"}, "only a bridge may wait for ever, for a blocked child"


@pytest.mark.parametrize(
    "build",
    [
        lambda world: world.add_project("a/b", visibility="secret"),
        lambda world: world.add_project("a/b", variables_role="boss"),
        lambda world: world.add_project("a/b", members={world.root: "boss"}),
        lambda world: world.add_project("17"),
        lambda world: world.add_project("/a/b"),
        lambda world: world.add_project("taken/path"),
        lambda world: world.move_project(world.add_project("a/b"), "taken/path"),
        lambda world: world.move_project(world.add_project("a/b"), "17"),
        lambda world: world.add_runner("r", runner_type="mine"),
        lambda world: world.add_user("root", token="another"),
        lambda world: world.add_user("bob", token="glpat-root"),
        lambda world: setattr(world.add_project("a/b"), "variables_role", "boss"),
    ],
)
def test_impossible_world_is_refused(build):
    world = World()
    taken = world.add_project("taken/path")
    with pytest.raises(ValueError, match=r".+"):
        build(world)
    assert world.project("taken/path") is taken
    assert world.registry.tokens["glpat-root"].user is world.root


async def test_a_runner_is_active_while_it_runs_a_job(api, job, clock):
    path = f"GET /projects/1/jobs/{job('unit').id}"
    assert (await api(path)).json["runner"]["job_execution_status"] == "active"
    clock.advance(3600)
    assert (await api(path)).json["runner"]["job_execution_status"] == "idle"


def test_needs_start_jobs_before_their_stage():
    """A job waits for its `needs` only, and an empty list for nothing."""
    world = World(0.0)
    pipeline = world.add_pipeline(world.add_project("g/p"), stages=("build", "test", "deploy"))
    quick = JobPlan(queued=1.0, duration=10.0)
    world.add_job(pipeline, "fast", stage="build", plan=quick)
    world.add_job(pipeline, "slow", stage="build", plan=JobPlan(queued=1.0, duration=100.0))
    unit = world.add_job(pipeline, "unit", plan=JobPlan(needs=("fast",), duration=5.0))
    lint = world.add_job(pipeline, "lint", plan=JobPlan(needs=(), duration=5.0))
    whole = world.add_job(pipeline, "whole", plan=quick)
    after = world.add_job(pipeline, "after", stage="deploy", plan=JobPlan(needs=("unit", "lint")))
    world.settle(500.0)
    assert [job.queued_at for job in (lint, unit, whole, after)] == [0.0, 11.0, 101.0, 18.0]


@pytest.mark.parametrize(
    ("need", "when", "status"),
    [
        (JobPlan(outcome="skipped"), "on_success", "skipped"),
        (JobPlan(outcome="skipped"), "always", "success"),
        (JobPlan(when="manual", allow_failure=True), "on_success", "skipped"),
        (JobPlan(when="manual", allow_failure=False), "on_success", "created"),
        (JobPlan(outcome="failed", allow_failure=True), "on_success", "success"),
        (JobPlan(outcome="failed"), "on_success", "skipped"),
        (JobPlan(outcome="failed"), "on_failure", "success"),
    ],
)
def test_need_that_did_not_succeed(need, when, status):
    """Follows process_build_service.rb, and composite.rb with `dag: true`."""
    world = World(0.0)
    pipeline = world.add_pipeline(world.add_project("g/p"), stages=("build", "test"))
    world.add_job(pipeline, "need", stage="build", plan=need)
    job = world.add_job(pipeline, "job", plan=JobPlan(needs=("need",), when=when))
    world.settle(500.0)
    assert job.status == status
