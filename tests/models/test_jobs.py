"""Reprs, project paths and descriptions of jobs, pipelines and events."""

import re

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_jobs_async import Bridge, Job, JobStatus, LogLine, Pipeline
from gitlab_jobs_async.events import (
    JobAppeared,
    JobFinished,
    JobLogLine,
    MonitorResumed,
    ProjectUnreachable,
)
from gitlab_jobs_async.models import User
from gitlab_jobs_async.models.pipelines import NO_PIPELINE
from tests.api.test_json import MODELS
from tests.support.model_values import CHARACTERS, values

URL = "https://gitlab.example.com"
MIA = User(id=5, username="mia", web_url=f"{URL}/mia")
PIPELINE = Pipeline(
    id=70, status=JobStatus.FAILED, project_id=11, ref="main", sha="c0ffee" * 7,
    web_url=f"{URL}/made/up/-/pipelines/70",
)  # fmt: skip
JOB = Job(
    id=700, status=JobStatus.FAILED, stage="test", name="unit 1/2", ref="main", user=MIA,
    pipeline=PIPELINE, web_url=f"{URL}/made/up/-/jobs/700",
)  # fmt: skip
SAID = "id=700, name='unit 1/2', status='failed', ref='main', pipeline=70, project='made/up')"


def test_repr_names_job_and_pipeline():
    assert repr(JOB) == f"Job({SAID}"
    bridge = Bridge(**{n: getattr(JOB, n) for n in ("id", "status", "stage", "name", "ref", "user",
                                                    "pipeline", "web_url")})  # fmt: skip
    assert repr(bridge) == f"Bridge({SAID}"
    assert repr(PIPELINE) == (
        "Pipeline(id=70, status='failed', ref='main', sha='c0ffeec0', project='made/up')"
    )


def test_repr_has_the_id_if_no_path_is_known():
    assert repr(attrs.evolve(JOB, web_url="")).endswith("pipeline=70, project=11)")


def test_repr_of_an_event_names_its_job():
    finished = JobFinished(key="job/700/2/finished/failed", project="made/up", job=JOB)
    assert repr(finished) == (
        "JobFinished(key='job/700/2/finished/failed', project='made/up', previous=None, job=700, "
        "name='unit 1/2', status='failed', ref='main')"
    )
    assert ", previous='running', " in repr(attrs.evolve(finished, previous=JobStatus.RUNNING))
    appeared = JobAppeared(key="k", project=1, job=JOB, is_new=False)
    assert repr(appeared).startswith("JobAppeared(key='k', is_new=False, project=1, ")
    line = JobLogLine(key="k", project=1, job=JOB, line=LogLine(1, "hello", "hello"))
    assert repr(line).endswith("line='hello')")
    assert repr(MonitorResumed(key="k", kind="")) == "MonitorResumed(key='k', kind='')"


EVENTS = [JobFinished, JobAppeared, JobLogLine, ProjectUnreachable]


@given(st.sampled_from([Job, Bridge, Pipeline, *EVENTS]).flatmap(values))
def test_any_repr_fits_two_lines(value):
    assert len(repr(value)) <= 200


@given(CHARACTERS.map(lambda text: text * 50))
def test_long_names_are_cut(text):
    job = attrs.evolve(JOB, name=text, ref=text, web_url=f"{URL}/{text}/-/jobs/1")
    for value in (job, JobFinished(key=text, project=text, job=job)):
        assert len(repr(value)) <= 200
        assert repr(value).endswith(")")


@pytest.mark.parametrize(
    ("web_url", "user", "path"),
    [
        (f"{URL}/made/up/-/jobs/700", MIA, "made/up"),
        (f"{URL}/made/up/-/jobs/700", None, "made/up"),
        (f"{URL}/a/b/c/d/-/jobs/700", None, "a/b/c/d"),
        (f"{URL}/git/made/up/-/jobs/7", attrs.evolve(MIA, web_url=f"{URL}/git/mia"), "made/up"),
        (f"{URL}:8443/made/up/-/jobs/7", MIA, "made/up"),
        (f"{URL}/made/up/-/jobs/7", attrs.evolve(MIA, web_url="http://other/mia"), "made/up"),
        (f"{URL}/made/up/-/jobs/7", attrs.evolve(MIA, web_url=""), "made/up"),
        (f"{URL}/made/up/jobs/7", MIA, None),
        ("", MIA, None),
        ("/-/jobs/7", MIA, None),
    ],
)
def test_project_path_is_that_of_the_page(web_url, user, path):
    assert attrs.evolve(JOB, web_url=web_url, user=user).project_path == path


@pytest.mark.parametrize("project", [11, "old/path"])
def test_event_has_the_path_of_its_job(project):
    """A project that moved keeps the name of its target, and its keys."""
    event = JobFinished(key="k", project=project, job=JOB)
    assert (event.project, event.project_path) == (project, "made/up")


def test_event_without_job_has_its_targets_path():
    paths = {
        project: ProjectUnreachable(key="k", project=project, reason="").project_path
        for project in (11, "made/up")
    }
    assert paths == {11: None, "made/up": "made/up"}
    assert JobFinished(key="k", project=11, job=attrs.evolve(JOB, web_url="")).project_path is None
    assert MonitorResumed(key="k", kind="").project_path is None


@pytest.mark.parametrize("kind", MODELS, ids=lambda kind: kind.__name__)
def test_docstring_describes_every_field(kind):
    own = [name for name in vars(kind).get("__annotations__", ()) if not name.startswith("_")]
    described = kind.__doc__.partition("Attributes:")[2]
    if described:
        assert [n for n in own if not re.search(rf"^ +[^:]*\b{n}\b[^:]*: ", described, re.M)] == []
    else:
        assert len(own) <= 3 or kind.__name__ in {"Section", "LogLine"}


def test_pipeline_that_was_not_sent_has_no_id():
    assert (NO_PIPELINE.id, NO_PIPELINE.status.is_finished) == (0, False)
