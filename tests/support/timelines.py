"""Build timelines of jobs with given times, and of jobs with any times."""

from datetime import UTC, datetime

from attrs import evolve
from hypothesis import strategies as st

from gitlab_jobs_async.models import Bridge, Job, JobStatus, Pipeline
from gitlab_jobs_async.models.values import UNKNOWN_TIME
from gitlab_jobs_async.pipelines.needs import JobNeeds
from gitlab_jobs_async.pipelines.timeline import timelines_of
from gitlab_jobs_async.pipelines.tree import Downstream, PipelineTree

START = 1_750_000_000.0


def at(seconds):
    return None if seconds is None else datetime.fromtimestamp(START + seconds, UTC)


def job(number, name, *, stage="test", status="success", times=(0, None, None), kind=Job, **more):
    """A job *created*, *started* and *finished* at these seconds; None is unknown."""
    created, started, finished = times
    return kind(
        id=number,
        status=JobStatus(status),
        stage=stage,
        name=name,
        created_at=UNKNOWN_TIME if created is None else at(created),
        started_at=at(started),
        finished_at=at(finished),
        **more,
    )


def tree(*jobs, status="success", created=0, finished=None):
    pipeline = Pipeline(
        id=9,
        status=JobStatus(status),
        created_at=UNKNOWN_TIME if created is None else at(created),
        finished_at=at(finished),
    )
    bridges = tuple(Downstream(bridge=one) for one in jobs if isinstance(one, Bridge))
    plain = tuple(one for one in jobs if isinstance(one, Job))
    return PipelineTree(pipeline=pipeline, jobs=plain, downstream=bridges)


def nested(jobs, children, **options):
    """A tree with a pipeline of *children* below each of the first bridges."""
    left = list(children)
    whole = tree(*jobs, **options)
    downstream = tuple(
        Downstream(bridge=one.bridge, tree=left.pop(0) if left else None)
        for one in whole.downstream
    )
    return evolve(whole, downstream=downstream)


def tree_of(jobs, status, created):
    return tree(*jobs, status=status, created=created)


def timeline(*jobs, needs=None, now=1000.0, read=None, **options):
    read_at = START + (now if read is None else read)
    (found,) = timelines_of(tree(*jobs, **options), {9: needs or {}}, read_at, START + now)
    return found


TIMES = st.none() | st.floats(-1e6, 1e6) | st.sampled_from([0.0, 5.0, 5.0, 10.0])
LENGTHS = TIMES | st.sampled_from([float("inf"), float("nan"), -1.0])
STATUSES = st.sampled_from([*JobStatus, JobStatus("unheard_of")])


@st.composite
def jobs(draw, first=1):
    numbers = draw(st.lists(st.integers(first, first + 29), unique=True, max_size=8))
    return [
        job(
            number,
            draw(st.sampled_from("abc")),
            stage=draw(st.sampled_from(("build", "test"))),
            status=draw(STATUSES),
            times=(draw(TIMES), draw(TIMES), draw(TIMES)),
            kind=draw(st.sampled_from((Job, Bridge))),
            queued_duration=draw(LENGTHS),
            duration=draw(LENGTHS),
            allow_failure=draw(st.booleans()),
        )
        for number in numbers
    ]


NEEDS = st.dictionaries(
    st.sampled_from("abc"),
    st.builds(
        JobNeeds,
        st.none() | st.tuples(st.sampled_from("abcd"), st.sampled_from("ab")),
        st.booleans(),
    ),
)
