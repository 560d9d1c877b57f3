"""Answers of GraphQL become exact snapshots, or none."""

import copy
import re
from datetime import UTC, datetime
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async import DecodeError, Job, JobStatus
from gitlab_jobs_async.models import PipelineBasic
from gitlab_jobs_async.monitor.hints.questions import changes_question, jobs_question
from gitlab_jobs_async.monitor.hints.snapshots import (
    PipelineSnapshot,
    ProjectSnapshot,
    snapshots_of,
)
from tests.support.graphql_answers import AT, job_row, pipeline_row, project_row, projects

NOON = datetime(2026, 11, 26, 10, tzinfo=UTC)
CHANGES = changes_question([1, 2])
JOBS = jobs_question([1, 2])


def only(data, question=JOBS):
    (snapshot,) = snapshots_of(data, question, "https://gitlab.example.com").values()
    return snapshot


def test_changes_have_pipelines_without_jobs():
    data = projects(project_row(1, [pipeline_row(32, status="SUCCESS"), pipeline_row(31)]))
    assert snapshots_of(data, CHANGES) == {
        1: ProjectSnapshot(
            1,
            (
                PipelineSnapshot(32, JobStatus.SUCCESS, NOON),
                PipelineSnapshot(31, JobStatus.RUNNING, NOON),
            ),
            floor=0,
        )
    }


def test_job_has_the_values_of_its_row():
    pipeline = only(projects(project_row(1, [pipeline_row(31, [job_row(71)])]))).pipelines[0]
    assert pipeline.is_complete
    assert pipeline.jobs == (
        Job(
            id=71,
            status=JobStatus.RUNNING,
            name="build",
            stage="test",
            created_at=NOON,
            started_at=NOON.replace(second=5),
            ref="main",
            web_url="https://gitlab.example.com/group/app/-/jobs/71",
            pipeline=PipelineBasic(
                id=31,
                iid=4,
                status=JobStatus.RUNNING,
                sha="c0ffee",
                project_id=1,
                created_at=NOON,
                updated_at=NOON,
                web_url="https://gitlab.example.com/group/app/-/pipelines/31",
            ),
            is_partial=True,
        ),
    )


def test_unreadable_values_are_empty():
    """A token that may not read the code of a project gets null for some fields."""
    row = pipeline_row(31, [job_row(71, refName=None)], sha=None, path=None)
    (pipeline,) = only(projects(project_row(1, [row]))).pipelines
    (job,) = pipeline.jobs
    assert (job.ref, job.web_url, job.pipeline.sha, job.pipeline.web_url) == ("", "", "", "")


@pytest.mark.parametrize("odd", [{"createdByTag": None}, {"allowFailure": 1}, {"refName": 7}])
def test_odd_value_of_a_job_hides_its_project(odd):
    row = pipeline_row(31, [job_row(71, **odd)])
    assert snapshots_of(projects(project_row(1, [row])), JOBS) == {}


def test_guide_lists_what_graphql_lacks():
    page = (Path(__file__).parents[3] / "gitlab_jobs_async/guide/graphql.md").read_text()
    bullets = page.partition("`get_job` has them:\n\n")[2].partition("\n\n")[0]
    listed = set(re.findall(r"`(\w+)`", bullets))
    row = job_row(finishedAt=AT, erasedAt=AT)
    (job,) = only(projects(project_row(1, [pipeline_row(31, [row])]))).pipelines[0].jobs
    assert listed == {name for name, value in attrs.asdict(job).items() if value in (None, ())}


@pytest.mark.parametrize("status", JobStatus)
def test_status_is_the_word_of_rest(status):
    row = pipeline_row(31, [job_row(status=status.upper())], status=status.upper())
    pipeline = only(projects(project_row(1, [row]))).pipelines[0]
    assert pipeline.status is pipeline.jobs[0].status is status


