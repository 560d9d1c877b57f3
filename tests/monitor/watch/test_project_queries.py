"""Queries of a project adapt to what its server accepts."""

from datetime import UTC, datetime

import pytest

from gitlab_jobs_async.errors import BadRequestError, MethodNotAllowedError, ServerError
from gitlab_jobs_async.monitor.watch.project_queries import ProjectQueries
from gitlab_jobs_async.monitor.watch.queries import QueryKind
from tests.support.sample_jobs import job

NO_KEYSET = MethodNotAllowedError(405, "Method Not Allowed", "GET", "/")
BAD_SCOPE = BadRequestError(400, "scope does not have a valid value", "GET", "/")
FAILED = ServerError(500, "500 Internal Server Error", "GET", "/")


def params(query):
    return dict(query.request.params)


def test_numeric_id_replaces_the_path():
    """A project keeps its id when it moves."""
    queries = ProjectQueries("group/app")
    queries.learn_numeric_id([])
    assert queries.job(1).request.path == "/projects/group%2Fapp/jobs/1"
    queries.learn_numeric_id([job(1)])
    assert queries.job(1).request.path == "/projects/7/jobs/1"


@pytest.mark.parametrize("kind", [QueryKind.NEWEST, QueryKind.OPEN_JOBS])
def test_keyset_is_omitted_where_refused(kind):
    queries = ProjectQueries(7)
    assert params(queries.newest(5))["pagination"] == "keyset"
    assert queries.adapt(kind, NO_KEYSET)
    assert "pagination" not in params(queries.newest(5))
    assert not queries.adapt(kind, NO_KEYSET), "there is nothing left to omit"


def test_new_statuses_are_omitted_where_refused():
    """GitLab 17 added `canceling` and `waiting_for_callback`; older servers refuse them."""
    queries = ProjectQueries(7)
    before = {value for name, value in queries.open_jobs().request.params if name == "scope[]"}
    assert queries.adapt(QueryKind.OPEN_JOBS, BAD_SCOPE)
    after = {value for name, value in queries.open_jobs().request.params if name == "scope[]"}
    assert before - after == {"canceling", "waiting_for_callback"}
    assert not after & {"success", "failed", "canceled", "skipped"}
    assert not queries.adapt(QueryKind.OPEN_JOBS, BAD_SCOPE)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (QueryKind.NEWEST, BAD_SCOPE),
        (QueryKind.JOB, NO_KEYSET),
        (QueryKind.OPEN_JOBS, FAILED),
    ],
)
def test_other_errors_change_nothing(kind, error):
    queries = ProjectQueries(7)
    assert not queries.adapt(kind, error)
    assert queries == ProjectQueries(7)


def test_first_pipelines_are_the_newest():
    queries = ProjectQueries(7)
    assert (params(queries.pipelines(None)), queries.pipelines(None).all_pages) == (
        {"per_page": "20"},
        False,
    )
    later = queries.pipelines(datetime(2025, 6, 1, tzinfo=UTC))
    assert later.all_pages
    assert params(later)["updated_after"].startswith("2025-06-01")
