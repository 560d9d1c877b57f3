"""Whatever happens and whenever it is looked at, what is told adds up to what there is."""

from collections import deque

from hypothesis import given, settings
from hypothesis import strategies as st

from gitlab_jobs_async.sansio.reach import SETTLING
from gitlab_jobs_async.sansio.watching import ProjectWatch
from tests.aio.replaying import Replay
from tests.sansio.projects import OPEN, ModelProject, look


LATE = st.sampled_from([0.0, 0.0, 0.0, 1.0, 30.0, SETTLING - 1])
OPS = st.one_of(
    st.tuples(st.just("pipeline"), st.integers(1, 6), st.lists(LATE, max_size=6)),
    st.tuples(st.just("bulk"), st.integers(30, 160), st.integers(0, 2)),
    st.tuples(st.just("move"), st.integers(0, 9), st.integers(0, 4)),
    st.tuples(st.just("finish"), st.integers(1, 40), st.integers(0, 4)),
    st.tuples(st.just("fail"), st.integers(0, 9), st.none()),
    st.tuples(st.just("retry"), st.integers(0, 9), LATE),
    st.tuples(st.just("erase"), st.integers(0, 9), st.none()),
    st.tuples(st.just("delete"), st.integers(0, 9), st.none()),
    st.tuples(st.just("wait"), st.sampled_from([0.5, 5.0, 60.0, 400.0, 5000.0]), st.none()),
    st.tuples(st.just("look"), st.none(), st.none()),
)


def happen(project, op):
    kind, number, more = op
    jobs = project.visible()
    if kind == "pipeline":
        project.add_pipeline([f"job {n}" for n in range(number)], more)
    elif kind == "bulk":
        for job in project.add_pipeline([f"job {n}" for n in range(number)]):
            job.status = ["created", "success", "manual"][more]
            job.ends += job.status not in OPEN
    elif kind == "wait":
        project.now += number
    elif kind == "finish":
        for job in [j for j in jobs if j.status in OPEN][:number]:
            project.move(job, more)
    elif jobs and kind != "look":
        job = jobs[number * len(jobs) // 10]
        match kind:
            case "move":
                project.move(job, more)
            case "fail":
                project.fail(job.pipeline)
            case "retry":
                project.retry(job, more)
            case "erase":
                project.erase(job)
            case "delete":
                project.delete(job.pipeline)


@settings(max_examples=300, deadline=None)
@given(st.lists(OPS, max_size=12), st.lists(OPS, max_size=40))
def test_what_is_told_adds_up_to_what_there_is(before, during):
    project = ModelProject()
    for op in before:
        happen(project, op)
    project.now += SETTLING
    there = {job.id for job in project.jobs.values()}
    were_open = {job.id for job in project.jobs.values() if job.status in OPEN}
    watch, replay = ProjectWatch.of("group/app"), Replay()
    coming = deque(during)

    def meanwhile():
        while coming:
            op = coming.popleft()
            if op[0] == "look":
                return
            happen(project, op)

    replay.hear(*look(watch, project))
    while coming:
        meanwhile()
        project.now = max(project.now, watch.next_at)
        replay.hear(*look(watch, project, meanwhile))
    for _ in range(80):
        project.now = max(project.now, watch.next_at)
        replay.hear(*look(watch, project))
    for job in project.jobs.values():
        if job.id in there - were_open and job.id not in replay.appeared:
            continue
        assert job.id in replay.appeared, (job, "never appeared")
        assert replay.status[job.id] == job.status, job
        assert job.id in there or replay.appeared[job.id].is_new
        if job.id not in there:
            assert replay.ends.get(job.id, 0) <= job.ends
            assert bool(replay.ends.get(job.id, 0)) == bool(job.ends) or job.status in OPEN
    for job_id, status in replay.status.items():
        assert job_id in project.jobs or status.is_finished
    watch.hasten(project.now + 10)
    project.now += 10
    assert look(watch, project) == []