@pytest.mark.parametrize("kind", ["Ci::Bridge", "GenericCommitStatus"])
def test_row_of_another_kind_is_no_job(kind):
    rows = [job_row(72, kind=kind, stage=None), job_row(71)]
    pipeline = only(projects(project_row(1, [pipeline_row(31, rows)]))).pipelines[0]
    assert [job.id for job in pipeline.jobs] == [71]
    assert pipeline.is_complete


def test_full_pages_may_have_more():
    rows = [job_row(number) for number in range(200, 100, -1)]
    pipelines = [pipeline_row(31, rows), *(pipeline_row(n, []) for n in (30, 29, 28, 27))]
    snapshot = only(projects(project_row(1, pipelines)))
    assert snapshot.floor == 27
    assert [p.is_complete for p in snapshot.pipelines] == [False, True, True, True, True]


def test_pages_less_than_full_are_complete():
    rows = [job_row(number) for number in range(199, 100, -1)]
    pipelines = [pipeline_row(31, rows), *(pipeline_row(n, []) for n in (30, 29, 28))]
    snapshot = only(projects(project_row(1, pipelines)))
    assert snapshot.floor == 0
    assert snapshot.pipelines[0].is_complete


def test_child_pipelines_are_merged_by_id():
    parents = [pipeline_row(33, [job_row(73)]), pipeline_row(31, [job_row(71)])]
    children = [pipeline_row(34, [job_row(74)]), pipeline_row(32, [job_row(72)])]
    snapshot = only(projects(project_row(1, parents, children)))
    assert [pipeline.id for pipeline in snapshot.pipelines] == [34, 33, 32, 31]
    assert [job.id for p in snapshot.pipelines for job in p.jobs] == [74, 73, 72, 71]
    assert snapshot.floor == 0


@pytest.mark.parametrize(
    ("parents", "children", "floor"),
    [
        (range(40, 35, -1), range(50, 46, -1), 36),
        (range(40, 36, -1), range(50, 45, -1), 46),
        (range(40, 35, -1), range(50, 45, -1), 46),
        (range(50, 45, -1), range(40, 35, -1), 46),
        (range(40, 36, -1), range(50, 46, -1), 0),
    ],
)
def test_floor_is_above_what_a_page_lacks(parents, children, floor):
    row = project_row(1, map(pipeline_row, parents), map(pipeline_row, children))
    assert only(projects(row), CHANGES).floor == floor


@pytest.mark.parametrize("numbers", [(30, 31), (31, 31), (36, 35, 34, 33, 32, 31), (41,)])
def test_project_with_odd_children_is_missing(numbers):
    row = project_row(1, [pipeline_row(41)], map(pipeline_row, numbers))
    assert snapshots_of(projects(row), CHANGES) == {}


def test_project_without_children_is_missing():
    row = project_row(1, [pipeline_row(41)]) | {"children": None}
    assert snapshots_of(projects(row), CHANGES) == {}


def test_jobs_that_may_not_be_read_are_none():
    row = pipeline_row(31) | {"jobs": None}
    pipeline = only(projects(project_row(1, [row]))).pipelines[0]
    assert pipeline.jobs is None
    assert not pipeline.is_complete


def test_jobs_that_were_not_asked_for_are_none():
    data = projects(project_row(1, [pipeline_row(31, [job_row()])]))
    assert only(data, CHANGES).pipelines[0].jobs is None


def test_project_absent_from_answer_is_missing():
    assert snapshots_of(projects(project_row(2)), CHANGES).keys() == {2}
    assert snapshots_of(projects(), CHANGES) == {}


