"""The questions about many projects stay within GitLab's limits."""

import pytest

from gitlab_jobs_async.api.graphql_cost import estimate_complexity
from gitlab_jobs_async.api.graphql_syntax import MAX_QUERY, parse
from gitlab_jobs_async.monitor.hints.questions import changes_question, jobs_question

BOTH = [changes_question, jobs_question]


@pytest.mark.parametrize(("make", "points"), [(changes_question, 30), (jobs_question, 162)])
def test_complexity_is_that_of_gitlab(make, points):
    for count in (1, 100):
        question = make(range(1, count + 1))
        computed = estimate_complexity(question.query, question.variables)
        assert computed == question.complexity == points


@pytest.mark.parametrize("make", BOTH)
def test_question_has_global_ids(make):
    question = make([7, 3])
    assert question.project_ids == (7, 3)
    assert question.variables == {"ids": ["gid://gitlab/Project/7", "gid://gitlab/Project/3"]}
    assert len(question.query) < MAX_QUERY
    assert parse(question.query).is_read_only


def test_only_one_question_asks_for_jobs():
    assert [make([1]).asks_for_jobs for make in BOTH] == [False, True]


@pytest.mark.parametrize("make", BOTH)
@pytest.mark.parametrize("ids", [[], range(1, 102), [0], [-1], [1, 1]])
def test_invalid_ids_are_refused(make, ids):
    with pytest.raises(ValueError, match=r"expected|above 0"):
        make(ids)


@pytest.mark.parametrize("make", BOTH)
@pytest.mark.parametrize("ids", [["group/app"], [True], [None]])
def test_ids_of_another_type_are_refused(make, ids):
    with pytest.raises(TypeError, match="project id must be a whole number above 0"):
        make(ids)
