"""Needs of jobs: the query by GraphQL, and its answer. REST does not have them.

See `needs` and `schedulingType` in app/graphql/types/ci/job_type.rb.
"""

from collections.abc import Mapping
from typing import Any, Final

from attrs import frozen

# By the project's id, since its path may have changed. `needs` has 50 rows at most, one page.
NEEDS_QUERY: Final = """\
query Needs($ids: [ID!], $iid: ID, $after: String) {
  projects(ids: $ids, first: 1) {
    nodes {
      pipeline(iid: $iid) {
        jobs(first: 100, after: $after, retried: false) {
          nodes { name schedulingType manualJob needs { nodes { name } } }
          pageInfo { hasNextPage endCursor }
        }
      }
    }
  }
}"""


@frozen
class JobNeeds:
    """Jobs that a job waits for.

    *names* are those of its `needs:`; None means all jobs of earlier stages.
    """

    names: tuple[str, ...] | None = None
    is_manual: bool = False


Needs = Mapping[str, JobNeeds]
"""The needs of a pipeline's jobs by name; empty if they are unknown."""


def needs_variables(project_id: int, iid: int, after: str | None) -> Mapping[str, object]:
    """Return the variables of the query for one page of a pipeline's jobs."""
    return {"ids": [f"gid://gitlab/Project/{project_id}"], "iid": str(iid), "after": after}


def needs_in(data: Mapping[str, Any]) -> tuple[dict[str, JobNeeds], str | None]:
    """Return the needs in an answer, and the cursor of the next page.

    What is missing, or of another type than documented, is left out.
    """
    projects = _nodes(_part(data, "projects"))
    jobs = _part(_part(projects[0] if projects else {}, "pipeline"), "jobs")
    found: dict[str, JobNeeds] = {}
    for row in _nodes(jobs):
        name = row.get("name")
        if isinstance(name, str):
            listed = [need.get("name") for need in _nodes(_part(row, "needs"))]
            names = tuple(need for need in listed if isinstance(need, str))
            has_needs = row.get("schedulingType") == "dag"
            found[name] = JobNeeds(names if has_needs else None, row.get("manualJob") is True)
    page = _part(jobs, "pageInfo")
    cursor = page.get("endCursor") if page.get("hasNextPage") is True else None
    return found, cursor if isinstance(cursor, str) else None


def _part(row: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = row.get(name)
    return part if isinstance(part, dict) else {}


def _nodes(connection: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    nodes = connection.get("nodes")
    return [node for node in nodes if isinstance(node, dict)] if isinstance(nodes, list) else []
