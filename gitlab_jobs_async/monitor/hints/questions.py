"""Questions by GraphQL about many projects at once.

`project.jobs` is refused for more than one project in a query. `project.pipelines` and
`pipeline.jobs` are not. Source: app/graphql/resolvers/ci/jobs_resolver.rb.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import field, frozen

from gitlab_jobs_async.api.parameters import positive_id

MAX_PROJECTS = 100
"""Projects of a question: the maximum of a page."""

PIPELINES = 5
"""Newest pipelines of each project that a question asks for, and as many child pipelines."""

JOBS = 100
"""Jobs and bridges of each pipeline that a question asks for: the maximum of a page."""

# Aliases and nested pages are what costs; the numbers of rows hardly count.
# Child pipelines come only if their source is asked for (app/finders/ci/pipelines_finder.rb);
# GitLab before 17.0 shows none even then, and their jobs are left to REST.
_PROJECTS = """\
query %s($ids: [ID!]) {
  projects(ids: $ids, first: 100) {
    nodes {
      id
      pipelines(first: 5) { nodes { %s } }
      children: pipelines(first: 5, source: "parent_pipeline") { nodes { %s } }
    }
  }
}"""
_PIPELINE = "id status updatedAt"
_WHOLE_PIPELINE = "id iid status sha path createdAt updatedAt"

# Without `retried:`, retried jobs are included, as in REST's listing of a project's jobs.
# `id` names the class: only `Ci::Build` is a job, the others are bridges and external statuses.
# `status` and `erasedAt` are what an event reports. `name`, `createdAt` and `finishedAt` show that
# a server was reset. The others are for the reader of an event, as REST always sends them.
_JOBS = """
        jobs(first: 100) {
          nodes {
            id status name stage { name } refName createdByTag allowFailure
            createdAt startedAt finishedAt erasedAt
          }
        }"""

_CHANGES_QUERY = _PROJECTS % ("Changes", _PIPELINE, _PIPELINE)
_JOBS_QUERY = _PROJECTS % ("Jobs", _WHOLE_PIPELINE + _JOBS, _WHOLE_PIPELINE + _JOBS)


@frozen
class Question:
    """A GraphQL query about *project_ids*, which costs *complexity* points of the server's limit.

    The limit is 250 with a token: https://docs.gitlab.com/api/graphql/#maximum-query-complexity.
    """

    query: str = field(repr=False)
    variables: Mapping[str, Any] = field(repr=False, hash=False)
    project_ids: tuple[int, ...]
    complexity: int

    @property
    def asks_for_jobs(self) -> bool:
        """Whether the answer has the jobs of the pipelines."""
        return self.query == _JOBS_QUERY


def changes_question(project_ids: Iterable[int]) -> Question:
    """Return the question for the newest pipelines of projects, without jobs.

    Raises:
        TypeError, ValueError: not 1 to 100 different ids above 0.
    """
    return _question(_CHANGES_QUERY, project_ids, 30)


def jobs_question(project_ids: Iterable[int]) -> Question:
    """Return the question for the newest pipelines of projects with their jobs.

    Raises:
        TypeError, ValueError: not 1 to 100 different ids above 0.
    """
    return _question(_JOBS_QUERY, project_ids, 162)


def _question(query: str, project_ids: Iterable[int], complexity: int) -> Question:
    ids = tuple(positive_id("project id", number) for number in project_ids)
    if not 1 <= len(ids) <= MAX_PROJECTS:
        raise ValueError(f"invalid question about {len(ids)} projects: expected 1 to 100")
    if len(set(ids)) < len(ids):
        raise ValueError("invalid question: a project id occurs twice; expected different ones")
    variables = {"ids": [f"gid://gitlab/Project/{number}" for number in ids]}
    return Question(query, variables, ids, complexity)
