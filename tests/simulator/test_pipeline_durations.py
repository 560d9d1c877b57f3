"""A pipeline's duration, as lib/gitlab/ci/pipeline/duration.rb computes it."""

from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async.simulator import JobPlan, PipelinePlan, PlannedJob, World
from gitlab_jobs_async.simulator.api.durations import pipeline_duration, running_time

START = 1_750_000_000.0
PERIODS = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 20)).map(lambda pair: (pair[0], sum(pair))),
    max_size=8,
)


@given(PERIODS)
def test_running_time_counts_each_second_once(periods):
    seconds = {second for start, end in periods for second in range(start, end)}
    assert running_time(periods) == len(seconds)


@given(PERIODS, st.randoms())
def test_running_time_knows_no_order(periods, random):
    shuffled = random.sample(periods, len(periods))
    assert running_time(shuffled) == running_time(periods)


@given(PERIODS, PERIODS)
def test_running_time_is_bounded_by_its_parts(first, second):
    both = running_time([*first, *second])
    assert max(running_time(first), running_time(second)) <= both
    assert both <= running_time(first) + running_time(second)


def finished(world, pipeline, seconds=1000):
    world.settle(START + seconds)
    return pipeline_duration(pipeline)


def pipeline_of(world):
    return world.add_pipeline(world.add_project("shop/web"))


def test_time_between_jobs_does_not_count():
    world = World(START)
    pipeline = pipeline_of(world)
    world.add_job(pipeline, "a", plan=JobPlan(queued=2, duration=30))
    world.add_job(pipeline, "b", plan=JobPlan(queued=12, duration=30))
    world.add_job(pipeline, "c", stage="deploy", plan=JobPlan(queued=100, duration=5))
    assert pipeline_duration(pipeline) is None
    assert finished(world, pipeline) == 45


def test_retried_attempt_does_not_count():
    world = World(START)
    pipeline = pipeline_of(world)
    again = JobPlan(queued=1, duration=7)
    plan = JobPlan(duration=50, outcome="failed", auto_retry=1, attempts=(again,))
    world.add_job(pipeline, "a", plan=plan)
    assert finished(world, pipeline) == 7


def test_downstream_jobs_count_and_bridges_do_not():
    world = World(START)
    pipeline = pipeline_of(world)
    world.add_job(pipeline, "a", plan=JobPlan(duration=10))
    child = PipelinePlan(
        jobs=[PlannedJob("b", "test", JobPlan(queued=90, duration=20))], depend=True
    )
    world.add_bridge(pipeline, "trigger", stage="deploy", downstream=child)
    assert finished(world, pipeline) == 30


def test_child_that_runs_on_counts_to_the_end():
    """Without `strategy: depend`, the pipeline finishes while its child runs."""
    world = World(START)
    pipeline = pipeline_of(world)
    child = PipelinePlan(jobs=[PlannedJob("b", "test", JobPlan(queued=0, duration=500))])
    world.add_bridge(pipeline, "trigger", downstream=child)
    world.add_job(pipeline, "a", plan=JobPlan(queued=0, duration=40))
    assert finished(world, pipeline) == 40


def test_pipeline_that_never_ran_has_no_duration():
    world = World(START)
    pipeline = pipeline_of(world)
    world.add_job(pipeline, "a", plan=JobPlan(outcome="skipped"))
    world.settle(START + 100)
    assert (pipeline.status, pipeline_duration(pipeline)) == ("skipped", None)