@pytest.mark.parametrize(
    "row",
    [
        pipeline_row(31, status="SLEEPING"),
        pipeline_row(31, status="running"),
        pipeline_row(31, status=None),
        pipeline_row(31, updatedAt="yesterday"),
        pipeline_row(31, updatedAt="0001-01-01T00:00:00Z"),
        pipeline_row(31, updatedAt=5),
        pipeline_row(31, id="gid://gitlab/Project/31"),
        pipeline_row(31, id="gid://gitlab/Ci::Pipeline/0"),
        pipeline_row(31, id=f"gid://gitlab/Ci::Pipeline/{1 << 63}"),
        pipeline_row(31, id="gid://gitlab/Ci::Pipeline/3\N{ARABIC-INDIC DIGIT ONE}"),
        pipeline_row(31, id=31),
        pipeline_row(31, [job_row(), job_row()]),
        pipeline_row(31, [job_row()] * 101),
        pipeline_row(31, [None]),
        pipeline_row(31, [job_row(kind="Ci::Pipeline")]),
        pipeline_row(31, [job_row(status="DONE")]),
        pipeline_row(31, [job_row(name=None)]),
        pipeline_row(31, [job_row(stage=None)]),
        pipeline_row(31, [job_row(createdAt=None)]),
        pipeline_row(31, [job_row(createdAt="9999-12-31T23:59:59Z")]),
        pipeline_row(31, [job_row(finishedAt=True)]),
        pipeline_row(31, jobs={}),
        None,
        [],
    ],
)
def test_project_with_odd_value_is_missing(row):
    data = projects(project_row(1, [row]), project_row(2, [pipeline_row(41, [job_row(81)])]))
    assert snapshots_of(data, JOBS).keys() == {2}


@pytest.mark.parametrize("numbers", [(30, 31), (31, 31), (36, 35, 34, 33, 32, 31)])
def test_project_with_odd_pipelines_is_missing(numbers):
    assert snapshots_of(projects(project_row(1, map(pipeline_row, numbers))), CHANGES) == {}


def test_job_of_two_pipelines_makes_it_missing():
    rows = [pipeline_row(32, [job_row(71)]), pipeline_row(31, [job_row(71)])]
    assert snapshots_of(projects(project_row(1, rows)), JOBS) == {}


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"projects": None},
        {"projects": []},
        {"projects": {"nodes": None}},
        {"projects": {"nodes": {}}},
        projects(None),
        projects(project_row(3)),
        projects(project_row(1), project_row(1)),
        projects(*(project_row(1) for _ in range(101))),
        projects(project_row(1) | {"id": "gid://gitlab/Group/1"}),
        projects({"id": None}),
    ],
)
def test_answer_to_another_question_is_an_error(data):
    with pytest.raises(DecodeError, match=r"POST /api/graphql: .* @ \$\.data\.projects"):
        snapshots_of(data, CHANGES)


PLACES = [
    ("projects",),
    ("projects", "nodes"),
    ("projects", "nodes", 0),
    ("projects", "nodes", 0, "id"),
    ("projects", "nodes", 0, "pipelines"),
    ("projects", "nodes", 0, "pipelines", "nodes"),
    ("projects", "nodes", 0, "pipelines", "nodes", 0),
    ("projects", "nodes", 0, "children"),
    ("projects", "nodes", 0, "children", "nodes"),
    ("projects", "nodes", 0, "children", "nodes", 0),
    *(
        ("projects", "nodes", 0, "pipelines", "nodes", 0, name)
        for name in ("id", "status", "updatedAt", "jobs")
    ),
    *(
        ("projects", "nodes", 0, "pipelines", "nodes", 0, "jobs", "nodes", 0, name)
        for name in job_row()
    ),
]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=30)
    | st.sampled_from([AT, "RUNNING"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.sampled_from(PLACES), JSON)
def test_any_json_gives_an_exact_row_or_none(place, value):
    row = project_row(1, [pipeline_row(31, [job_row()])], [pipeline_row(32, [job_row(72)])])
    data = copy.deepcopy(projects(row))
    inner = data
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    try:
        found = snapshots_of(data, JOBS)
    except DecodeError:
        return
    for snapshot in found.values():
        assert snapshot.project_id in {1, 2}
        for pipeline in snapshot.pipelines:
            assert pipeline.id > 0
            assert pipeline.status in JobStatus.__members__.values()
            assert all(type(job.name) is type(job.stage) is str for job in pipeline.jobs or ())
