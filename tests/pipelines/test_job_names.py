"""Jobs are found by name as GitLab groups them: CommitStatus#group_name."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gitlab_jobs_async import Job, JobStatus, LookupFailedError
from gitlab_jobs_async.pipelines.job_names import group_name, job_named, jobs_named


def jobs(*names):
    """Return jobs with ids from 1, newest first."""
    made = [
        Job(id=number, status=JobStatus.SUCCESS, stage="test", name=name)
        for number, name in enumerate(names, 1)
    ]
    return made[::-1]


@pytest.mark.parametrize(
    ("name", "group"),
    [
        # The examples of spec/models/commit_status_spec.rb.
        ("rspec1", "rspec1"),
        ("rspec1 0 1", "rspec1"),
        ("rspec1 0/2", "rspec1"),
        ("rspec:windows", "rspec:windows"),
        ("rspec:windows 0", "rspec:windows 0"),
        ("rspec:windows 0 2/2", "rspec:windows 0"),
        ("rspec:windows 0 test", "rspec:windows 0 test"),
        ("rspec:windows 0 test 2/2", "rspec:windows 0 test"),
        ("rspec:windows 0 1 name 1/2", "rspec:windows 0 1 name"),
        ("rspec:windows 0 1", "rspec:windows"),
        ("rspec:windows 0/1", "rspec:windows"),
        ("rspec:windows:0/1", "rspec:windows"),
        ("rspec:windows 10000 20000", "rspec:windows"),
        ("rspec:windows 0 : / 1", "rspec:windows"),
        ("rspec: [aws]", "rspec"),
        ("rspec: [aws] 0/1", "rspec"),
        ("rspec: [aws, max memory]", "rspec"),
        ("rspec:linux: [aws, max memory, data]", "rspec:linux"),
        ("rspec: [inception: [something, other thing], value]", "rspec"),
        ("rspec:windows 0/1: [name, other]", "rspec:windows"),
        ("rspec 0/1: [name, other] 2/2", "rspec"),
        ("rspec: [name, other]:windows 0/1", "rspec: [name, other]:windows"),
    ],
)
def test_group_names_are_those_of_gitlab(name, group):
    assert group_name(name) == group


def test_exact_name_wins_over_its_group():
    found = jobs_named(jobs("test", "test 1/2", "test 2/2"), "test")
    assert [job.name for job in found] == ["test"]


def test_group_has_all_its_jobs():
    found = jobs_named(jobs("test 1/2", "build", "test 2/2"), "test")
    assert [job.id for job in found] == [3, 1]


def test_newest_attempt_is_found():
    made = jobs("test", "build", "test")
    assert job_named(made, "test").id == job_named(made[::-1], "test").id == 3


def test_group_of_one_job_is_that_job():
    assert job_named(jobs("test: [linux]", "build"), "test").name == "test: [linux]"


def test_several_jobs_of_a_group_are_named():
    with pytest.raises(LookupFailedError) as caught:
        job_named(jobs("test 1/2", "test 2/2"), "test")
    assert str(caught.value) == "several jobs belong to 'test': 'test 1/2', 'test 2/2'"


def test_close_names_are_suggested():
    with pytest.raises(LookupError) as caught:
        job_named(jobs("deploy", "build"), "deplo")
    assert str(caught.value) == "no job is named 'deplo'; similar: 'deploy'"
    assert caught.value.candidates == ("deploy",)


def test_many_candidates_are_cut_in_the_text():
    with pytest.raises(LookupFailedError, match=r"'j09' and 2 more\Z"):
        job_named(jobs(*(f"j{n:02}" for n in range(12))), "x")


def test_empty_pipeline_has_no_candidates():
    with pytest.raises(LookupFailedError, match=r"^no job is named 'x'$"):
        job_named([], "x")


@pytest.mark.parametrize("part", ["1 ", ": [", "[]", "1/1 ", " :"])
def test_hostile_names_are_read_in_linear_time(part):
    """Would take minutes if it backtracked; the timeout of the suite ends it."""
    assert isinstance(group_name("x" + part * 200_000), str)
    for length in range(240, 256):
        assert isinstance(group_name(("x" + part * 200)[:length]), str)


@given(st.text(max_size=40), st.integers(1, 99), st.integers(1, 99))
@example(":", 1, 1)
def test_a_parallel_job_belongs_to_its_name(name, number, total):
    grouped = group_name(f"{name} {number}/{total}")
    # GitLab takes colons at the end of the name for a part of the suffix.
    assert grouped == group_name(re.sub(r"[\s:]+\Z", "", name))
    assert group_name(grouped) == grouped
