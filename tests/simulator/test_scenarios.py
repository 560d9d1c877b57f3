"""The ready-made worlds keep their promises."""

from collections import Counter

from gitlab_jobs_async.simulator import Simulator, SteppedClock, default_world, demo_world

NOW = 1_750_000_000.0


def named(world, name):
    return max((job for job in world.jobs.values() if job.name == name), key=lambda job: job.id)


def test_demo_world_is_a_busy_place():
    world = demo_world(NOW)
    assert len(world.projects) >= 8
    assert len(world.pipelines) >= 12
    assert len(world.jobs) >= 150
    assert [p.source for p in world.pipelines.values()].count("parent_pipeline") == 1
    statuses = Counter(job.status for job in world.jobs.values())
    assert {"success", "failed", "running", "manual", "skipped", "created"} <= set(statuses)
    assert {"canceled", "scheduled", "pending"} <= set(statuses)


def test_demo_world_is_the_same_every_time():
    def shown(world):
        return [(job.id, job.name, job.status, job.finished_at) for job in world.jobs.values()]

    assert shown(demo_world(NOW)) == shown(demo_world(NOW))


def test_a_long_log_grows_for_minutes():
    world = demo_world(NOW)
    job = named(world, "end-to-end")
    assert job.status == "running"
    left = job.started_at + job.plan.duration - NOW
    assert 200 <= left <= 240
    assert job.plan.upload_interval <= 5
    log = b"".join(job.log.read(0, job.log.size))
    assert log.count(b"\n") > 240
    assert b"section_start" in log
    assert b"\x1b[3" in log
    world.settle(NOW + 241)
    assert job.status == "success"


def test_a_failed_job_succeeds_on_retry():
    world = demo_world(NOW)
    job = named(world, "contract")
    assert (job.status, job.retried) == ("failed", False)
    again = world.retry(job)
    world.settle(NOW + 60)
    assert again.status == "success"


def test_a_manual_job_is_ready():
    world = demo_world(NOW)
    job = named(world, "deploy production")
    assert job.status == "manual"
    world.play(job)
    world.settle(NOW + 60)
    assert job.status == "success"
    assert job.pipeline.status == "success"


def test_jobs_keep_coming():
    world = demo_world(NOW)
    before = len(world.jobs)
    world.settle(NOW + 120)
    middle = len(world.jobs)
    world.settle(NOW + 600)
    assert before < middle < len(world.jobs)


def test_pipelines_come_in_each_hour():
    world = demo_world(NOW)
    for hour in range(1, 31):
        world.settle(NOW + hour * 3600)
        new = [p for p in world.pipelines.values() if p.created_at > NOW + (hour - 1) * 3600]
        assert 50 <= len(new) <= 90


def test_old_pipelines_are_deleted():
    world = demo_world(NOW)
    world.settle(NOW + 36 * 3600)
    assert min(p.created_at for p in world.pipelines.values()) > NOW + 12 * 3600 - 120
    assert len(world.pipelines) <= 24 * 60 + 2
    assert len(world.jobs) == sum(len(p.jobs) for p in world.pipelines.values())


def test_steady_pipelines_are_deterministic():
    def shown(steps):
        world = demo_world(NOW)
        for step in range(1, steps + 1):
            world.settle(NOW + 7200 * step / steps)
        return [(job.id, job.name, job.status, job.finished_at) for job in world.jobs.values()]

    assert shown(1) == shown(50)


def test_default_world():
    world = default_world(NOW)
    statuses = [(job.id, job.name, job.status) for job in world.jobs.values()]
    assert statuses == [
        (1, "compile", "success"),
        (2, "unit", "running"),
        (3, "flaky", "failed"),
        (4, "deploy", "manual"),
    ]
    assert world.jobs[1].artifacts


def test_simulator_shows_the_world_as_of_now():
    clock = SteppedClock(NOW)
    gitlab = Simulator(clock=clock)
    assert gitlab.world.now == NOW
    clock.advance(1000)
    assert gitlab.world.jobs[2].status == "success"
    assert gitlab.token == gitlab.world.token
